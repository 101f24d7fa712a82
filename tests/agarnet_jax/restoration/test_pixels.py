import numpy as np
import pytest
from PIL import Image

from agarnet_jax.restoration.pixels import LumaPlane, array_from_picture


@pytest.mark.parametrize("channels", [None, 1, 2, 3, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
def test_unchanged_luma_gives_the_image_back(channels, dtype):
    shape = (5, 7) if channels is None else (5, 7, channels)
    image = np.random.default_rng(0).random(shape)
    peak = np.iinfo(dtype).max if np.dtype(dtype).kind == "u" else 1
    image = (image * peak).astype(dtype)
    plane = LumaPlane.of(image)
    assert plane.luma.shape == (5, 7)
    again = plane.with_luma(plane.luma)
    assert again.shape == image.shape
    assert again.dtype == image.dtype
    # float32 color conversion: exact in 8 bits, a level of 65535 in 16
    tolerance = {np.dtype(np.uint8): 0, np.dtype(np.uint16): 1}.get(image.dtype, 1e-6)
    assert np.abs(again.astype(np.float64) - image).max() <= tolerance


def test_brighter_luma_brightens_all_channels_and_clips_at_the_peak():
    image = np.full((2, 2, 3), (250, 100, 50), np.uint8)
    plane = LumaPlane.of(image)
    brighter = plane.with_luma(plane.luma + np.float32(20 / 255))
    assert brighter[0, 0].tolist() == [255, 120, 70]


def test_alpha_is_kept():
    image = np.random.default_rng(0).integers(0, 256, (4, 4, 4), np.uint8)
    plane = LumaPlane.of(image)
    np.testing.assert_array_equal(plane.with_luma(plane.luma * 0)[..., 3], image[..., 3])


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
def test_arrays_that_are_no_images_are_named(image, message):
    with pytest.raises(ValueError, match=message):
        LumaPlane.of(image)


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
def test_pictures_of_every_mode_become_arrays(mode, shape, dtype):
    array = array_from_picture(Image.new(mode, (4, 3)))
    assert array.shape == shape
    assert array.dtype == dtype
    LumaPlane.of(array)
