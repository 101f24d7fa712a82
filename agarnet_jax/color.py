"""Luma and chroma (NumPy only): BT.601 in full range (JFIF) and luma in studio range."""

import enum

import numpy as np

# BT.601 luma weights; JFIF (ITU-T T.871) uses them in full range.
_RED, _GREEN, _BLUE = 0.299, 0.587, 0.114


class LumaRange(enum.Enum):
    """FULL: 0–255, what a colour JPEG file quantizes. STUDIO: 16–235, what papers evaluate on."""

    FULL = "full"
    STUDIO = "studio"


def luma(rgb: np.ndarray, *, luma_range: LumaRange = LumaRange.FULL) -> np.ndarray:
    """Luma (H, W) float64 in 0–255 of an (H, W, 3) image in 0–255, not rounded.

    STUDIO is Y = 16 + 65.481 R + 128.553 G + 24.966 B with R, G, B in [0, 1], the protocol of
    `EVALUATION.md`.
    """
    rgb = np.asarray(rgb, np.float64)
    if luma_range is LumaRange.STUDIO:
        return 16 + rgb @ np.array([65.481, 128.553, 24.966]) / 255
    return rgb @ np.array([_RED, _GREEN, _BLUE])


def full_to_studio(luma_full: np.ndarray) -> np.ndarray:
    """Full-range luma 0–255 compressed to studio range 16–235 (not rounded)."""
    return 16 + np.asarray(luma_full, np.float64) * (219 / 255)


def rgb_to_ycbcr(rgb: np.ndarray) -> np.ndarray:
    """(…, 3) RGB in [0, 1] to JFIF YCbCr in [0, 1], chroma centred on 0.5 (T.871 §7)."""
    rgb = np.asarray(rgb)
    red, green, blue = rgb[..., 0], rgb[..., 1], rgb[..., 2]
    y = _RED * red + _GREEN * green + _BLUE * blue
    cb = (blue - y) / (2 - 2 * _BLUE) + 0.5
    cr = (red - y) / (2 - 2 * _RED) + 0.5
    return np.stack([y, cb, cr], axis=-1)


def ycbcr_to_rgb(ycbcr: np.ndarray) -> np.ndarray:
    """The inverse of `rgb_to_ycbcr`; values may leave [0, 1] and are not clipped."""
    y, cb, cr = (np.asarray(ycbcr)[..., i] for i in range(3))
    red = y + (2 - 2 * _RED) * (cr - 0.5)
    blue = y + (2 - 2 * _BLUE) * (cb - 0.5)
    green = (y - _RED * red - _BLUE * blue) / _GREEN
    return np.stack([red, green, blue], axis=-1)
