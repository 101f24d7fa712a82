import io

import numpy as np
import pytest
from PIL import Image


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
