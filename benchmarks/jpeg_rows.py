"""Compares the scores of the JPEG itself with published tables: are our inputs those of the papers?

    python -m benchmarks.jpeg_rows --data_dir=DIR      (or AGARNET_DATA=DIR)

DIR holds test/LIVE1_gray, test/LIVE1_color, test/Classic5 and test/AGARNet_jpeg10_*, the authors'
own inputs, which ours must match bit for bit. Every row with a published value is compared with it;
the program fails if one differs by more than one unit in the last decimal. Protocol: Pillow's
encoder, gray unless stated, scores over all pixels in float32 on levels 0–255, averaged over
images.
"""

import functools
import os
import pathlib
from collections.abc import Iterator, Sequence

import jax
import numpy as np
from absl import app, flags

from agarnet_jax.color import LumaRange
from agarnet_jax.metrics import Rounding, as_batch
from benchmarks.timing import print_table
from data_pipelines.degradations.degraded import Degradation
from data_pipelines.degradations.jpeg import Jpeg
from data_pipelines.degradations.recompression import double
from data_pipelines.sources.opening import open_images
from experiments import program
from experiments.evaluating import published, scoring
from experiments.evaluating.published import ReferenceRow

_DATA_DIR = flags.DEFINE_string(
    "data_dir", os.environ.get("AGARNET_DATA"), "Folder of the test sets; AGARNET_DATA by default."
)

Measured = tuple[str, float, ReferenceRow | None]  # label, measured value, published row

# Aligned double JPEG, table 3 of the paper, which names groups of qualities but not the pairs.
# These pairs do not reproduce it, so the rows are for orientation only.
GROUPS = {"low": (10, 20, 30), "mid": (30, 40, 50), "high": (50, 60, 70), "ultra": (70, 80, 90)}
FOLDERS = {
    published.LIVE1: ("LIVE1_gray", LumaRange.STUDIO),
    published.CLASSIC5: ("Classic5", LumaRange.STUDIO),
    published.LIVE1_RGB: ("LIVE1_color", None),
}


@functools.partial(jax.jit, static_argnames="metric")
def score(image: jax.Array, clean: jax.Array, *, metric: str) -> jax.Array:
    """Computes one field of `Scores`; the compiler eliminates the others, which take longer."""
    return scoring.all_metrics(image, clean, rounding=Rounding.ROUND)[metric]


def mean(images: Sequence[np.ndarray], degradation: Degradation, metric: str) -> float:
    """Returns the mean of a field of `Scores` over the degraded images."""
    scores = []
    for degraded in map(degradation.apply, images):
        pair = map(as_batch, (degraded.image, degraded.clean))
        scores.append(score(*pair, metric=metric).item())
    return float(np.mean(scores))


def rows(data: pathlib.Path) -> Iterator[Measured]:
    images = {
        name: list(open_images(data / folder, luma_range=luma_range))
        for name, (folder, luma_range) in FOLDERS.items()
    }
    for row in published.reference_rows():
        if row.luma_range is LumaRange.STUDIO:
            measured = mean(images[row.images], row.degradation, row.metric)
            yield f"{row.images} {row.label} {row.metric}", measured, row
    for groups, (value, _) in published.TABLE3.items():
        pairs = [(a, b) for a in GROUPS[groups[0]] for b in GROUPS[groups[1]]]
        scores = [mean(images[published.LIVE1], double(*pair), "psnr") for pair in pairs]
        name = f"LIVE1 {'-'.join(groups)} aligned PSNR (paper, other pairs: {value})"
        yield name, float(np.mean(scores)), None


def differing_inputs(data: pathlib.Path) -> list[str]:
    """Lists the authors' own Q10 inputs that match none of ours bit for bit."""
    differing = []
    for theirs, ours in (("LIVE1", "LIVE1_gray"), ("classic5", "Classic5")):
        expected = open_images(data / f"AGARNet_jpeg10_{theirs}")
        clean = open_images(data / ours, luma_range=LumaRange.STUDIO)
        compressed = [Jpeg(10).compress(image).tobytes() for image in clean]
        # Classic5 files are numbered here but named there, so compare them as sets.
        differing += [
            expected.records.name(i)
            for i, image in enumerate(expected)
            if image.tobytes() not in compressed
        ]
        print(f"{theirs}: {len(expected)} inputs of the authors, {len(compressed)} of ours")
    return differing


def main() -> None:
    if not _DATA_DIR.value:
        raise app.UsageError("Set the folder of the test sets: --data_dir=DIR or AGARNET_DATA.")
    data = pathlib.Path(_DATA_DIR.value) / "test"
    table, off = [], []
    for name, measured, known in rows(data):
        decimals = known.decimals if known else scoring.DECIMALS["psnr"]
        shown = f"{known.value}" if known else "-"
        table.append((name, f"{measured:.{decimals + 1}f}", shown))
        if known and not known.matches(measured):
            off.append(name)
    print_table("JPEG rows", ("", "measured", "published"), table)
    differing = differing_inputs(data)
    print(f"Inputs that differ from the authors': {', '.join(differing) or 'none'}")
    print(f"Rows off by more than one in the last decimal: {', '.join(off) or 'none'}")
    if off or differing:
        raise SystemExit(1)


if __name__ == "__main__":
    program.start(main)
