import io

import numpy as np
import pytest
from PIL import Image

from agarnet_jax.restoration.pixels import (
    ArrayPixels,
    PillowPixels,
    array_from_pillow,
    readable,
    strips,
    to_dtype,
)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((4, 4, 5), np.uint8), r"\(4, 4, 5\)"),
        (np.zeros((4,), np.uint8), r"\(4,\)"),
        (np.zeros((0, 4), np.uint8), "not empty"),
        (np.zeros((4, 4), np.int32), "int32"),
        (np.zeros((4, 4), bool), "bool"),
        (np.full((4, 4), np.nan), "finite"),
    ],
)
def test_invalid_image_arrays_are_refused_by_name(image, message):
    with pytest.raises(ValueError, match=message):
        ArrayPixels(image)


@pytest.mark.parametrize("dtype", [">u2", "<u2", ">f4"])
def test_arrays_of_either_byte_order_are_read(dtype):
    image = np.linspace(0, 1, 12).reshape(3, 4) * (1 if dtype == ">f4" else 65535)
    pixels = ArrayPixels(image.astype(dtype))
    assert pixels.dtype.isnative
    part = pixels.read(slice(1, 3), slice(0, 4))
    assert part.dtype == pixels.dtype
    np.testing.assert_array_equal(part[..., 0], image.astype(dtype)[1:])


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "YCbCr", "CMYK"])
def test_parts_of_a_picture_equal_its_pixels(mode, astronaut):
    picture = Image.fromarray(astronaut[:30, :40]).convert(mode)
    whole = np.asarray(picture)
    whole = whole if whole.ndim == 3 else whole[..., None]
    pixels = PillowPixels(picture)
    assert pixels.shape == whole.shape
    assert pixels.dtype == np.uint8
    np.testing.assert_array_equal(pixels.read(slice(3, 17), slice(5, 40)), whole[3:17, 5:40])


def test_parts_of_a_16_bit_gray_picture_equal_its_pixels():
    deep = np.arange(1200, dtype=np.uint16).reshape(30, 40) * 50
    pixels = PillowPixels(readable(Image.fromarray(deep)))
    assert pixels.dtype == np.uint16
    part = pixels.read(slice(3, 17), slice(5, 40))
    np.testing.assert_array_equal(part[..., 0], deep[3:17, 5:40])


@pytest.mark.parametrize(
    ("mode", "shape", "dtype"),
    [
        ("1", (3, 4), np.uint8),
        ("L", (3, 4), np.uint8),
        ("LA", (3, 4, 2), np.uint8),
        ("P", (3, 4, 3), np.uint8),
        ("PA", (3, 4, 4), np.uint8),
        ("RGB", (3, 4, 3), np.uint8),
        ("RGBA", (3, 4, 4), np.uint8),
        ("CMYK", (3, 4, 3), np.uint8),
        ("YCbCr", (3, 4, 3), np.uint8),
        ("I;16", (3, 4), np.uint16),
        ("I", (3, 4), np.uint16),
    ],
)
def test_pictures_of_every_mode_convert_to_arrays(mode, shape, dtype):
    picture = Image.new(mode, (4, 3))
    array = array_from_pillow(picture)
    assert array.shape == shape
    assert array.dtype == dtype
    ArrayPixels(array)
    PillowPixels(readable(picture))


@pytest.mark.parametrize("mode", ["1", "L", "RGB"])
def test_a_transparent_colour_becomes_alpha(mode):
    picture = Image.new(mode, (4, 3))
    picture.putpixel((1, 2), 1 if mode == "1" else 255 if mode == "L" else (255, 255, 255))
    key = (0, 0, 0) if mode == "RGB" else 0
    file = io.BytesIO()
    picture.save(file, "PNG", transparency=key)
    with Image.open(file) as read:
        array = array_from_pillow(read)
    expected = np.zeros((3, 4))
    expected[2, 1] = 255
    assert array.shape == (3, 4, 2 if mode != "RGB" else 4)
    np.testing.assert_array_equal(array[..., -1], expected)
    np.testing.assert_array_equal(array[..., 0], expected)


def test_floating_point_far_outside_of_the_unit_range_is_refused_with_a_remedy():
    ArrayPixels(np.array([[-0.2, 1.3]], np.float32))
    for values, remedy in (([[0.0, 255.0]], "by 255"), ([[-0.9, 1.0]], r"to \(x \+ 1\) / 2")):
        with pytest.raises(ValueError, match=rf"in \[0, 1\], got values from .*; .*{remedy}"):
            ArrayPixels(np.array(values, np.float32))


def test_unreadable_pictures_are_refused_by_name():
    with pytest.raises(ValueError, match="range"):
        readable(Image.new("F", (4, 3)))
    with pytest.raises(ValueError, match="0×3"):
        readable(Image.new("L", (0, 3)))


def test_strips_cover_every_row_once():
    for shape in ((1, 1), (3000, 700, 3), (5, 10**6)):
        rows = [row for strip in strips(shape) for row in range(strip.start, strip.stop)]
        assert rows == list(range(shape[0]))


def test_to_dtype_clips_and_rounds():
    values = np.array([-1, 0.4 / 255, 0.6 / 255, 2.0])
    assert to_dtype(values, np.dtype(np.uint8)).tolist() == [0, 0, 1, 255]
    assert to_dtype(values, np.dtype(np.uint16)).tolist() == [0, 103, 154, 65535]
    assert to_dtype(values, np.dtype(np.float64)).tolist() == [0, 0.4 / 255, 0.6 / 255, 1]


def test_gray_levels_beyond_16_bits_are_clipped():
    picture = Image.fromarray(np.array([[-5, 0, 65535, 70000]], np.int32))
    assert array_from_pillow(picture).tolist() == [[0, 0, 65535, 65535]]
