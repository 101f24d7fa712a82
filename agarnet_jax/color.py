"""Luma (NumPy only): BT.601 in full range (JFIF) and in studio range."""

import enum

import numpy as np

from agarnet_jax.configs import member

# BT.601 luma weights; JFIF (ITU-T T.871) uses them in full range.
_RED, _GREEN, _BLUE = 0.299, 0.587, 0.114
# JFIF's Y, Cb − 128 and Cr − 128 (rows) of R, G, B in full range.
RGB_TO_YCBCR = np.array(
    [
        [_RED, _GREEN, _BLUE],
        [-_RED / (2 - 2 * _BLUE), -_GREEN / (2 - 2 * _BLUE), 0.5],
        [0.5, -_GREEN / (2 - 2 * _RED), -_BLUE / (2 - 2 * _RED)],
    ]
)
YCBCR_TO_RGB = np.linalg.inv(RGB_TO_YCBCR)


class LumaRange(enum.Enum):
    """FULL: 0–255, what a colour JPEG file quantizes. STUDIO: 16–235, what papers evaluate on."""

    FULL = "full"
    STUDIO = "studio"


def luma(rgb: np.ndarray, *, luma_range: LumaRange | str = LumaRange.FULL) -> np.ndarray:
    """Luma (H, W) float64 in 0–255 of an (H, W, 3) image in 0–255, not rounded.

    STUDIO is Y = 16 + 65.481 R + 128.553 G + 24.966 B with R, G, B in [0, 1], the protocol of
    `docs/evaluation.md`.

    Raises:
      ValueError: no such range.
    """
    rgb = np.asarray(rgb, np.float64)
    if member(LumaRange, luma_range, "luma_range") is LumaRange.STUDIO:
        return 16 + rgb @ np.array([65.481, 128.553, 24.966]) / 255
    return rgb @ np.array([_RED, _GREEN, _BLUE])


def full_to_studio(luma_full: np.ndarray) -> np.ndarray:
    """Full-range luma 0–255 compressed to studio range 16–235 (not rounded)."""
    return 16 + np.asarray(luma_full, np.float64) * (219 / 255)
