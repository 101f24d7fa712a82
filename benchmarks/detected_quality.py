"""How often the quality of the last compression is detected, and the PSNR gain of using it.

    python -m benchmarks.detected_quality --images=FOLDER [--weights=tiny] [--count=100]
        [--restored=12]

Studio-range luma compressed as gray JPEG, and images compressed in colour (4:2:0), by Pillow, with
IJG's and other tables; passed as arrays, without a header. The first few gray images are restored
with the detected quality, with the network's estimate alone, and with the table's effective
quality; gains are in PSNR, dB.
"""

import time

import numpy as np
from absl import flags

from agarnet_jax.color import LumaRange
from agarnet_jax.restoration import Restorer
from agarnet_jax.restoration.splitting import split
from benchmarks.images import load_images, psnr
from benchmarks.restorers import load_restorer
from benchmarks.timing import print_table
from data_pipelines.degradations.jpeg import Jpeg
from data_pipelines.degradations.tables import TableFamily
from experiments import program

_IMAGES = flags.DEFINE_string("images", None, "Folder of clean images.", required=True)
_WEIGHTS = flags.DEFINE_string("weights", "tiny", "Shipped weights by name, or a weights file.")
_COUNT = flags.DEFINE_integer("count", 100, "Number of images to use.")
_RESTORED = flags.DEFINE_integer("restored", 12, "Number of these images to restore.")

QUALITIES = (5, 10, 20, 30, 40, 50, 60, 70, 80, 90, 95, 97, 100)
SETTINGS = (20, 40, 60, 75, 85, 92)
OTHERS = [family for family in TableFamily if family is not TableFamily.IJG]
JPEGS = [
    *(Jpeg(quality) for quality in QUALITIES),
    *(Jpeg(setting, family) for family in OTHERS for setting in SETTINGS),
]


def detect(images: list[np.ndarray], jpeg: Jpeg) -> tuple[tuple[str, str, str], float]:
    """Returns detection rate in %, mean and largest error, and CPU milliseconds per image."""
    planes = [split(jpeg.compress(image)).primary for image in images]
    start = time.process_time()
    found = [plane.detected_quality for plane in planes]
    milliseconds = 1000 * (time.process_time() - start) / len(images)
    errors = [abs(value - jpeg.effective_quality) for value in found if value is not None]
    rate = f"{100 * len(errors) / len(images):.0f}"
    if not errors:
        return (rate, "–", "–"), milliseconds
    return (rate, f"{np.mean(errors):.1f}", f"{max(errors):g}"), milliseconds


def gains(clean: list[np.ndarray], jpeg: Jpeg, restorer: Restorer, network: Restorer) -> list[str]:
    """Returns the mean PSNR of the JPEGs and the gains of three ways of restoring them, in dB.

    `restorer` detects the quality. `network` does not; it restores once with its own estimate and
    once with the table's effective quality.
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
        scores.append([psnr(result, image) for result in results])
    before, *after = np.mean(scores, axis=0)
    return [f"{before:.2f}", *(f"{value - before:+.2f}" for value in after)]


def main() -> None:
    restorer = load_restorer(_WEIGHTS.value)
    network = Restorer(restorer.weights, use_traces=False)
    gray = load_images(_IMAGES.value, _COUNT.value, luma_range=LumaRange.STUDIO)
    color = load_images(_IMAGES.value, _COUNT.value)

    def row(jpeg: Jpeg) -> list[str]:
        (in_gray, milliseconds), (in_color, _) = (detect(images, jpeg) for images in (gray, color))
        name = f"{jpeg.family.value} {jpeg.quality}"
        after = gains(gray[: _RESTORED.value], jpeg, restorer, network)
        return [
            name,
            f"{jpeg.effective_quality}",
            *in_gray,
            *in_color,
            f"{milliseconds:.1f}",
            *after,
        ]

    columns = [
        f"{kind}: {column}"
        for kind in ("gray", "colour")
        for column in ("detected, %", "mean error", "max error")
    ]
    print_table(
        f"{len(gray)} images of {_IMAGES.value}",
        ("table", "quality", *columns, "CPU, ms", "JPEG, dB", "detected", "network", "non-blind"),
        [row(jpeg) for jpeg in JPEGS],
    )


if __name__ == "__main__":
    program.start(main)
