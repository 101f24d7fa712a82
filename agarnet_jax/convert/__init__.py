"""Weights from other frameworks to ours."""
