"""Converts weights from other frameworks."""
