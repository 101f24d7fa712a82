"""Restores a corpus of images with an Apache Beam pipeline (extra `beam`)."""
