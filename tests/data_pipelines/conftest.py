import errno
import os
import pathlib

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def deny_listing(monkeypatch):
    """Returns a function that makes a folder unlistable, as permissions do for non-root users."""
    original = os.scandir

    def deny_listing(folder):
        def scandir(path):
            if os.fspath(path) == os.fspath(folder):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), os.fspath(folder))
            return original(path)

        monkeypatch.setattr(os, "scandir", scandir)

    return deny_listing


@pytest.fixture
def no_home(monkeypatch):
    """Simulates a user without a home folder, such as an arbitrary user ID in a container."""

    def home():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(pathlib.Path, "home", home)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)


@pytest.fixture
def bad_files(astronaut, encoded) -> dict[str, bytes]:
    """Files with image names that cannot be used."""

    image = Image.fromarray(astronaut[:64, :64])
    frames = [image, image.rotate(90)]
    return {
        "truncated.jpg": encoded(image, "JPEG")[:-300],
        "truncated.png": encoded(image, "PNG")[:-300],
        "empty.png": b"",
        "text.jpg": b"not an image",
        "animated.gif": encoded(frames[0], "GIF", save_all=True, append_images=frames[1:]),
        "narrow.png": encoded(Image.fromarray(astronaut[:64, :1]), "PNG"),
    }


@pytest.fixture
def odd_files(astronaut, encoded) -> dict[str, bytes]:
    """Unusual image files that can be used, 64 pixels high."""

    image = Image.fromarray(astronaut[:64, :96])
    levels = np.arange(64 * 96, dtype=np.uint16).reshape(64, 96) * 10
    wide = Image.fromarray(np.resize(astronaut[:64], (64, 20_000, 3)))
    return {
        "cmyk.jpg": encoded(image.convert("CMYK"), "JPEG"),
        "deep.png": encoded(Image.fromarray(levels), "PNG"),
        "still.gif": encoded(image, "GIF"),
        "two_views.jpg": encoded(image, "MPO", save_all=True, append_images=[image]),
        "wide.png": encoded(wide, "PNG"),
    }
