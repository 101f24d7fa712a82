"""Restores image files and folders, with their metadata."""
