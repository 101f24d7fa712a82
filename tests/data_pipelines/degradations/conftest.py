import io

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(scope="session")
def pillow_jpeg(encode):
    """(image, quality, options) → what Pillow reads from the JPEG it wrote."""

    def pillow_jpeg(image: np.ndarray, quality: int, **options) -> np.ndarray:
        return np.asarray(Image.open(io.BytesIO(encode(image, quality, **options))))

    return pillow_jpeg
