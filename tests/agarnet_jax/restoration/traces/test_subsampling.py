import io

import numpy as np
import pytest
import skimage.data
from PIL import Image, ImageDraw, ImageFont

from agarnet_jax.restoration.splitting import split
from agarnet_jax.restoration.traces.subsampling import Subsampling


def detected(image):
    luma, cb, _ = split(image).planes
    factors = tuple(-(-a // b) for a, b in zip(luma.shape, cb.shape))
    return Subsampling(factors)


@pytest.mark.parametrize("picture", ["astronaut", "coffee", "chelsea"])
@pytest.mark.parametrize("quality", [10, 50, 90])
def test_subsampling_is_detected_from_decoded_pixels(picture, quality, encode):
    clean = getattr(skimage.data, picture)()[40:239, 60:301]
    for expected in (Subsampling.S444, Subsampling.S422, Subsampling.S420):
        file = encode(clean, quality, subsampling=str(expected))
        decoded = np.asarray(Image.open(io.BytesIO(file)))
        assert detected(decoded) is expected, quality
        assert detected(decoded.astype(np.uint16) * 257) is expected
        if expected is Subsampling.S422:
            assert detected(decoded.swapaxes(0, 1)) is Subsampling.S440


def test_uncompressed_photographs_are_not_subsampled(astronaut):
    assert detected(astronaut) is Subsampling.S444


def test_without_evidence_chroma_counts_as_subsampled(astronaut):
    gray = np.repeat(astronaut[..., :1], 3, axis=2)
    assert detected(gray) is Subsampling.S420
    assert detected(astronaut[:6, :5]) is Subsampling.S420


def test_clipped_pixels_are_ignored(astronaut, encode):
    """Black and white next to saturated colours, where decoders clip most."""
    clean = astronaut[:256, :256].copy()
    clean[::16] = 255
    clean[8::16] = 0
    file = encode(clean, 50, subsampling="4:2:0")
    assert detected(np.asarray(Image.open(io.BytesIO(file)))) is Subsampling.S420


@pytest.mark.parametrize("size", [(509, 507), (511, 512), (300, 511)])
def test_subsampling_is_detected_in_images_of_several_patches(astronaut, encode, size):
    """Patches begin at even positions, as chroma samples do, whatever the image size."""
    clean = astronaut[: size[0], : size[1]]
    for expected in (Subsampling.S444, Subsampling.S422, Subsampling.S420):
        file = encode(np.ascontiguousarray(clean), 75, subsampling=str(expected))
        assert detected(np.asarray(Image.open(io.BytesIO(file)))) is expected


def test_little_colour_in_one_patch_of_a_gray_image_suffices(astronaut):
    gray = np.repeat(astronaut[..., :1], 3, axis=2)
    gray[400:432, 400:432] = astronaut[150:182, 300:332]
    assert detected(gray) is Subsampling.S444


def test_opaque_alpha_does_not_count_as_clipped(astronaut, encode):
    for picture in (astronaut, np.asarray(Image.open(io.BytesIO(encode(astronaut, 50))))):
        opaque = np.dstack([picture, np.full(picture.shape[:2], 255, np.uint8)])
        assert detected(opaque) is detected(picture)
    assert detected(np.dstack([astronaut, opaque[..., 3]])) is Subsampling.S444


@pytest.mark.parametrize(("ground", "ink"), [("black", "lime"), ("white", "red")])
def test_pure_colors_are_blurred_only_where_subsampling_blurred_them(ground, ink, encode):
    page = Image.new("RGB", (200, 150), ground)
    for top in range(8, 140, 17):
        ImageDraw.Draw(page).text((8, top), "The quick brown fox", ink, ImageFont.load_default(14))
    page = np.asarray(page)
    assert detected(page) is Subsampling.S444  # all colour changes are clipped
    decoded = np.asarray(Image.open(io.BytesIO(encode(page, 90, subsampling="4:2:0"))))
    assert detected(decoded) is Subsampling.S420
