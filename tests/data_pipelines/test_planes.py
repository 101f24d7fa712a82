import io

import numpy as np
import pytest
from PIL import Image

from agarnet_jax.color import LumaRange, luma
from data_pipelines.degradations.jpeg import Jpeg, Subsampling
from data_pipelines.degradations.recompression import Recompression, Reencoding, double
from data_pipelines.degradations.tables import Component
from data_pipelines.planes import PlaneWeights, TrainingPlane


@pytest.mark.parametrize("plane", [TrainingPlane.FULL, TrainingPlane.STUDIO])
def test_luma_is_compressed_as_a_gray_image(astronaut, plane):
    degraded = plane.degrade(astronaut, Jpeg(20))
    expected = np.rint(luma(astronaut, luma_range=LumaRange(plane.value))).astype(np.uint8)
    np.testing.assert_array_equal(degraded.clean, expected)
    np.testing.assert_array_equal(degraded.image, Jpeg(20).compress(expected))


def test_gray_images_are_converted_to_studio_range(gray_photo):
    clean = TrainingPlane.STUDIO.degrade(gray_photo, Jpeg(20)).clean
    expected = 16 + gray_photo * (219 / 255)
    assert np.abs(clean - expected).max() <= 0.5 + 1e-4
    np.testing.assert_array_equal(
        TrainingPlane.FULL.degrade(gray_photo, Jpeg(20)).clean, gray_photo
    )


def test_the_color_plane_is_the_luma_of_a_color_jpeg(astronaut):
    jpeg = Jpeg(20, subsampling=Subsampling.S420)
    degraded = TrainingPlane.COLOR.degrade(astronaut, jpeg)
    decoded = Image.fromarray(jpeg.compress(astronaut)).convert("L")
    assert np.abs(degraded.image.astype(int) - np.asarray(decoded)).max() <= 1
    gray = TrainingPlane.FULL.degrade(astronaut, jpeg)
    difference = np.abs(degraded.image.astype(int) - gray.image)
    assert 0 < difference.mean() < 1  # only from rounding and clipping in RGB
    np.testing.assert_array_equal(degraded.clean, gray.clean)


@pytest.mark.parametrize("subsampling", [Subsampling.S444, Subsampling.S420])
def test_the_label_of_a_color_jpeg_is_that_of_its_luma(astronaut, subsampling):
    jpeg = Jpeg(50, subsampling=subsampling)
    recompression = Recompression(jpeg, (Reencoding(jpeg, (4, 4)),))
    color_label = TrainingPlane.COLOR.degrade(astronaut, recompression).quality.item()
    luma_label = TrainingPlane.FULL.degrade(astronaut, recompression).quality.item()
    assert luma_label < 45
    assert abs(color_label - luma_label) <= 1


@pytest.mark.parametrize(("plane", "channel"), [(TrainingPlane.CB, 1), (TrainingPlane.CR, 2)])
def test_a_chroma_plane_is_the_one_that_a_420_file_stores(astronaut, plane, channel):
    assert plane.component is Component.CHROMA
    assert plane.input_side(64) == 128
    degraded = plane.degrade(astronaut, Jpeg(30, component=Component.CHROMA))
    stored = _stored_by_libjpeg(astronaut)[..., channel].astype(float)
    means = stored.reshape(256, 2, 256, 2).mean((1, 3))
    difference = degraded.clean - means
    assert np.abs(difference).max() <= 1.5  # both means and the file's coefficients are rounded
    assert abs(difference.mean() - 0.125) < 0.02  # halves round up, which adds 1/8 on average
    # Decoded from a colour file and averaged over 2×2, the plane is nearly the same.
    file = Image.fromarray(Jpeg(30).compress(astronaut)).convert("YCbCr")
    in_file = np.asarray(file)[..., channel].reshape(256, 2, 256, 2).mean((1, 3))
    assert np.abs(degraded.image - in_file).mean() < 1.0
    gray = plane.degrade(astronaut[..., 0], Jpeg(30, component=Component.CHROMA))
    assert (gray.clean == 128).all()


def _stored_by_libjpeg(image):
    """Returns libjpeg's Y, Cb and Cr of a file without subsampling and with all steps 1."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", qtables=[[1] * 64] * 2, subsampling="4:4:4")
    file = Image.open(buffer)
    file.draft("YCbCr", None)
    return np.asarray(file)


def test_every_plane_supports_recompression(astronaut):
    for plane in TrainingPlane:
        degraded = plane.degrade(astronaut[:136, :136], double(40, 60, shift=(2, 6)))
        assert degraded.image.shape == degraded.clean.shape
        assert degraded.image.ndim == 2


def test_only_color_and_chroma_planes_need_rgb():
    assert not PlaneWeights().need_rgb
    assert PlaneWeights(cb=0.1).need_rgb
