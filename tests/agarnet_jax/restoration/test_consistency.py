import io

import numpy as np
import pytest
import scipy.fft
from PIL import Image, ImageDraw

from agarnet_jax.jpeg_tables import quality_table
from agarnet_jax.restoration import pixels
from agarnet_jax.restoration.consistency import project, project_image
from agarnet_jax.restoration.jpeg_header import JpegHeader

ENCODER_ERROR = 0.25  # levels, the margin for the encoder's integer arithmetic


@pytest.fixture
def pair(gray_photo, encode):
    """quality → a clean image, its decoded JPEG, its table; sides are no multiples of 8."""

    def pair(quality):
        clean = gray_photo[:61, :99]
        return (
            clean,
            np.asarray(Image.open(io.BytesIO(encode(clean, quality)))),
            quality_table(quality),
        )

    return pair


def coefficients(levels):
    height, width = (side - side % 8 for side in levels.shape)
    blocks = levels[:height, :width].reshape(height // 8, 8, width // 8, 8)
    return scipy.fft.dctn(blocks.astype(float), axes=(1, 3), norm="ortho").transpose(0, 2, 1, 3)


def violation(image, clean, table):
    """How far coefficients lie outside the quantization intervals of the clean image, in levels."""
    quantized = table * np.rint(coefficients(clean - 128.0) / table)
    distance = np.abs(coefficients(255.0 * image - 128) - quantized)
    return np.maximum(0, distance - table / 2 - ENCODER_ERROR)


@pytest.mark.parametrize("quality", [1, 10, 40, 75, 92, 100])
def test_the_original_satisfies_the_constraints_of_its_jpeg(pair, quality):
    clean, degraded, table = pair(quality)
    unit = (clean / 255).astype(np.float32)
    projected = project(unit, degraded=degraded, table=table)
    np.testing.assert_allclose(projected, unit, atol=2e-6)  # float32, there and back


def test_flat_blocks_satisfy_the_constraints_although_all_pixels_round_the_same_way(encode):
    for quality in (60, 80, 91, 95, 98):
        clean = np.arange(40, 216, dtype=np.uint8).repeat(8)[None].repeat(8, axis=0)
        degraded = np.asarray(Image.open(io.BytesIO(encode(clean, quality))))
        unit = (clean / 255).astype(np.float32)
        projected = project(unit, degraded=degraded, table=quality_table(quality))
        np.testing.assert_allclose(projected, unit, atol=2e-6)


@pytest.mark.parametrize("quality", [5, 10, 20])  # steps above 8, so intervals are exact
def test_coefficients_outside_their_interval_move_to_its_nearest_end(pair, quality):
    clean, degraded, table = pair(quality)
    noise = np.random.default_rng(0).normal(0, 0.1, clean.shape)
    wrong = (clean / 255 + noise).astype(np.float32)
    projected = project(wrong, degraded=degraded, table=table)
    clipped = ((degraded == 0) | (degraded == 255))[:56, :96]
    inside = ~clipped.reshape(7, 8, 12, 8).any(axis=(1, 3))
    assert inside.any()
    assert violation(wrong, clean, table)[inside].max() > 1
    # float32 coefficients up to 2040, and ties in the encoder's rounding
    assert np.quantile(violation(projected, clean, table)[inside], 0.999) < 1e-3
    error = (np.square(image - clean / 255).sum() for image in (projected, wrong))
    assert next(error) < next(error)
    again = project(projected, degraded=degraded, table=table)
    np.testing.assert_allclose(again, projected, atol=2e-6)
    np.testing.assert_array_equal(projected[56:], wrong[56:])
    np.testing.assert_array_equal(projected[:, 96:], wrong[:, 96:])


def test_blocks_with_clipped_pixels_are_left_unchanged():
    degraded = np.full((8, 16), 128, np.uint8)
    degraded[3, 3] = 255
    wrong = np.random.default_rng(0).random((8, 16), dtype=np.float32)
    projected = project(wrong, degraded=degraded, table=np.ones((8, 8)))
    np.testing.assert_array_equal(projected[:, :8], wrong[:, :8])
    assert np.abs(projected[:, 8:] - 128 / 255).max() < np.abs(wrong[:, 8:] - 128 / 255).max() / 2


def test_images_smaller_than_a_block_are_left_unchanged(gray_photo):
    small = (gray_photo[:5, :7] / 255).astype(np.float32)
    projected = project(small, degraded=gray_photo[:5, :7], table=np.ones((8, 8)))
    np.testing.assert_array_equal(projected, small)


@pytest.mark.parametrize(
    ("degraded", "table", "message"),
    [
        (np.zeros((8, 16), np.uint8), np.ones((8, 8)), "of the decoded plane's shape"),
        (np.zeros((8, 8), np.int32), np.ones((8, 8)), "uint8 or float, got int32"),
        (np.zeros((8, 8), np.uint8), np.ones(64), r"\(8, 8\), got shape \(64,\)"),
    ],
)
def test_invalid_arguments_raise(degraded, table, message):
    with pytest.raises(ValueError, match=message):
        project(np.zeros((8, 8), np.float32), degraded=degraded, table=table)


def opened(contents, mode="YCbCr"):
    picture = Image.open(io.BytesIO(contents))
    picture.draft(mode, None)
    picture.load()
    return picture, JpegHeader.of(picture)


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
@pytest.mark.parametrize("quality", [10, 50, 90])
def test_the_decoded_image_is_a_fixed_point(astronaut, encode, quality, subsampling):
    image = np.clip(astronaut[:93, 120:251], 60, 190)  # the decoder clips nothing
    picture, header = opened(encode(image, quality, subsampling=subsampling))
    rgb = np.asarray(picture.convert("RGB"))
    consistent = project_image(rgb, decoded=picture, header=header)
    assert isinstance(consistent, Image.Image)
    # With fine chroma tables, rounding to RGB may leave the narrow intervals.
    assert np.abs(np.asarray(consistent).astype(int) - rgb).max() <= 2


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:0"])
def test_projecting_each_plane_reduces_the_error(astronaut, encode, subsampling):
    clean = astronaut[:96, 120:248]
    picture, header = opened(encode(clean, 50, subsampling=subsampling))
    noise = np.random.default_rng(0).normal(0, 20, clean.shape)
    wrong = np.clip(np.asarray(picture.convert("RGB")) + noise, 0, 255).astype(np.uint8)
    luma_only = project_image(wrong, decoded=picture, header=header, chroma=False)
    both = project_image(wrong, decoded=picture, header=header)
    errors = [
        np.square(np.asarray(image).astype(float) - clean).mean()
        for image in (wrong, luma_only, both)
    ]
    assert errors[0] > errors[1] > errors[2]
    before, after = (
        np.asarray(Image.fromarray(np.asarray(image)).convert("YCbCr")).astype(int)
        for image in (wrong, luma_only)
    )
    inside = ((np.asarray(luma_only) > 0) & (np.asarray(luma_only) < 255)).all(axis=2)
    assert np.abs(after - before)[inside][:, 1:].max() <= 2  # rounding


def test_a_consistent_image_is_returned_unrounded(gray_photo, encode):
    picture, header = opened(encode(gray_photo[:61, :99], 30), "L")
    restored = np.asarray(picture).astype(np.uint16) * 257 + 13
    consistent = project_image(restored, decoded=picture, header=header, bits=16)
    assert isinstance(consistent, np.ndarray)
    np.testing.assert_array_equal(consistent, restored)
    assert project_image(restored, decoded=picture, header=header).mode == "L"


def test_projection_in_strips_equals_that_of_the_whole_plane(gray_photo, encode, monkeypatch):
    contents = encode(np.tile(gray_photo, (3, 1)), 15)
    picture, header = opened(contents, "L")
    degraded = np.asarray(picture)
    wrong = np.random.default_rng(0).random(degraded.shape, np.float32)
    expected = project(wrong, degraded=degraded, table=header.tables[0])
    monkeypatch.setattr(pixels, "_STRIP_PIXELS", 20 * degraded.shape[1])
    np.testing.assert_array_equal(
        project(wrong, degraded=degraded, table=header.tables[0]), expected
    )
    levels = np.rint(65535 * wrong).astype(np.uint16)
    consistent = project_image(levels, decoded=picture, header=header, bits=16)
    # Not clipped by `project`, and rounded twice to 16 bits.
    np.testing.assert_allclose(consistent / 65535, np.clip(expected, 0, 1), atol=2e-5)


def test_intervals_of_upsampled_planes_are_wider():
    """An error of 0.575 levels: too large for rounding, but not for inverting the upsampling."""
    truth = np.full((8, 8), (128 + 2 * 9 / 8) / 255, np.float32)
    degraded = truth + np.float32(0.575 / 255)
    table = np.full((8, 8), 9)
    moved = project(truth, degraded=degraded, table=table)
    assert np.abs(moved - truth).max() > 0.5 / 255
    kept = project(truth, degraded=degraded, table=table, upsampled=True)
    np.testing.assert_allclose(kept, truth, atol=1e-6)


def discs_of_pure_colours():
    picture = Image.new("RGB", (128, 128), (120, 110, 100))
    colours = [(255, 0, 0), (0, 0, 255), (0, 255, 0), (255, 255, 0), (0, 0, 0)]
    for index, colour in enumerate(colours):
        left, top = 5 + 37 * (index % 3), 9 + 53 * (index // 3)
        ImageDraw.Draw(picture).ellipse((left, top, left + 30, top + 30), fill=colour)
    return np.asarray(picture)


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
@pytest.mark.parametrize("quality", [30, 75, 90])
def test_the_original_satisfies_the_constraints_where_rgb_is_clipped(
    astronaut, encode, quality, subsampling
):
    strong = np.clip(1.3 * (astronaut[300:428, 250:378] - 128.0) + 128, 0, 255).astype(np.uint8)
    for clean in (discs_of_pure_colours(), strong):
        picture, header = opened(encode(clean, quality, subsampling=subsampling), "RGB")
        rgb = np.asarray(picture)
        assert ((rgb == 0) | (rgb == 255)).any(axis=2).mean() > 0.1
        consistent = project_image(clean, decoded=rgb, header=header, bits=16)
        assert np.abs(consistent / 257 - clean).max() < 0.5
        wrong = np.random.default_rng(0).integers(0, 256, clean.shape, np.uint8)
        moved = project_image(wrong, decoded=rgb, header=header) != wrong
        assert moved.mean() > 0.03  # elsewhere


def test_images_of_different_sizes_raise(gray_photo, encode):
    picture, header = opened(encode(gray_photo, 15), "L")
    with pytest.raises(ValueError, match=r"size \(128, 160\), got \(8, 9\)"):
        project_image(np.zeros((8, 9), np.uint8), decoded=picture, header=header)
