"""Degradations: JPEG compression, recompression, mosaics and video; one idea per file."""
