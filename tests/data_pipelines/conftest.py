import errno
import io
import os
import pathlib

import numpy as np
import pytest
from PIL import Image


def file(image: Image.Image, kind: str, **options) -> bytes:
    """The bytes of an image file of a kind that Pillow names."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.fixture
def unlisted(monkeypatch):
    """Makes the system refuse to list a folder, as it does for others than root."""
    listing = os.scandir

    def unlisted(folder):
        def scandir(place):
            if os.fspath(place) == os.fspath(folder):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), os.fspath(folder))
            return listing(place)

        monkeypatch.setattr(os, "scandir", scandir)

    return unlisted


@pytest.fixture
def homeless(monkeypatch):
    """Lets the system know no home of the user, as of a user ID that a container made up."""

    def home():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(pathlib.Path, "home", home)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)


@pytest.fixture
def bad_files(astronaut) -> dict[str, bytes]:
    """Files that look like images by name, and cannot be used."""

    picture = Image.fromarray(astronaut[:64, :64])
    frames = [picture, picture.rotate(90)]
    return {
        "truncated.jpg": file(picture, "JPEG")[:-300],
        "truncated.png": file(picture, "PNG")[:-300],
        "empty.png": b"",
        "text.jpg": b"not an image",
        "animated.gif": file(frames[0], "GIF", save_all=True, append_images=frames[1:]),
        "narrow.png": file(Image.fromarray(astronaut[:64, :1]), "PNG"),
    }


@pytest.fixture
def odd_files(astronaut) -> dict[str, bytes]:
    """Unusual image files that can be used, 64 pixels high."""

    picture = Image.fromarray(astronaut[:64, :96])
    levels = np.arange(64 * 96, dtype=np.uint16).reshape(64, 96) * 10
    return {
        "cmyk.jpg": file(picture.convert("CMYK"), "JPEG"),
        "deep.png": file(Image.fromarray(levels), "PNG"),
        "still.gif": file(picture, "GIF"),
        "two_views.jpg": file(picture, "MPO", save_all=True, append_images=[picture]),
        "wide.png": file(Image.fromarray(np.resize(astronaut[:64], (64, 20_000, 3))), "PNG"),
    }
