"""PSNR gain of consistency with the file, by quality, on JPEGs that were compressed once.

    python -m benchmarks.consistency --images=FOLDER [--weights=tiny] [--count=50]

Prints the mean PSNR in dB of images restored with the header's quality and tables, and the gain of
projecting the result onto the quantization intervals, for full-range luma (gray files) and for RGB
(4:2:0). Images are restored to 16 bits before the projection.
"""

from collections.abc import Iterator

import numpy as np
from absl import flags
from PIL import Image

from agarnet_jax.metrics import as_batch, psnr
from agarnet_jax.restoration import QualitySource, Restorer
from agarnet_jax.restoration.consistency import project_image
from agarnet_jax.restoration.jpeg_header import JpegHeader
from benchmarks.images import load_images, saved_jpeg
from benchmarks.restorers import load_restorer
from benchmarks.timing import print_table
from experiments import program

_IMAGES = flags.DEFINE_string("images", None, "Folder of clean images.", required=True)
_WEIGHTS = flags.DEFINE_string("weights", "tiny", "Shipped weights by name, or a weights file.")
_COUNT = flags.DEFINE_integer("count", 50, "Number of images to use.")

QUALITIES = (5, 10, 20, 30, 40, 50, 60, 70, 80, 90, 95)


def scores(restorer: Restorer, clean: np.ndarray, quality: int) -> tuple[float, float, float]:
    """Returns the PSNR in dB of the JPEG, of its restoration, and of the projected restoration."""
    jpeg = np.asarray(saved_jpeg(clean, quality))
    picture = saved_jpeg(clean, quality, ycbcr=clean.ndim == 3)
    picture.load()
    header = JpegHeader.of(picture)  # type: ignore[arg-type]
    restored = restorer.restore(picture, quality=QualitySource.HEADER, bits=16).image
    consistent = project_image(restored, decoded=picture, header=header, bits=16)
    target = as_batch(clean)
    scaled = ((image / 65535).astype(np.float32) for image in (restored, np.asarray(consistent)))
    images = (as_batch(jpeg), *(image.reshape(target.shape) for image in scaled))
    before, after, projected = (psnr(image, target).item() for image in images)
    return before, after, projected


def rows(restorer: Restorer, images: list[np.ndarray]) -> Iterator[list[str]]:
    gray = [np.asarray(Image.fromarray(image).convert("L")) for image in images]
    for quality in QUALITIES:
        cells = [str(quality)]
        for kind in (gray, images):
            found = np.array([scores(restorer, image, quality) for image in kind])
            jpeg, restored, consistent = found.mean(axis=0)
            minimum = (found[:, 2] - found[:, 1]).min()
            cells += [f"{jpeg:.2f}", f"{restored:.2f}", f"{consistent - restored:+.3f}"]
            cells.append(f"{minimum:+.3f}")
        yield cells


def main() -> None:
    restorer = load_restorer(_WEIGHTS.value)
    images = load_images(_IMAGES.value, _COUNT.value)
    header = [
        f"{kind} {column}"
        for kind in ("gray:", "RGB:")
        for column in ("JPEG", "restored", "gain", "minimum gain")
    ]
    title = f"{len(images)} images, weights {_WEIGHTS.value}"
    print_table(title, ("quality", *header), rows(restorer, images))


if __name__ == "__main__":
    program.start(main)
