"""Accuracy of a quantization table's effective quality as a measure of its loss on photographs.

    python -m benchmarks.table_quality --images=FOLDER [--count=12]

For tables of other encoders: the IJG quality that `jpeg_tables.effective_quality` predicts to lose
as much, and the measured IJG quality of equal squared error, mean ± standard deviation over images.
"""

import numpy as np
from absl import flags

from agarnet_jax.color import LumaRange
from benchmarks.images import load_images
from benchmarks.timing import print_table
from data_pipelines.degradations.effective import effective_quality_of
from data_pipelines.degradations.jpeg import Jpeg
from data_pipelines.degradations.tables import TableFamily
from experiments import program

_IMAGES = flags.DEFINE_string("images", None, "Folder of clean images.", required=True)
_COUNT = flags.DEFINE_integer("count", 12, "Number of images to use.")

SETTINGS = (5, 10, 30, 50, 75, 90)


def main() -> None:
    images = load_images(_IMAGES.value, _COUNT.value, luma_range=LumaRange.FULL)
    table, errors = [], []
    for family in TableFamily:
        for setting in SETTINGS if family is not TableFamily.IJG else ():
            jpeg = Jpeg(setting, family)
            found = [effective_quality_of(image, jpeg.compress(image)) for image in images]
            errors.append(abs(jpeg.effective_quality - np.mean(found)))
            measured = f"{np.mean(found):.1f} ± {np.std(found):.1f}"
            table.append((f"{family.value}, {setting}", f"{jpeg.effective_quality}", measured))
    print_table(
        f"{len(images)} images; mean error {np.mean(errors):.1f}, max {max(errors):.1f}",
        ("encoder, setting", "predicted", "measured (equal squared error)"),
        table,
    )


if __name__ == "__main__":
    program.start(main)
