"""How often quantization steps show an image's quality, how exactly, and what that brings.

    python -m benchmarks.quantization_steps --images=FOLDER [--weights=tiny] [--count=100]
        [--restored=12]

Studio-range luma compressed as gray JPEG, and pictures compressed in colour (4:2:0), by Pillow,
with IJG's tables and with others, given as arrays, without a header. The first few gray ones are
restored: with steps read, by the network's estimate alone, and told the quality that the table
amounts to; gain in PSNR, dB.
"""

import time

import numpy as np
from absl import flags

from agarnet_jax import runtime
from agarnet_jax.color import LumaRange
from agarnet_jax.metrics import as_batch, psnr
from agarnet_jax.restoration import Restorer
from agarnet_jax.restoration.splitting import split
from agarnet_jax.restoration.traces import quantization_steps
from benchmarks.pictures import first_pictures
from benchmarks.timing import print_table
from data_pipelines.degradations.jpeg import Jpeg
from data_pipelines.degradations.tables import TableFamily
from experiments import program

_IMAGES = flags.DEFINE_string("images", None, "Folder of clean images.", required=True)
_WEIGHTS = flags.DEFINE_string("weights", "tiny", "Shipped weights by name, or a weights file.")
_COUNT = flags.DEFINE_integer("count", 100, "Images of the folder to use.")
_RESTORED = flags.DEFINE_integer("restored", 12, "Images of these to restore.")

QUALITIES = (5, 10, 20, 30, 40, 50, 60, 70, 80, 90, 95, 97, 100)
SETTINGS = (20, 40, 60, 75, 85, 92)
OTHERS = [family for family in TableFamily if family is not TableFamily.IJG]
JPEGS = [
    *(Jpeg(quality) for quality in QUALITIES),
    *(Jpeg(setting, family) for family in OTHERS for setting in SETTINGS),
]


def shown(images: list[np.ndarray], jpeg: Jpeg) -> tuple[tuple[str, str, str], float]:
    """Says how many show a quality, in %, and its mean and largest error; CPU milliseconds each."""
    planes = [split(jpeg.compress(image)).lead[:, :] for image in images]
    since = time.process_time()
    found = [quantization_steps.quality(plane) for plane in planes]
    spent = time.process_time() - since
    errors = [abs(value - jpeg.effective_quality) for value in found if value is not None]
    share = f"{100 * len(errors) / len(images):.0f}"
    if not errors:
        return (share, "–", "–"), 1000 * spent / len(images)
    return (share, f"{np.mean(errors):.1f}", f"{max(errors):g}"), 1000 * spent / len(images)


def gains(clean: list[np.ndarray], jpeg: Jpeg, restorer: Restorer, network: Restorer) -> list[str]:
    """Returns the mean PSNR of JPEGs, and what three ways of restoring them gain, in dB.

    They are restored with steps read, by `network`, which does not read them, and by it when told
    the quality.
    """
    scores = []
    for image in clean:
        compressed = jpeg.compress(image)
        results = (
            compressed,
            restorer.restore(compressed).image,
            network.restore(compressed).image,
            network.restore(compressed, quality=jpeg.effective_quality).image,
        )
        scores.append([psnr(as_batch(result), as_batch(image)).item() for result in results])
    before, *after = np.mean(scores, axis=0)
    return [f"{before:.2f}", *(f"{value - before:+.2f}" for value in after)]


def main() -> None:
    runtime.prepare()
    with program.one_line_errors():
        restorer = Restorer.from_pretrained(_WEIGHTS.value)
    network = Restorer(restorer.weights, read_steps=False)
    gray = first_pictures(_IMAGES.value, _COUNT.value, luma_range=LumaRange.STUDIO)
    color = first_pictures(_IMAGES.value, _COUNT.value)

    def row(jpeg: Jpeg) -> list[str]:
        (in_gray, spent), (in_color, _) = (shown(images, jpeg) for images in (gray, color))
        name = f"{jpeg.family.value} {jpeg.quality}"
        after = gains(gray[: _RESTORED.value], jpeg, restorer, network)
        return [name, f"{jpeg.effective_quality}", *in_gray, *in_color, f"{spent:.1f}", *after]

    columns = [
        f"{kind}: {column}"
        for kind in ("gray", "colour")
        for column in ("shown, %", "mean error", "at most")
    ]
    print_table(
        f"{len(gray)} images of {_IMAGES.value}",
        ("table", "quality", *columns, "CPU, ms", "JPEG, dB", "steps", "network", "told"),
        [row(jpeg) for jpeg in JPEGS],
    )


if __name__ == "__main__":
    program.start(main)
