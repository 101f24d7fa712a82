"""scikit-image's bundled pictures (public domain or CC0) as a folder, for demos and tests."""

import os
import pathlib

from PIL import Image

HELD_OUT = ("astronaut", "coffee")
TRAINING = ("camera", "chelsea", "brick", "grass", "gravel")


def write_pictures(folder: str | os.PathLike) -> None:
    """Writes PNGs into `folder/train` and `folder/valid`; needs scikit-image (extra `demo`)."""
    try:
        import skimage.data
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "These pictures need scikit-image: pip install 'agarnet-jax[demo]'."
        ) from error
    for part, names in (("train", TRAINING), ("valid", HELD_OUT)):
        target = pathlib.Path(folder) / part
        target.mkdir(parents=True, exist_ok=True)
        for name in names:
            Image.fromarray(getattr(skimage.data, name)()).save(target / f"{name}.png")
