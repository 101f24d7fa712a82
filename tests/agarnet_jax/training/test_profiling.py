import jax
import jax.numpy as jnp
import pytest

from agarnet_jax.training.profiling import CompilationCounter, StepProfiler


def test_each_compilation_is_counted_once():
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


def test_an_invalid_range_of_steps_is_rejected(tmp_path):
    with pytest.raises(ValueError, match=r"\(20, 10\).*first <= last"):
        StepProfiler(str(tmp_path), (20, 10))
