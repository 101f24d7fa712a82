"""Restoration of images and image files with trained weights."""

from agarnet_jax.restoration.restorer import QualitySource, Restored, Restorer

__all__ = ["QualitySource", "Restored", "Restorer"]
