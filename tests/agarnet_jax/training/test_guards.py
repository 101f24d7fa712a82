import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from agarnet_jax.training.guards import SKIPPED, NonFiniteGuard, apply_if_finite
from agarnet_jax.training.state import TrainState

BATCH = {"clean": np.ones((2, 8, 8, 1), np.uint8), "metadata": np.array(["what", "håppened"])}


def states():
    optimizer = optax.adam(1e-3)
    old = TrainState.create({"w": jnp.zeros(3)}, optimizer)
    new = jax.tree.map(lambda x: x + 1, old)
    return old, new


@pytest.mark.parametrize(
    ("loss", "norm", "skipped"),
    [(1.0, 1.0, 0), (np.nan, 1.0, 1), (1.0, np.inf, 1), (-np.inf, np.nan, 1)],
)
def test_a_non_finite_update_advances_only_the_step_counts(loss, norm, skipped):
    old, new = states()
    metrics = {"loss": jnp.float32(loss), "gradient_norm": jnp.float32(norm)}
    state, reported = jax.jit(apply_if_finite)(old, new, metrics)
    count = optax.tree_utils.tree_get(state.opt_state, "count")
    assert count == 1  # the schedule follows the step
    expected = old if skipped else new
    expected = expected.replace(
        step=new.step, opt_state=optax.tree_utils.tree_set(expected.opt_state, count=count)
    )
    jax.tree.map(np.testing.assert_array_equal, state, expected)
    assert reported[SKIPPED] == skipped
    assert reported.keys() == {*metrics, SKIPPED}


def dispatch_steps(guard, flags):
    for step, flag in enumerate(flags):
        guard.after_dispatch(step, BATCH | {"number": np.array(step)}, {SKIPPED: jnp.float32(flag)})
    guard.wait()


def test_skipped_updates_are_counted_since_the_last_call(tmp_path):
    guard = NonFiniteGuard(str(tmp_path), limit=3)
    dispatch_steps(guard, [1, 0, 1, 1, 0, 1])
    assert guard.pop_skipped() == 4
    assert guard.pop_skipped() == 0
    assert not list(tmp_path.iterdir())


def test_too_many_consecutive_skips_stop_the_run_and_save_the_batch(tmp_path):
    guard = NonFiniteGuard(str(tmp_path), limit=3)
    with pytest.raises(FloatingPointError, match=r"3 consecutive steps, .* from step 4 to 5;"):
        dispatch_steps(guard, [1, 0, 1, 1, 1, 0])
    saved = np.load(tmp_path / "offending_batch.npz")
    assert saved["number"] == 4
    assert saved.files == [*BATCH, "number"]
    for name, value in BATCH.items():
        assert saved[name].dtype == value.dtype
        np.testing.assert_array_equal(saved[name], value)
