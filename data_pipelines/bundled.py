"""Writes scikit-image's bundled images (public domain or CC0) to folders, for demos and tests."""

import os
import pathlib

from PIL import Image

HELD_OUT = ("astronaut", "coffee")
TRAINING = ("camera", "chelsea", "brick", "grass", "gravel")


def write_images(folder: str | os.PathLike) -> None:
    """Writes PNG files to `folder/train` and `folder/valid`; needs scikit-image (extra `demo`)."""
    try:
        import skimage.data
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "The demo images need scikit-image: pip install 'agarnet-jax[demo]'."
        ) from error
    for split, names in (("train", TRAINING), ("valid", HELD_OUT)):
        target = pathlib.Path(folder) / split
        target.mkdir(parents=True, exist_ok=True)
        for name in names:
            Image.fromarray(getattr(skimage.data, name)()).save(target / f"{name}.png")
