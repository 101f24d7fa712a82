"""The JPEG itself, as published tables score it: are our inputs those of the papers?

    python -m benchmarks.jpeg_rows --data_dir=DIR      (or AGARNET_DATA=DIR)

DIR holds test/LIVE1_gray, test/LIVE1_color, test/Classic5 and test/AGARNet_jpeg10_*, the authors'
own inputs, which ours must equal bit for bit. Every row that has a published value is compared
with it; the program fails if one is off by more than 0.01 dB (0.001 of SSIM). Protocol: Pillow's
encoder, gray unless stated, mean over images of each image's score over all pixels, in float32 on
levels 0–255.
"""

import functools
import os
import pathlib
from collections.abc import Callable, Iterator, Sequence

import jax
import numpy as np
from absl import app, flags

from agarnet_jax import metrics
from agarnet_jax.color import LumaRange
from benchmarks.timing import print_table
from data_pipelines.degradations.degraded import Degradation
from data_pipelines.degradations.jpeg import Jpeg
from data_pipelines.degradations.recompression import double
from data_pipelines.sources.opening import open_images
from experiments import program

_DATA_DIR = flags.DEFINE_string(
    "data_dir", os.environ.get("AGARNET_DATA"), "Folder of the test sets; AGARNET_DATA by default."
)

Metric = Callable[..., jax.Array]
Row = tuple[str, float, float | None]  # what, measured, published

QUALITIES = (10, 20, 30, 40, 50, 60, 70, 80)
LIVE1 = (27.77, 30.07, 31.41, 32.35, 33.16, 33.98, 35.13, 36.87)
CLASSIC5 = (27.82, 30.12, 31.48, 32.43, 33.20, 33.96, 34.98, 36.44)
LIVE1_SSIM = (0.791, 0.868, 0.900, 0.917, 0.930, 0.940, 0.951, 0.964)
CLASSIC5_SSIM = (0.780, 0.854, 0.884, 0.901, 0.913, 0.923, 0.934, 0.948)
LIVE1_GAUSSIAN_SSIM = {10: 0.773, 20: 0.851, 40: 0.904}
LIVE1_PSNR_B = {10: 25.33, 20: 27.57, 40: 29.96}
LIVE1_COLOR = {10: 25.69, 40: 30.28}
LIVE1_DOUBLE = {
    (30, 10): 27.49,
    (50, 10): 27.65,
    (50, 30): 30.62,
    (10, 10): 26.48,
    (30, 30): 29.98,
    (50, 50): 31.58,
    (10, 30): 27.55,
    (10, 50): 27.69,
    (30, 50): 30.61,
}
# Aligned recompression, paper's table 3. It names groups of qualities, not the pairs; these do not
# reproduce it, so the rows are for orientation.
GROUPS = {"low": (10, 20, 30), "mid": (30, 40, 50), "high": (50, 60, 70), "ultra": (70, 80, 90)}
TABLE3 = {
    ("low", "high"): 29.70,
    ("low", "ultra"): 29.44,
    ("mid", "high"): 32.64,
    ("mid", "ultra"): 32.22,
    ("high", "mid"): 31.39,
    ("high", "high"): 33.57,
    ("high", "ultra"): 33.43,
    ("ultra", "mid"): 31.89,
    ("ultra", "high"): 33.33,
    ("ultra", "ultra"): 36.13,
}
PAPER_SSIM = functools.partial(metrics.ssim, window=metrics.SsimWindow.UNIFORM)
GAUSSIAN_SSIM = functools.partial(metrics.ssim, window=metrics.SsimWindow.GAUSSIAN)


def score(images: Sequence[np.ndarray], degradation: Degradation, metric: Metric) -> float:
    """The mean over images; their sizes differ."""
    compiled = jax.jit(metric)
    scores = []
    for image in images:
        degraded = degradation.apply(image)
        scores.append(compiled(*map(metrics.as_batch, (degraded.image, degraded.clean))).item())
    return float(np.mean(scores))


def rows(data: pathlib.Path) -> Iterator[Row]:
    live1 = list(open_images(data / "LIVE1_gray", luma_range=LumaRange.STUDIO))
    classic5 = list(open_images(data / "Classic5", luma_range=LumaRange.STUDIO))
    color = list(open_images(data / "LIVE1_color"))
    for name, images, psnr, ssim in (
        ("LIVE1", live1, LIVE1, LIVE1_SSIM),
        ("Classic5", classic5, CLASSIC5, CLASSIC5_SSIM),
    ):
        for quality, value, similarity in zip(QUALITIES, psnr, ssim):
            jpeg = Jpeg(quality)
            yield f"{name} Q{quality} PSNR", score(images, jpeg, metrics.psnr), value
            yield f"{name} Q{quality} SSIM uniform", score(images, jpeg, PAPER_SSIM), similarity
    for quality, value in LIVE1_GAUSSIAN_SSIM.items():
        measured = score(live1, Jpeg(quality), GAUSSIAN_SSIM)
        yield f"LIVE1 Q{quality} SSIM Gaussian", measured, value
    for quality, value in LIVE1_PSNR_B.items():
        yield f"LIVE1 Q{quality} PSNR-B", score(live1, Jpeg(quality), metrics.psnr_b), value
    for quality, value in LIVE1_COLOR.items():
        measured = score(color, Jpeg(quality), metrics.psnr)
        yield f"LIVE1 RGB 4:2:0 Q{quality} PSNR", measured, value
    for (first, second), value in LIVE1_DOUBLE.items():
        degradation = double(first, second, shift=(4, 4))
        name = f"LIVE1 ({first}, {second}) shift (4, 4) PSNR"
        yield name, score(live1, degradation, metrics.psnr), value
    for (first_group, second_group), value in TABLE3.items():
        pairs = [(a, b) for a in GROUPS[first_group] for b in GROUPS[second_group]]
        scores = [score(live1, double(*pair), metrics.psnr) for pair in pairs]
        name = f"LIVE1 {first_group}-{second_group} aligned PSNR (paper, other pairs: {value})"
        yield name, float(np.mean(scores)), None


def differing_inputs(data: pathlib.Path) -> list[str]:
    """The authors' own Q10 inputs that ours do not equal bit for bit."""
    differing = []
    for theirs, ours in (("LIVE1", "LIVE1_gray"), ("classic5", "Classic5")):
        expected = open_images(data / f"AGARNet_jpeg10_{theirs}")
        clean = open_images(data / ours, luma_range=LumaRange.STUDIO)
        compressed = [Jpeg(10).compress(image).tobytes() for image in clean]
        # Classic5 is numbered here and named there: compare as sets.
        differing += [
            expected.records.name(i)
            for i, image in enumerate(expected)
            if image.tobytes() not in compressed
        ]
        print(f"{theirs}: {len(expected)} inputs of the authors, {len(compressed)} of ours")
    return differing


def main() -> None:
    if not _DATA_DIR.value:
        raise app.UsageError("Name the folder of the test sets: --data_dir=DIR or AGARNET_DATA.")
    data = pathlib.Path(_DATA_DIR.value) / "test"
    table, off = [], []
    for name, measured, published in rows(data):
        decimals = 3 if "SSIM" in name else 2
        table.append((name, f"{measured:.{decimals + 1}f}", str(published or "-")))
        if published and abs(round(measured, decimals) - published) > 1.01 * 10**-decimals:
            off.append(name)
    print_table("JPEG rows", ("", "here", "published"), table)
    differing = differing_inputs(data)
    print(f"Inputs that differ from the authors': {', '.join(differing) or 'none'}")
    print(f"Rows off by more than 0.01 dB (0.001 of SSIM): {', '.join(off) or 'none'}")
    if off or differing:
        raise SystemExit(1)


if __name__ == "__main__":
    program.start(main)
