import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agarnet_jax.training.profiling import CompilationCounter, Trace, Utilization


def test_compilations_are_counted_once_each():
    counter = CompilationCounter()
    jax.block_until_ready([jnp.zeros(size) for size in (3, 5)])
    counter.since_asked()
    double = jax.jit(lambda x: 2 * x)
    for size in (3, 3, 5, 5, 3):
        double(jnp.zeros(size))
    assert counter.since_asked() == 2
    assert counter.since_asked() == 0
    counter.close()
    double(jnp.zeros(7))
    assert counter.since_asked() == 0


def test_utilization_is_the_share_of_the_peak_that_matrix_products_need():
    product = jax.jit(lambda state, batch, rate: rate * (state @ batch["degraded"]))
    utilization = Utilization("TPU v4", 2)
    batch = {"degraded": np.ones((256, 64))}
    utilization.at(product, np.ones((128, 256), np.float32), batch, 1.0)
    flops = (2 * 256 + 1) * 128 * 64
    scalars = utilization.scalars(steps_per_second=10.0)
    assert scalars == {"model_flop_utilization": pytest.approx(flops * 10 / (2 * 275e12))}


def test_a_loop_over_microbatches_counts_for_all_of_them():
    """XLA counts what a loop repeats once."""

    def products(state, batch, rate):
        def add(total, part):
            return total + state @ part, None

        return rate * jax.lax.scan(add, jnp.zeros((128, 16)), batch["degraded"])[0]

    utilization = Utilization("TPU v4", 1, microbatches=4)
    state, batch = np.ones((128, 256), np.float32), {"degraded": np.ones((4, 256, 16), np.float32)}
    utilization.at(jax.jit(products), state, batch, 1.0)
    scalars = utilization.scalars(steps_per_second=1.0)
    assert scalars["model_flop_utilization"] == pytest.approx(2 * 256 * 128 * 64 / 275e12, rel=0.02)


def test_nothing_is_said_of_devices_whose_peak_is_not_known():
    utilization = Utilization("cpu", 2)
    utilization.at(None, None, {}, None)  # costs nothing, not even a look at the step
    assert utilization.scalars(10.0) == {}


def test_steps_to_profile_must_make_sense(tmp_path):
    with pytest.raises(ValueError, match=r"\(20, 10\).*first <= last"):
        Trace(str(tmp_path), (20, 10))
