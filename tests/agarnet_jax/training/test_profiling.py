import jax
import jax.numpy as jnp
import pytest

from agarnet_jax.training.profiling import CompilationCounter, Trace


def test_compilations_are_counted_once_each():
    counter = CompilationCounter()
    jax.block_until_ready([jnp.zeros(size) for size in (3, 5)])
    counter.pop_count()
    double = jax.jit(lambda x: 2 * x)
    for size in (3, 3, 5, 5, 3):
        double(jnp.zeros(size))
    assert counter.pop_count() == 2
    assert counter.pop_count() == 0
    counter.close()
    double(jnp.zeros(7))
    assert counter.pop_count() == 0


def test_steps_to_profile_must_make_sense(tmp_path):
    with pytest.raises(ValueError, match=r"\(20, 10\).*first <= last"):
        Trace(str(tmp_path), (20, 10))
