"""The exported functions against the models, NumPy's padding and `Restorer`."""

import dataclasses

import jax
import numpy as np
import pytest

from agarnet_jax.export import blind
from agarnet_jax.export.formats import Part
from agarnet_jax.export.model import prepare
from agarnet_jax.models import AGARNet, CellPlacement, QualityEstimator, quality_map
from agarnet_jax.restoration import QualitySource, Restorer

# Relative: float32 sums in another order differ by tens of units in the last place.
ROUNDINGS = 1e-5


@pytest.mark.parametrize("side", [8, 24, 40, 64, 72, 128, 136])
def test_padding_to_cells_matches_numpy(side):
    image = np.random.default_rng(side).random((1, 8, side, 1), np.float32)
    padding = ((0, 0), (0, 0), (0, -side % 64), (0, 0))
    expected = np.pad(image, padding, mode="symmetric")
    np.testing.assert_array_equal(blind.pad_to_cells(image, axis=2), expected)


@pytest.mark.parametrize("cells", CellPlacement)
def test_estimator_matches_the_model(small_weights, batch, size, cells):
    if cells is CellPlacement.RELEASED and min(size) < 64:
        pytest.skip("the released graph has no such image")
    config = dataclasses.replace(small_weights.estimator_config, cells=cells)
    trained = dataclasses.replace(small_weights, estimator_config=config)
    image = batch(*size)
    actual = jax.jit(blind.functions(trained)[Part.ESTIMATOR].call)(image)
    model = QualityEstimator(config)
    expected = jax.jit(model.apply)({"params": trained.estimator_params}, image)
    np.testing.assert_allclose(actual["cells"], expected.cells, rtol=ROUNDINGS)
    np.testing.assert_allclose(actual["quality"], np.clip(expected.quality, 1, 100), rtol=ROUNDINGS)
    spread = quality_map(expected.cells, height=size[0], width=size[1], placement=cells)
    np.testing.assert_allclose(actual["quality_map"], np.clip(spread, 1, 100), rtol=ROUNDINGS)


def test_restorer_matches_the_model(small_weights, batch):
    image = batch(72, 104)
    params, model = small_weights.restorer_params, AGARNet(small_weights.restorer_config)
    everywhere = np.linspace(0, 110, image.size, dtype=np.float32).reshape(image.shape)
    for quality, given in (("image", everywhere[:, :1, :1]), ("map", everywhere)):
        function = blind.functions(small_weights, quality=quality)[Part.RESTORER]
        assert len(function.inputs) == 2
        actual = jax.jit(function.call)(image, given)["restored"]
        expected = jax.jit(model.apply)({"params": params}, image, quality=given).restored
        # Other convolutions of the same terms.
        np.testing.assert_allclose(actual, expected, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("source", [QualitySource.IMAGE, QualitySource.MAP])
def test_blind_part_matches_the_restorer(shipped, compressed, source):
    picture = compressed(72, 104, 20)
    functions = blind.functions(shipped, quality=blind.Quality[source.name])
    expected = Restorer(shipped, use_traces=False).restore(picture, quality=source)
    result = jax.jit(functions[Part.BLIND_UINT8].call)(picture[None, ..., None])
    assert result["restored"].dtype == np.uint8
    # Where a value is halfway between levels, either may be right.
    difference = expected.image.astype(int) - np.asarray(result["restored"])[0, ..., 0]
    assert np.abs(difference).max() <= 1
    assert (difference != 0).mean() < 1e-3
    assert np.abs(expected.image.astype(int) - picture).max() > 10
    mean = float(result["quality"][0])
    assert result["quality_map"].shape == (1, 72, 104, 1)
    if source is QualitySource.MAP:
        np.testing.assert_allclose(
            result["quality_map"][0, ..., 0], expected.quality_map, rtol=ROUNDINGS
        )
    else:
        np.testing.assert_allclose(mean, expected.quality_map[0, 0], rtol=ROUNDINGS)
    as_float = (picture / 255).astype(np.float32)[None, ..., None]
    exact = Restorer(shipped, use_traces=False).restore(as_float[0, ..., 0], quality=source).image
    actual = jax.jit(functions[Part.BLIND].call)(as_float)["restored"][0, ..., 0]
    np.testing.assert_allclose(actual, exact, atol=5e-6)


def test_outputs_are_clipped(small_weights, batch):
    """Without clipping, the small network leaves the range."""
    image = batch(64, 64)
    functions = blind.functions(small_weights)
    quality = np.full((2, 1, 1, 1), 50, np.float32)
    unclipped = np.asarray(jax.jit(functions[Part.RESTORER].call)(image, quality)["restored"])
    assert unclipped.min() < 0 or unclipped.max() > 1
    tame = np.asarray(jax.jit(functions[Part.BLIND].call)(image)["restored"])
    assert 0 <= tame.min() < tame.max() <= 1


@pytest.mark.slow
def test_float16_parameters_change_little(shipped, batch, psnr, gray_photo):
    image = batch(64, 104)
    clean = gray_photo[:64, :104] / 255
    full, half = (
        jax.jit(blind.functions(shipped, dtype=dtype)[Part.BLIND].call)(image)
        for dtype in ("float32", "float16")
    )
    assert not np.array_equal(full["restored"], half["restored"])
    np.testing.assert_allclose(half["restored"], full["restored"], atol=5e-3)
    scores = [psnr(clean, np.asarray(result["restored"][0, ..., 0])) for result in (full, half)]
    assert abs(scores[0] - scores[1]) < 0.01


def test_convolutions_are_native_on_every_backend(small_weights):
    """PACKED is a custom_vjp, STACKED and WINOGRAD have no 3D convolution."""
    model = prepare(small_weights)
    traced = str(jax.make_jaxpr(model.function.call)(*model.traced_inputs()))
    assert "custom_vjp" not in traced
    assert traced.count("lhs_spec=(0, 4, 1, 2, 3)") == 6


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"part": "blnd"}, "part is 'blnd'; nearest: blind"),
        ({"quality": "pixel"}, "quality is 'pixel'; choose one of: image, map."),
        ({"dtype": "float8"}, "dtype is 'float8'; nearest: float32, float16."),
        ({"size": (64, 100)}, "width is 100; use a multiple of 8, at least 8"),
        ({"size": (0, 64)}, "height is 0; use a multiple of 8"),
        ({"size": "64x64"}, r"size is '64x64'; give \(height, width\)"),
        ({"size": (64,)}, r"size is \(64,\); give"),
        ({"size": (64.0, 64.0)}, r"size is \(64\.0, 64\.0\); give"),
    ],
)
def test_invalid_options_are_reported_in_one_line(small_weights, options, words):
    with pytest.raises(ValueError, match=words) as raised:
        prepare(small_weights, **options)
    assert "\n" not in str(raised.value)


def test_released_cells_need_sides_of_at_least_64(small_weights):
    released = dataclasses.replace(
        small_weights,
        estimator_config=dataclasses.replace(
            small_weights.estimator_config, cells=CellPlacement.RELEASED
        ),
    )
    with pytest.raises(ValueError, match="height is 56; use a multiple of 8, at least 64"):
        prepare(released, size=(56, 64))
    prepare(released, part="restorer", size=(56, 64))


def test_repr_omits_parameters(small_weights):
    for function in blind.functions(small_weights).values():
        assert len(repr(function)) < 2000
        assert len(repr(function.call)) < 200
