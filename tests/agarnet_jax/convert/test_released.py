import jax
import numpy as np
import pytest

from agarnet_jax.convert import released


def convert_restorer(arrays):
    """Converts a restorer's arrays that have a problem, without an estimator."""
    return released.released_weights(restorer=arrays, estimator=None)


def test_constants_are_accepted_and_ignored(golden_restorer_arrays, released_arrays):
    constants = {
        "dct_input/weight": np.zeros((8, 8, 1, 64), np.float32),
        "Reconstruction/DCT_Domain2/idct/weight": np.zeros((8, 8, 1, 64), np.float32),
    }
    converted = released.released_weights(
        restorer=golden_restorer_arrays | constants, estimator=released_arrays(8, ("Estimation",))
    )
    assert sum(p.size for p in jax.tree.leaves(converted.restorer_params)) == 1_813_293 - 701_665


def test_all_problems_are_reported_at_once(golden_restorer_arrays):
    arrays = dict(golden_restorer_arrays)
    missing = "Generating_CNN/dense2/bias"
    misshapen = "Reconstruction/DCT_Domain2/conv_last/kernel"
    del arrays[missing]
    arrays["Adam/beta1_power"] = np.zeros(())
    arrays[misshapen] = np.zeros((3, 3, 32, 32))
    with pytest.raises(ValueError, match="3 problems") as error:
        convert_restorer(arrays)
    message = str(error.value)
    assert f"missing: {missing}" in message
    assert "unknown: Adam/beta1_power" in message
    assert f"shape: {misshapen} is (3, 3, 32, 32), expected (3, 3, 3, 32, 32)" in message


def test_transposed_dense_kernel_raises(golden_restorer_arrays):
    name = "Generating_CNN/dense2/kernel"
    arrays = dict(golden_restorer_arrays)
    arrays[name] = arrays[name].transpose(0, 1, 3, 2)
    with pytest.raises(ValueError, match=name):
        convert_restorer(arrays)


def test_empty_checkpoint_raises_with_the_missing_scopes():
    with pytest.raises(ValueError, match=r"missing: scope Estimation_block2 \(18 variables\)"):
        released.released_weights(restorer=None, estimator={})
    with pytest.raises(ValueError, match="missing: scope Reconstruction"):
        convert_restorer({})


def test_width_is_the_most_frequent_one(golden_restorer_arrays):
    """A single layer that is missing or of another width does not affect the others."""
    first = "Reconstruction/Pixel_Domain/Encoder_1x1/conv1/bias"
    arrays = dict(golden_restorer_arrays)
    del arrays[first]
    with pytest.raises(ValueError, match="1 problem:") as error:
        convert_restorer(arrays)
    assert f"missing: {first}" in str(error.value)
    arrays[first] = np.zeros(16, np.float32)
    with pytest.raises(ValueError, match="1 problem:") as error:
        convert_restorer(arrays)
    assert f"shape: {first} is (16,), expected (8,)" in str(error.value)


def test_problems_of_both_networks_and_earlier_ones_are_reported_together(golden_restorer_arrays):
    arrays = dict(golden_restorer_arrays)
    del arrays["Generating_CNN/dense2/bias"]
    with pytest.raises(ValueError, match="3 problems") as error:
        released.released_weights(restorer=arrays, estimator={}, problems=["earlier problem"])
    lines = str(error.value).splitlines()[1:]
    assert [line.strip() for line in lines] == [
        "earlier problem",
        "missing: Generating_CNN/dense2/bias",
        "missing: scope Estimation_block2 (18 variables)",
    ]
