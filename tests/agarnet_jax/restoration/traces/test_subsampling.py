import io

import numpy as np
import pytest
import skimage.data
from PIL import Image, ImageDraw, ImageFont

from agarnet_jax.restoration.splitting import split
from agarnet_jax.restoration.traces.subsampling import Subsampling


def found(image):
    luma, cb, _ = split(image).planes
    factors = tuple(-(-a // b) for a, b in zip(luma.shape, cb.shape))
    return next(s for s in Subsampling if s.factors == factors)


@pytest.mark.parametrize("picture", ["astronaut", "coffee", "chelsea"])
@pytest.mark.parametrize("quality", [10, 50, 90])
def test_it_is_found_from_decoded_pixels(picture, quality, encode):
    clean = getattr(skimage.data, picture)()[40:239, 60:301]
    for expected in (Subsampling.S444, Subsampling.S422, Subsampling.S420):
        file = encode(clean, quality, subsampling=expected.value)
        decoded = np.asarray(Image.open(io.BytesIO(file)))
        assert found(decoded) is expected, quality
        assert found(decoded.astype(np.uint16) * 257) is expected
        if expected is Subsampling.S422:
            assert found(decoded.swapaxes(0, 1)) is Subsampling.S440


def test_photographs_have_full_resolution(astronaut):
    assert found(astronaut) is Subsampling.S444


def test_without_evidence_chroma_is_subsampled(astronaut):
    gray = np.repeat(astronaut[..., :1], 3, axis=2)
    assert found(gray) is Subsampling.S420
    assert found(astronaut[:6, :5]) is Subsampling.S420


def test_clipped_pixels_are_no_evidence(astronaut, encode):
    """Hard black and white beside strong colors, where decoders clip most."""
    clean = astronaut[:256, :256].copy()
    clean[::16] = 255
    clean[8::16] = 0
    file = encode(clean, 50, subsampling="4:2:0")
    assert found(np.asarray(Image.open(io.BytesIO(file)))) is Subsampling.S420


@pytest.mark.parametrize("size", [(509, 507), (511, 512), (300, 511)])
def test_it_is_found_in_pictures_of_several_patches(astronaut, encode, size):
    """Patches begin at even places, as samples do, whatever the sides are."""
    clean = astronaut[: size[0], : size[1]]
    for expected in (Subsampling.S444, Subsampling.S422, Subsampling.S420):
        file = encode(np.ascontiguousarray(clean), 75, subsampling=expected.value)
        assert found(np.asarray(Image.open(io.BytesIO(file)))) is expected


def test_opaque_alpha_is_no_clipping(astronaut, encode):
    for picture in (astronaut, np.asarray(Image.open(io.BytesIO(encode(astronaut, 50))))):
        opaque = np.dstack([picture, np.full(picture.shape[:2], 255, np.uint8)])
        assert found(opaque) is found(picture)
    assert found(np.dstack([astronaut, opaque[..., 3]])) is Subsampling.S444


@pytest.mark.parametrize(("ground", "ink"), [("black", "lime"), ("white", "red")])
def test_pure_colors_are_blurred_only_where_subsampling_blurred_them(ground, ink, encode):
    page = Image.new("RGB", (200, 150), ground)
    for top in range(8, 140, 17):
        ImageDraw.Draw(page).text((8, top), "The quick brown fox", ink, ImageFont.load_default(14))
    page = np.asarray(page)
    assert found(page) is Subsampling.S444  # all that changes is at an end of its range
    decoded = np.asarray(Image.open(io.BytesIO(encode(page, 90, subsampling="4:2:0"))))
    assert found(decoded) is Subsampling.S420
