"""A fake restorer, so that tests of files need no network; files and metadata."""

import dataclasses
import io
import struct

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageDraw

from agarnet_jax.restoration import Restored
from agarnet_jax.restoration.merging import merge


class FakeRestorer:
    """Makes every sample brighter by one level, alpha included, and assumes quality 42."""

    def __init__(self):
        self.calls = []

    def restore(self, image, **arguments):
        self.calls.append((image, arguments))
        pixels = np.asarray(image.convert("RGB") if _coded(image) else image)
        deep = pixels.dtype == np.uint16
        brighter = np.minimum(pixels, 65534 if deep else 254) + 1
        if arguments["bits"] == 16 and not deep:
            brighter = brighter.astype(np.uint16) * 257
        result = brighter.astype(np.uint16 if deep or arguments["bits"] == 16 else np.uint8)
        if isinstance(image, Image.Image) and (result.dtype == np.uint8 or result.ndim == 2):
            mode = "CMYK" if image.mode == "CMYK" else None
            result = (
                Image.frombytes(mode, image.size, result.tobytes())
                if mode
                else (Image.fromarray(result))
            )
        return Restored(result, np.full(pixels.shape[:2], 42, np.float32))


def _coded(image):
    return isinstance(image, Image.Image) and image.mode == "YCbCr"


@pytest.fixture
def fake_restorer():
    return FakeRestorer()


@dataclasses.dataclass(frozen=True)
class Extras:
    """Metadata that cameras and programs write."""

    exif: bytes
    icc_profile: bytes
    xmp: bytes


@pytest.fixture(scope="session")
def extras():
    """Orientation 6, a maker note with an offset of its own, GPS, profile and XMP."""
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010F] = "Maker"
    exif.get_ifd(0x8769).update({0xA002: 48, 0xA003: 32, 0x927C: b"NOTE\0\0\x10\0secret"})
    exif.get_ifd(0x8825).update({1: "N", 2: (48.0, 8.0, 3.0)})
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/" tiff:Orientation="6">caf\xc3\xa9</x:xmpmeta>'
    return Extras(exif.tobytes().removeprefix(b"Exif\0\0"), profile, xmp)


@pytest.fixture(scope="session")
def photo_bytes(astronaut, extras):
    """A JPEG file of 48×32 pixels with all kinds of metadata."""
    buffer = io.BytesIO()
    Image.fromarray(astronaut[:32, 200:248]).save(
        buffer,
        "JPEG",
        quality=30,
        exif=b"Exif\0\0" + extras.exif,
        icc_profile=extras.icc_profile,
        xmp=extras.xmp,
        comment="by café",
        dpi=(300, 150),
    )
    return buffer.getvalue()


@pytest.fixture(scope="session")
def without_marker():
    """Removes the segments of a marker from a JPEG file."""

    def without_marker(contents, marker):
        result, position = bytearray(contents[:2]), 2
        while contents[position + 1] != 0xDA:
            (length,) = struct.unpack_from(">H", contents, position + 2)
            if contents[position + 1] != marker:
                result += contents[position : position + 2 + length]
            position += 2 + length
        return bytes(result) + contents[position:]

    return without_marker


@pytest.fixture(scope="session")
def with_planes():
    """Merges components with their planes replaced by others; None keeps one."""

    def change(plane, values):
        return lambda first, last: (values[first:last] - plane[first:last, :])[None]

    def merged(components, planes, **options):
        changes = [
            ((plane,), change(plane, values))
            for plane, values in zip(components.planes, planes, strict=True)
            if values is not None
        ]
        return merge(components, changes, **options)

    return merged


@pytest.fixture(scope="session")
def page():
    """(height, ink, paper) → rows of letters, (height, 384) uint8."""

    def page(height=192, *, ink=0, paper=255):
        picture = Image.new("L", (384, height), paper)
        for top in range(4, height - 6, 13):
            text = "Pack my box with five dozen jugs. " * 2
            ImageDraw.Draw(picture).text((5, top), text, ink)
        return np.asarray(picture)

    return page
