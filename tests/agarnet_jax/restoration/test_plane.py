import dataclasses
import io

import numpy as np
import pytest
from PIL import Image

from agarnet_jax.jpeg_tables import effective_quality, quality_table
from agarnet_jax.restoration.jpeg_header import JpegHeader
from agarnet_jax.restoration.splitting import split
from agarnet_jax.restoration.traces.subsampling import Subsampling


def test_only_images_without_a_header_have_uncompressed_blocks(astronaut, page, encode):
    graphics = np.stack([page(160)[:128, :256]] * 3, axis=-1)
    photo = np.asarray(Image.open(io.BytesIO(encode(astronaut[:128, 128:384], 75))))
    pasted = np.concatenate([photo, graphics])
    found = split(pasted).primary.uncompressed_blocks
    assert not found[:14].any()  # flat blocks of the photograph next to graphics count as graphics
    assert found[16:].mean() > 0.95
    for image in (photo, graphics):
        assert split(image).primary.uncompressed_blocks is None
    red = graphics | np.uint8([255, 0, 0])
    assert split(np.concatenate([photo, red])).primary.uncompressed_blocks[16:].mean() > 0.95
    saved = Image.open(io.BytesIO(encode(pasted, 100, subsampling=0)))
    assert split(np.asarray(saved)).primary.uncompressed_blocks is not None
    assert split(saved).primary.uncompressed_blocks is None


def test_the_table_of_deep_images_is_detected_too(astronaut, encode):
    """Although their luma, computed from RGB in 8 bits, is not rounded to whole levels."""
    rgb = np.asarray(Image.open(io.BytesIO(encode(astronaut, 98))))
    for image in (rgb, 257 * rgb.astype(np.uint16), rgb / 255):
        np.testing.assert_array_equal(split(image).primary.detected_table, quality_table(98))


def test_samples_that_depend_on_a_clipped_pixel_are_unreliable():
    """Inverting the upsampling of 4:2:0 spreads errors to neighbouring samples."""
    image = np.full((16, 24, 3), 100, np.uint8)
    image[5, 9, 0] = 255
    luma, *chroma = split(image, subsampling=Subsampling.S420).planes
    for plane, region in ((luma, np.s_[5, 9]), *((plane, np.s_[1:4, 3:6]) for plane in chroma)):
        expected = np.zeros(plane.shape, bool)
        expected[region] = True
        found = plane.unreliable_samples(slice(0, plane.shape[0]))
        np.testing.assert_array_equal(found, expected)


def test_the_table_of_the_header_is_a_candidate(astronaut, encode):
    picture = Image.open(io.BytesIO(encode(astronaut, -1, qtables=[[9] * 64] * 2)))
    np.testing.assert_array_equal(split(picture).primary.detected_table, np.full((8, 8), 9))
    assert split(np.asarray(picture)).primary.detected_table is None


def test_a_table_has_a_quality_only_if_that_is_also_detected(astronaut, encode):
    picture = Image.open(io.BytesIO(encode(astronaut[:256, :256], 80)))
    right = split(picture).primary
    assert right.has_table_of(80)
    assert not right.has_table_of(50)
    wrong = dataclasses.replace(right, table=quality_table(90))
    assert not wrong.has_table_of(90)
    assert not wrong.has_table_of(80)
    assert not split(np.asarray(picture)).primary.has_table_of(80)  # no header, no table


@pytest.mark.parametrize("quality", [50, 75, 90])
def test_the_detected_quality_does_not_exceed_the_headers(astronaut, encode, quality):
    """And equals it if none is detected."""
    ramp = np.linspace(0, 255, 256).round().astype(np.uint8)
    for pixels in (np.tile(ramp, (256, 1)), astronaut, astronaut[64:88, 128:152]):
        file = Image.open(io.BytesIO(encode(pixels, quality)))
        header_quality = effective_quality(JpegHeader.of(file).tables[0])
        assert header_quality == quality
        plane = split(file).primary
        assert plane.detected_quality == header_quality
        if pixels.shape != astronaut.shape:  # pixels alone do not suffice
            assert split(np.asarray(file)).primary.detected_quality != header_quality


def test_of_tables_that_share_a_step_the_headers_is_the_limit(encode):
    """Only the first horizontal frequency is in use, whose step of 11 qualities 48–52 share."""
    wave = np.cos((np.arange(8) + 0.5) * np.pi / 8) / 32**0.5
    amplitudes = 11 * np.arange(1, 17).repeat(2).reshape(2, 16, 1, 1)
    pixels = (amplitudes * wave + 128).repeat(8, axis=2).swapaxes(1, 2).reshape(16, 128)
    file = Image.open(io.BytesIO(encode(np.uint8(np.rint(pixels)), 48)))
    assert split(np.asarray(file)).primary.detected_quality == 50
    assert split(file).primary.detected_quality == 48
