"""Scores weights on clean images compressed here: PSNR of the JPEG and of its restoration.

    python -m experiments.evaluate --images=FOLDER [--weights=tiny] [--qualities=10,20,40]

Protocol: gray (studio-range luma of colour images), Pillow's encoder, PSNR of each image over all
pixels of the rounded output, mean over images. Columns: the JPEG; restored with the true quality
given, with one estimated quality, with the pixel-wise estimated map; the estimate's mean ± standard
deviation over images.
"""

from collections.abc import Iterator

import numpy as np
from absl import flags

from agarnet_jax import runtime
from agarnet_jax.color import LumaRange
from agarnet_jax.metrics import as_batch, psnr
from agarnet_jax.restoration import QualitySource, Restorer
from data_pipelines.degradations.jpeg import Jpeg
from data_pipelines.sources.images import ImageSource
from data_pipelines.sources.opening import open_images
from experiments import program

_WEIGHTS = flags.DEFINE_string("weights", "tiny", "Shipped weights by name, or a weights file.")
_IMAGES = flags.DEFINE_string("images", None, "Folder of clean images.", required=True)
_QUALITIES = flags.DEFINE_list("qualities", ["10", "20", "40", "60", "80"], "JPEG qualities.")

HEADER = "|    Q |  JPEG | true Q |  gain | estimated |  gain |   map |  gain | estimate      |"
RULE = "|-----:|------:|-------:|------:|----------:|------:|------:|------:|:--------------|"


def score_image(restorer: Restorer, clean: np.ndarray, quality: int) -> np.ndarray:
    """PSNR of JPEG, restored with true, estimated and pixel-wise quality; then the estimate."""
    degraded = Jpeg(quality).compress(clean)
    sources = (float(quality), QualitySource.IMAGE, QualitySource.MAP)
    restored = [restorer.restore(degraded, quality=source) for source in sources]
    images = [degraded, *(r.image for r in restored)]
    scores = [psnr(as_batch(image), as_batch(clean)).item() for image in images]
    return np.array([*scores, restored[1].quality_map.mean()])


def table(restorer: Restorer, images: ImageSource, qualities: list[int]) -> Iterator[str]:
    """The lines of a Markdown table, each as soon as it is known."""
    yield HEADER
    yield RULE
    for quality in qualities:
        scores = np.stack([score_image(restorer, image, quality) for image in images])
        plain, true, estimated, by_map, estimate = scores.mean(axis=0)
        yield (
            f"| {quality:4d} | {plain:5.2f} |  {true:5.2f} | {true - plain:+5.2f} "
            f"|     {estimated:5.2f} | {estimated - plain:+5.2f} "
            f"| {by_map:5.2f} | {by_map - plain:+5.2f} "
            f"| {estimate:6.2f} ± {scores[:, 4].std():4.2f} |"
        )


def main() -> None:
    runtime.prepare()
    with program.one_line_errors():
        images = open_images(_IMAGES.value, luma_range=LumaRange.STUDIO, cache_gib=1)
        restorer = Restorer.from_pretrained(_WEIGHTS.value)
    print(f"{len(images)} images from {_IMAGES.value}, weights {_WEIGHTS.value}, PSNR in dB")
    for line in table(restorer, images, [int(q) for q in _QUALITIES.value]):
        print(line, flush=True)


if __name__ == "__main__":
    program.start(main)
