"""Headers of files that Pillow wrote, edited by hand where Pillow cannot write them."""

import io

import numpy as np
import pytest
from PIL import Image

from agarnet_jax.jpeg_tables import ANNEX_K_CHROMINANCE, ANNEX_K_LUMINANCE, quality_table
from agarnet_jax.restoration.jpeg_header import Coding, JpegHeader


def header_of(contents):
    return JpegHeader.of(Image.open(io.BytesIO(contents)))


@pytest.fixture(scope="module")
def rgb(astronaut):
    return astronaut[:32, :48]


@pytest.mark.parametrize(
    ("subsampling", "luma"), [("4:4:4", (1, 1)), ("4:2:2", (2, 1)), ("4:2:0", (2, 2))]
)
def test_tables_and_sampling_of_each_component(encode, rgb, subsampling, luma):
    header = header_of(encode(rgb, 35, subsampling=subsampling))
    assert header.sampling == (luma, (1, 1), (1, 1))
    assert header.coding is Coding.YCBCR
    bases = (ANNEX_K_LUMINANCE, ANNEX_K_CHROMINANCE, ANNEX_K_CHROMINANCE)
    for table, base in zip(header.tables, bases, strict=True):
        np.testing.assert_array_equal(table, quality_table(35, base=base))


def test_progressive_and_gray_files_are_recognized(encode, rgb):
    assert not header_of(encode(rgb, 50)).progressive
    header = header_of(encode(rgb[..., 0], 50, progressive=True))
    assert header.progressive
    assert header.coding == "gray"
    assert len(header.tables) == len(header.sampling) == 1


def test_coding_is_determined_as_in_libjpeg(encoded, rgb, without_marker):
    picture = Image.fromarray(rgb)
    by_identifiers = encoded(picture, "JPEG", keep_rgb=True)
    assert header_of(by_identifiers).coding is Coding.RGB
    assert header_of(without_marker(by_identifiers, 0xEE)).coding is Coding.RGB
    assert header_of(without_marker(encoded(picture, "JPEG"), 0xE0)).coding is Coding.YCBCR
    jfif = encoded(picture, "JPEG")
    adobe_rgb = b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00\x00"
    assert header_of(jfif[:20] + adobe_rgb + jfif[20:]).coding is Coding.YCBCR  # JFIF decides
    assert header_of(jfif[:2] + adobe_rgb + jfif[20:]).coding is Coding.RGB
    cmyk = encoded(picture.convert("CMYK"), "JPEG")
    assert header_of(cmyk).coding is Coding.CMYK
    adobe = cmyk.index(b"Adobe")
    for transform in (1, 2, 3):  # libjpeg warns of values other than 0 and 2, and treats them as 2
        changed = cmyk[: adobe + 11] + bytes([transform]) + cmyk[adobe + 12 :]
        assert header_of(changed).coding is Coding.YCCK
    assert header_of(without_marker(cmyk, 0xEE)).coding is Coding.CMYK


def test_a_missing_table_is_refused_by_name(encode, rgb):
    contents = encode(rgb, 50)
    frame = contents.index(b"\xff\xc0")
    broken = contents[: frame + 12] + b"\3" + contents[frame + 13 :]
    with pytest.raises(ValueError, match="no quantization table 3, which component 1 refers to"):
        header_of(broken)


def test_a_step_of_zero_is_read_as_one(encode, rgb):
    contents = bytearray(encode(rgb[..., 0], 50))
    table = contents.index(b"\xff\xdb") + 5
    contents[table + 1] = 0  # libjpeg decodes it
    (steps,) = header_of(bytes(contents)).tables
    expected = quality_table(50)
    expected[0, 1] = 1
    np.testing.assert_array_equal(steps, expected)


def test_only_jpeg_files_opened_by_pillow_have_a_header(encode, rgb):
    picture = Image.open(io.BytesIO(encode(rgb, 35)))
    for other in (picture.convert("L"), encode(rgb, 35), "photo.jpg"):
        with pytest.raises(TypeError, match=rf"{type(other).__name__} has no JPEG header; .*open"):
            JpegHeader.of(other)
