"""Compression traces: what decoded pixels reveal of the last and earlier JPEG compressions."""
