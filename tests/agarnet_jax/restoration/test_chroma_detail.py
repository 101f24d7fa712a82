import io
import itertools

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from agarnet_jax.restoration import chroma_detail, pixels
from agarnet_jax.restoration.jpeg_header import JpegHeader
from agarnet_jax.restoration.merging import merge
from agarnet_jax.restoration.splitting import split
from agarnet_jax.restoration.traces.subsampling import Subsampling
from agarnet_jax.restoration.upsampling import Upsampling, block_means

FULL = chroma_detail.Detail(fraction=1, quality=50)
SUBSAMPLINGS = [(2, 2), (1, 2), (2, 1), (1, 4)]


def rows_of(values):
    return lambda first, last: values[..., first:last, :]


def detail_of(chroma, luma, factors, rows=None, settings=FULL):
    upsampling = Upsampling(luma.shape, factors)
    rows = rows or slice(0, luma.shape[0])
    return chroma_detail.detail_from_luma(
        rows_of(chroma), rows_of(luma), upsampling, rows, settings=settings
    )


def upsampled(values, size, factors):
    return Upsampling(size, factors).apply(rows_of(values), slice(0, size[0]))


def fit_each_window(luma, chroma, regularizer):
    """Least squares in each 5×5 window, with 25 more points that pull the slope towards 0.

    Returns slope, offset and mean squared residual.
    """
    found = np.empty((3, *chroma.shape))
    padded_luma, padded = (np.pad(values, 2, mode="edge") for values in (luma, chroma))
    for y, x in itertools.product(*map(range, luma.shape)):
        of_luma = padded_luma[y : y + 5, x : x + 5].ravel()
        of_chroma = padded[y : y + 5, x : x + 5].ravel()
        deviations = np.concatenate([of_luma - of_luma.mean(), [regularizer / 255] * 25])
        target = np.concatenate([of_chroma - of_chroma.mean(), [0.0] * 25])
        (slope,), (squares,), *_ = np.linalg.lstsq(deviations[:, None], target, rcond=None)
        found[:, y, x] = slope, of_chroma.mean() - slope * of_luma.mean(), squares / 25
    return found


def test_detail_equals_ridge_regression_in_windows():
    luma, other = np.random.default_rng(0).uniform(size=(2, 32, 40))
    chroma = 0.3 * luma + 0.02 * other
    coarse, coarse_luma = block_means(chroma, (2, 2)), block_means(luma, (2, 2))
    lines = fit_each_window(coarse_luma, coarse, 1.5)
    detail_slopes = fit_each_window(coarse_luma, coarse, 12)[0]
    weights = 1 / (lines[2] + (4 / 255) ** 2) ** 2
    slopes, offsets, residual, weighted_slopes, weights = (
        np.pad(np.lib.stride_tricks.sliding_window_view(values, (5, 5)).mean(axis=(2, 3)), 2)
        for values in (*lines, weights * detail_slopes, weights)
    )
    detail_slopes = weighted_slopes / np.maximum(weights, 1e-9)  # 0 in the padding
    wiener = (1.5 / 255) ** 2 / ((1.5 / 255) ** 2 + residual)
    corrections = wiener * (slopes * coarse_luma + offsets - coarse)
    coarse_luma, corrections, detail_slopes = (
        upsampled(values, luma.shape, (2, 2))
        for values in (coarse_luma, corrections, detail_slopes)
    )
    expected = corrections + detail_slopes * (luma - coarse_luma)
    found = detail_of(coarse[None], luma, (2, 2))
    inside = np.s_[12:-12, 12:-12]
    np.testing.assert_allclose(found[0][inside], expected[inside], atol=1e-6)
    assert np.abs(corrections[inside]).max() > 0.002
    assert np.abs(expected[inside]).max() > 0.05


@pytest.mark.parametrize("factors", SUBSAMPLINGS)
def test_chroma_of_a_two_colour_image_is_recovered(gray_photo, factors):
    luma = gray_photo[:61, :99].astype(np.float32) / 255
    chroma = np.stack([0.6 - 0.3 * luma, 0.2 + 0.4 * luma])
    coarse = np.stack([block_means(plane, factors) for plane in chroma])
    plain = upsampled(coarse, luma.shape, factors)
    errors = [
        np.square(image - chroma).mean()
        for image in (plain, plain + detail_of(coarse, luma, factors))
    ]
    assert errors[1] < 0.2 * errors[0]


def test_an_outline_of_a_third_colour_gets_hardly_any_of_the_other_two():
    """A button on gray, with a dark outline: its luma is outside of the mixtures of the others."""
    luma, chroma = np.full((48, 64), 0.9), np.full((48, 64), 0.5)
    for inset, (of_luma, of_chroma) in ((9, (0.3, 0.5)), (10, (0.6, 0.8))):
        inside = np.s_[inset:-inset, inset:-inset]
        luma[inside], chroma[inside] = of_luma, of_chroma
    coarse = block_means(chroma, (2, 2))[None]
    plain = upsampled(coarse, luma.shape, (2, 2))
    detail = detail_of(coarse, luma, (2, 2))
    errors = [np.square(image - chroma).mean() for image in (plain, plain + detail)]
    assert errors[1] < 1.15 * errors[0]


def test_noise_is_reduced_towards_the_line(gray_photo):
    luma = gray_photo[:64, :96].astype(np.float32) / 255
    chroma = 0.6 - 0.3 * block_means(luma, (2, 2))[None]
    noisy = chroma + np.random.default_rng(0).normal(0, 2 / 255, chroma.shape).astype(np.float32)
    errors = [
        np.square(upsampled(image, luma.shape, (2, 2)) + added - (0.6 - 0.3 * luma)).mean()
        for image, added in ((noisy, 0), (noisy, detail_of(noisy, luma, (2, 2))))
    ]
    assert errors[1] < 0.5 * errors[0]


def test_flat_chroma_gets_no_detail(gray_photo):
    luma = gray_photo[:32, :32].astype(np.float32) / 255
    even = np.full((1, 16, 16), 0.3, np.float32)
    assert np.abs(detail_of(even, luma, (2, 2))).max() < 1e-5


@pytest.mark.parametrize("strip", [1, 3, 7, 40])
def test_strips_of_any_height_give_the_same_image(astronaut, monkeypatch, strip):
    image = astronaut[:45, :52]
    components = split(image, subsampling=Subsampling.S420)
    random = np.random.default_rng(0)
    values = [
        0.05 * random.normal(size=plane.shape).astype(np.float32) for plane in components.planes
    ]
    changes = [
        (components.planes[:1], rows_of(values[0][None])),
        (components.planes[1:], rows_of(np.stack(values[1:]))),
    ]
    whole = merge(components, changes, detail=FULL)
    monkeypatch.setattr(pixels, "_STRIP_PIXELS", strip * image.shape[1])
    np.testing.assert_array_equal(merge(components, changes, detail=FULL), whole)
    assert (whole != merge(components, changes)).any()


@pytest.mark.parametrize("subsampling", ["4:2:0", "4:4:4"])
def test_detail_is_that_of_restored_luma_and_chroma(astronaut, encode, subsampling):
    """With a header, all of it, even where pixels are not upsampled; none at full resolution."""
    image = astronaut[:45, :52] // 2 + 60
    file = Image.open(io.BytesIO(encode(image, 90, subsampling=subsampling)))
    components = split(image, header=JpegHeader.of(file))
    random = np.random.default_rng(0)
    shapes = [(1, *components.planes[0].shape), (2, *components.planes[1].shape)]
    changes = [
        (planes, rows_of(0.05 * random.normal(size=shape).astype(np.float32)))
        for planes, shape in zip((components.planes[:1], components.planes[1:]), shapes)
    ]
    luma, chroma = (
        np.stack([plane[:, :] for plane in planes]) + change(0, 64) for planes, change in changes
    )
    with_detail, without = (
        merge(components, changes, bits=16, detail=detail) / 65535 for detail in (FULL, None)
    )
    expected = detail_of(chroma, luma[0], (2, 2)) if subsampling == "4:2:0" else 0 * chroma
    cb, cr = expected
    of_green = -0.114 * 1.772 * cb - 0.299 * 1.402 * cr
    to_rgb = np.stack([1.402 * cr, of_green / 0.587, 1.772 * cb], axis=-1)
    np.testing.assert_allclose(with_detail - without, to_rgb, atol=2e-5)


def test_unrestored_luma_guides_chroma_too(astronaut):
    components = split(astronaut[:45, :52], subsampling=Subsampling.S420)
    none = [np.zeros((1, *plane.shape), np.float32) for plane in components.planes]
    chroma = [([plane], rows_of(zeros)) for plane, zeros in zip(components.planes[1:], none[1:])]
    with_luma = [([components.planes[0]], rows_of(none[0])), *chroma]
    np.testing.assert_array_equal(
        merge(components, chroma, detail=FULL), merge(components, with_luma, detail=FULL)
    )
    unchanged = merge(components, with_luma[:1], detail=FULL)
    np.testing.assert_array_equal(unchanged, astronaut[:45, :52])


def test_higher_chroma_quality_changes_less(gray_photo):
    luma = gray_photo[:64, :96].astype(np.float32) / 255
    chroma = np.random.default_rng(0).uniform(0.4, 0.6, (1, 32, 48)).astype(np.float32)
    added = [
        np.abs(detail_of(chroma, luma, (2, 2), settings=chroma_detail.Detail(1, quality))).mean()
        for quality in (50, 80, 90, 95, 98, 100)
    ]
    assert added[0] == added[1]
    assert (np.diff(added[1:]) < 0).all()
    half = detail_of(chroma, luma, (2, 2), settings=chroma_detail.Detail(0.5, 50))
    np.testing.assert_allclose(half, detail_of(chroma, luma, (2, 2)) / 2, atol=1e-7)


def test_trust_depends_on_the_largest_residual_in_a_square():
    residual = np.random.default_rng(0).uniform(0, 0.06, (31, 40))
    largest = ndimage.maximum_filter(residual, 2 * chroma_detail.TRUST_REACH + 1)
    inside = np.s_[2:-2, 2:-2]
    found = chroma_detail.trust(residual)
    np.testing.assert_allclose(found, 1 / (1 + (255 / 6 * largest[inside]) ** 4))
    assert found.min() < 0.1


def test_a_photo_pasted_in_after_decoding_gets_no_halo(astronaut, encode):
    photo = np.asarray(Image.open(io.BytesIO(encode(astronaut[40:120, 180:260], 90))))
    page = np.zeros((128, 128, 3), np.uint8)
    page[25:105, 25:105] = photo
    outside = np.ones(page.shape[:2], bool)
    outside[25:105, 25:105] = False

    def merged(image):
        components = split(image, subsampling=Subsampling.S420)
        none = np.zeros((2, *components.planes[1].shape), np.float32)
        return components, merge(components, [(components.planes[1:], rows_of(none))], detail=FULL)

    components, result = merged(page)
    assert result[outside].max() <= 6  # 17 without `trust`
    opaque = np.dstack([page, np.full(page.shape[:2], 255, np.uint8)])
    np.testing.assert_array_equal(merged(opaque)[1][..., :3], result)
    components, result = merged(photo)
    assert np.abs(result.astype(int) - photo).max() > 10
    residual = [plane.upsampling_residual(slice(0, 80)) for plane in components.planes[1:]]
    assert np.quantile(residual, 0.99) < 2 / 255  # rounding to RGB
