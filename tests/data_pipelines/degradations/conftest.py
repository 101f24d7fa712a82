import io

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(scope="session")
def pillow_jpeg(encode):
    """Returns a function that encodes an image with Pillow and decodes it again."""

    def pillow_jpeg(image: np.ndarray, quality: int, **options) -> np.ndarray:
        return np.asarray(Image.open(io.BytesIO(encode(image, quality, **options))))

    return pillow_jpeg
