"""Single JPEG compression on the 8×8 grid at the image's origin."""

import io

import numpy as np
from PIL import Image


def compress(image: np.ndarray, *, quality: int) -> np.ndarray:
    """Encodes gray (H, W) uint8 at quality 1–100 with libjpeg and decodes it again."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=quality)
    with Image.open(buffer, formats=("JPEG",)) as decoded:
        return np.asarray(decoded)
