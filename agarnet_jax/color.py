"""BT.601 luma and YCbCr matrices (NumPy only), in full range (JFIF) and studio range."""

import enum

import numpy as np

from agarnet_jax.configs import member

# BT.601 luma weights, which JFIF (ITU-T T.871) uses in full range.
_RED, _GREEN, _BLUE = 0.299, 0.587, 0.114
# Rows: Y, Cb − 128 and Cr − 128 of JFIF (full range), from R, G, B.
RGB_TO_YCBCR = np.array(
    [
        [_RED, _GREEN, _BLUE],
        [-_RED / (2 - 2 * _BLUE), -_GREEN / (2 - 2 * _BLUE), 0.5],
        [0.5, -_GREEN / (2 - 2 * _RED), -_BLUE / (2 - 2 * _RED)],
    ]
)
YCBCR_TO_RGB = np.linalg.inv(RGB_TO_YCBCR)


class LumaRange(enum.Enum):
    """FULL: 0–255, as in colour JPEG files. STUDIO: 16–235, as in the evaluations of papers."""

    FULL = "full"
    STUDIO = "studio"


def luma(rgb: np.ndarray, *, luma_range: LumaRange | str = LumaRange.FULL) -> np.ndarray:
    """Returns the luma (H, W), float64 and not rounded, of an (H, W, 3) image in 0–255.

    FULL is in 0–255. STUDIO is 16 + 65.481 R + 128.553 G + 24.966 B with R, G, B in [0, 1], the
    protocol of `docs/evaluation.md`.

    Raises:
      ValueError: unknown range.
    """
    rgb = np.asarray(rgb, np.float64)
    if member(LumaRange, luma_range, "luma_range") is LumaRange.STUDIO:
        return 16 + rgb @ np.array([65.481, 128.553, 24.966]) / 255
    return rgb @ np.array([_RED, _GREEN, _BLUE])


def full_to_studio(luma_full: np.ndarray) -> np.ndarray:
    """Maps full-range luma 0–255 to studio range 16–235, not rounded."""
    return 16 + np.asarray(luma_full, np.float64) * (219 / 255)
