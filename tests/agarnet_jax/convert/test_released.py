import numpy as np
import pytest

from agarnet_jax.convert import released


def test_constants_are_accepted_and_ignored(golden_restorer_arrays):
    constants = {
        "dct_input/weight": np.zeros((8, 8, 1, 64), np.float32),
        "Reconstruction/DCT_Domain2/idct/weight": np.zeros((8, 8, 1, 64), np.float32),
    }
    params = released.restorer_params(golden_restorer_arrays | constants)
    assert sum(p.size for p in _leaves(params)) == 1_813_293 - 701_665


def test_every_problem_is_named_at_once(golden_restorer_arrays):
    arrays = dict(golden_restorer_arrays)
    missing = "Generating_CNN/dense2/bias"
    misshapen = "Reconstruction/DCT_Domain2/conv_last/kernel"
    del arrays[missing]
    arrays["Adam/beta1_power"] = np.zeros(())
    arrays[misshapen] = np.zeros((3, 3, 32, 32))
    with pytest.raises(ValueError, match="3 problems") as error:
        released.restorer_params(arrays)
    message = str(error.value)
    assert f"missing: {missing}" in message
    assert "unknown: Adam/beta1_power" in message
    assert f"shape: {misshapen} is (3, 3, 32, 32), expected (3, 3, 3, 32, 32)" in message


def test_transposed_dense_kernel_is_not_taken_for_another_layout(golden_restorer_arrays):
    name = "Generating_CNN/dense2/kernel"
    arrays = dict(golden_restorer_arrays)
    arrays[name] = arrays[name].transpose(0, 1, 3, 2)
    with pytest.raises(ValueError, match=name):
        released.restorer_params(arrays)


def test_an_empty_checkpoint_is_an_error_naming_what_is_missing():
    with pytest.raises(ValueError, match=r"missing: scope Estimation_block2 \(18 variables\)"):
        released.estimator_params({})
    with pytest.raises(ValueError, match="missing: scope Reconstruction"):
        released.restorer_params({})


def test_the_width_is_that_of_most_layers(golden_restorer_arrays):
    """One layer that is missing or of another width does not make the others wrong."""
    first = "Reconstruction/Pixel_Domain/Encoder_1x1/conv1/bias"
    arrays = dict(golden_restorer_arrays)
    del arrays[first]
    with pytest.raises(ValueError, match="1 problem:") as error:
        released.restorer_params(arrays)
    assert f"missing: {first}" in str(error.value)
    arrays[first] = np.zeros(16, np.float32)
    with pytest.raises(ValueError, match="1 problem:") as error:
        released.restorer_params(arrays)
    assert f"shape: {first} is (16,), expected (8,)" in str(error.value)


def test_both_networks_and_what_was_wrong_before_are_told_together(golden_restorer_arrays):
    arrays = dict(golden_restorer_arrays)
    del arrays["Generating_CNN/dense2/bias"]
    with pytest.raises(ValueError, match="3 problems") as error:
        released.released_weights(restorer=arrays, estimator={}, problems=["no luck"])
    lines = str(error.value).splitlines()[1:]
    assert [line.strip() for line in lines] == [
        "no luck",
        "missing: Generating_CNN/dense2/bias",
        "missing: scope Estimation_block2 (18 variables)",
    ]


def _leaves(tree):
    for value in tree.values():
        if isinstance(value, dict):
            yield from _leaves(value)
        else:
            yield value
