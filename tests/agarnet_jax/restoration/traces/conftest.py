import io

import numpy as np
import pytest
import skimage.data
from PIL import Image

from agarnet_jax.restoration.jpeg_header import JpegHeader


@pytest.fixture(scope="session")
def photo(astronaut):
    """Gray, (512, 512) uint8."""
    return np.asarray(Image.fromarray(astronaut).convert("L"))


@pytest.fixture
def decoded(encode):
    """(array, quality, options) → its decoded JPEG in gray, (H, W) in [0, 1]."""

    def decoded(image, quality=-1, **options):
        file = Image.open(io.BytesIO(encode(image, quality, **options)))
        return np.asarray(file.convert("L"), np.float32) / 255

    return decoded


@pytest.fixture(scope="session")
def photos():
    """Three, about 200 pixels a side, reduced so that no earlier compression is detectable."""
    pictures = (skimage.data.astronaut(), skimage.data.coffee(), skimage.data.chelsea())
    return [np.asarray(Image.fromarray(picture).reduce(2)) for picture in pictures]


@pytest.fixture(scope="session")
def opened(encode):
    """(colour image, quality) → luma, RGB and header of its JPEG."""

    def opened(image, quality):
        file = io.BytesIO(encode(np.ascontiguousarray(image), quality, subsampling="4:2:0"))
        picture = Image.open(file)
        picture.draft("YCbCr", None)
        luma = np.asarray(picture)[..., 0]
        return luma, np.asarray(Image.open(file)), JpegHeader.of(picture)

    return opened
