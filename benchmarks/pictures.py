"""The pictures that a benchmark measures on."""

import numpy as np

from agarnet_jax.color import LumaRange
from data_pipelines.sources.opening import open_images
from experiments import program


def first_pictures(
    place: str, count: int, *, luma_range: LumaRange | None = None
) -> list[np.ndarray]:
    """The first pictures of a folder, or their luma in a range.

    A folder that cannot be used ends the program with one line.
    """
    with program.one_line_errors():
        source = open_images(place, luma_range=luma_range)
    return [source[i] for i in range(min(count, len(source)))]
