"""Published results, and reference scores of the JPEG itself that the protocol must reproduce.

Results are from the papers' tables; `[paper]` marks the AGARNet paper, `[published]` others.
Reference scores that the papers lack are our own computation. benchmarks/jpeg_rows.py recomputes
them, except for full-range luma. All values are means over the images of a set.
"""

import dataclasses
from collections.abc import Iterator

from agarnet_jax.color import LumaRange
from data_pipelines.degradations.degraded import Degradation
from data_pipelines.degradations.jpeg import Jpeg
from data_pipelines.degradations.recompression import double
from experiments.evaluating import scoring

LIVE1, CLASSIC5, LIVE1_RGB = "LIVE1", "Classic5", "LIVE1 RGB"
SET_SIZES = {LIVE1: 29, CLASSIC5: 5, LIVE1_RGB: 29}
QUALITIES = (10, 20, 30, 40, 50, 60, 70, 80)


@dataclasses.dataclass(frozen=True)
class ReferenceRow:
    """The reference value of a metric of the JPEG itself on a set with a degradation."""

    images: str
    label: str
    degradation: Degradation
    metric: str  # a field of `scoring.Scores`
    value: float
    luma_range: LumaRange = LumaRange.STUDIO

    @property
    def decimals(self) -> int:
        return scoring.DECIMALS[self.metric]

    def matches(self, measured: float) -> bool:
        """Whether a value differs by at most one unit in the last decimal."""
        return abs(round(measured, self.decimals) - self.value) <= 1.01 * 10**-self.decimals


# Single JPEG (paper, table 2). PSNR and SSIM (uniform window).
TABLE2_JPEG = {
    LIVE1: (
        (27.77, 30.07, 31.41, 32.35, 33.16, 33.98, 35.13, 36.87),
        (0.791, 0.868, 0.900, 0.917, 0.930, 0.940, 0.951, 0.964),
    ),
    CLASSIC5: (
        (27.82, 30.12, 31.48, 32.43, 33.20, 33.96, 34.98, 36.44),
        (0.780, 0.854, 0.884, 0.901, 0.913, 0.923, 0.934, 0.948),
    ),
}
TABLE2: dict[str, dict[str, tuple[tuple[float, ...], tuple[float, ...]]]] = {
    LIVE1: {
        "ARCNN (107 K) [paper]": (
            (28.96, 31.29, 32.67, 33.61),
            (0.822, 0.887, 0.916, 0.930),
        ),
        "DnCNN-B (664 K) [paper]": (
            (29.19, 31.66, 33.09, 34.09, 34.90, 35.72, 36.83, 38.43),
            (0.826, 0.895, 0.922, 0.936, 0.946, 0.954, 0.962, 0.972),
        ),
        "Baseline-B (9.6 M) [paper]": (
            (29.55, 31.92, 33.32, 34.30, 35.09, 35.90, 36.99, 38.58),
            (0.837, 0.900, 0.925, 0.939, 0.948, 0.956, 0.964, 0.973),
        ),
        "AGARNet (10.2 M) [paper]": (
            (29.64, 32.02, 33.44, 34.42, 35.24, 36.06, 37.17, 38.81),
            (0.837, 0.900, 0.925, 0.939, 0.948, 0.956, 0.964, 0.973),
        ),
        "AGARNet-EST [paper]": ((29.63, 32.01, 33.43, 34.42, 35.24, 36.06, 37.17, 38.81), ()),
        "QGAC [published]": ((29.51, 31.83, 33.20, 34.16), ()),
        "FBCNN (71.9 M) [published]": ((29.75, 32.13, 33.54, 34.53), ()),
        "DRUNet [published]": ((29.79, 32.17, 33.59, 34.58), ()),
        "SwinIR, one model per quality [published]": ((29.86, 32.25, 33.69, 34.67), ()),
    },
    CLASSIC5: {
        "AGARNet (10.2 M) [paper]": (
            (30.02, 32.25, 33.47, 34.29, 34.96, 35.59, 36.43, 37.65),
            (0.836, 0.887, 0.908, 0.920, 0.928, 0.935, 0.944, 0.954),
        )
    },
}
# The estimator's mean and standard deviation over images, which the paper gives × 100.
ESTIMATES = {
    10: (10.32, 0.99),
    20: (20.24, 0.88),
    30: (30.19, 0.80),
    40: (39.88, 1.58),
    50: (50.50, 1.05),
    60: (60.09, 1.47),
    70: (70.38, 1.63),
    80: (80.74, 0.76),
}
# PSNR gain on LIVE1 by quality, read from figure 4 of the paper to about 0.1 dB.
FIGURE4 = {1: 1.0, 10: 1.85, 40: 2.05, 60: 2.05, 80: 1.9, 90: 1.3}

# Non-aligned double JPEG, shifted by (4, 4), on LIVE1, by (first, second) quality.
DOUBLE_JPEG = {
    (30, 10): 27.49,
    (50, 10): 27.65,
    (50, 30): 30.62,
    (10, 10): 26.48,
    (30, 30): 29.98,
    (50, 50): 31.58,
    (10, 30): 27.55,
    (10, 50): 27.69,
    (30, 50): 30.61,
    (10, 90): 27.70,
    (90, 10): 27.79,
}
DOUBLE = {
    "FBCNN [published]": {
        (30, 10): 29.46,
        (10, 30): 28.29,
        (10, 50): 28.20,
        (30, 50): 31.96,
        (30, 30): 31.64,
    },
    "FBCNN, trained on double JPEG [published]": {
        (30, 10): 29.44,
        (10, 30): 29.38,
        (10, 50): 29.52,
        (30, 50): 32.64,
        (30, 30): 31.94,
    },
}

# Aligned double JPEG on LIVE1 (paper, table 3), by groups of first and second quality: JPEG and
# AGARNet-EST. The paper does not say which quality pairs a group contains.
TABLE3 = {
    ("low", "high"): (29.70, 31.70),
    ("low", "ultra"): (29.44, 31.41),
    ("mid", "high"): (32.64, 34.49),
    ("mid", "ultra"): (32.22, 34.28),
    ("high", "mid"): (31.39, 34.02),
    ("high", "high"): (33.57, 35.67),
    ("high", "ultra"): (33.43, 35.76),
    ("ultra", "mid"): (31.89, 33.76),
    ("ultra", "high"): (33.33, 35.55),
    ("ultra", "ultra"): (36.13, 38.22),
}

# MPEG-2, then JPEG (paper, table 4), on the paper's own clip: by Mbit/s and quality.
TABLE4 = {
    "MPEG-2 [paper]": {(1, 60): 35.34, (1, 80): 35.34, (4, 60): 35.55, (4, 80): 35.55},
    "MPEG-2, JPEG [paper]": {(1, 60): 34.72, (1, 80): 35.10, (4, 60): 34.87, (4, 80): 35.27},
    "AGARNet-EST [paper]": {(1, 60): 35.39, (1, 80): 35.61, (4, 60): 35.55, (4, 80): 35.81},
    "AGARNet-ESP [paper]": {(1, 60): 35.57, (1, 80): 35.80, (4, 60): 35.73, (4, 80): 35.99},
}

_GAUSSIAN_SSIM = {10: 0.773, 20: 0.851, 40: 0.904}
_PSNR_B = {10: 25.33, 20: 27.57, 40: 29.96}
_FULL_RANGE = {10: 27.02}
COLOR_JPEG = {10: 25.69, 40: 30.28}


def reference_rows() -> Iterator[ReferenceRow]:
    """Yields every reference value of the JPEG itself."""
    for images, (psnrs, ssims) in TABLE2_JPEG.items():
        for quality, psnr, ssim in zip(QUALITIES, psnrs, ssims):
            yield ReferenceRow(images, f"Q{quality}", Jpeg(quality), "psnr", psnr)
            yield ReferenceRow(images, f"Q{quality}", Jpeg(quality), "ssim_uniform", ssim)
    for metric, values in (("ssim_gaussian", _GAUSSIAN_SSIM), ("psnr_b", _PSNR_B)):
        for quality, value in values.items():
            yield ReferenceRow(LIVE1, f"Q{quality}", Jpeg(quality), metric, value)
    for quality, value in _FULL_RANGE.items():
        yield ReferenceRow(LIVE1, f"Q{quality}", Jpeg(quality), "psnr", value, LumaRange.FULL)
    for quality, value in COLOR_JPEG.items():
        yield ReferenceRow(LIVE1_RGB, f"4:2:0 Q{quality}", Jpeg(quality), "psnr", value)
    for pair, value in DOUBLE_JPEG.items():
        degradation = double(*pair, shift=(4, 4))
        yield ReferenceRow(LIVE1, f"{pair} shift (4, 4)", degradation, "psnr", value)
