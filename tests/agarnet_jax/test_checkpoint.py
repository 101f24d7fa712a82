import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agarnet_jax.checkpoint import Checkpoints


def state(value):
    return {"ema_params": {"w": jnp.full((3,), value)}, "step": jnp.asarray(int(value))}


@pytest.fixture
def checkpoints(tmp_path):
    checkpoints = Checkpoints(tmp_path / "checkpoints", keep=2)
    yield checkpoints
    checkpoints.close()


def test_an_empty_folder_has_no_step(checkpoints):
    assert checkpoints.latest_step() is None
    assert checkpoints.best_step() is None


def test_keeps_the_latest_and_the_best(checkpoints):
    scores = {1: 0.5, 2: 0.9, 3: 0.7, 4: None, 5: 0.6, 6: None}
    for step, score in scores.items():
        checkpoints.save(step, state(step), config={"name": "x"}, score=score)
    checkpoints.close()
    assert checkpoints.latest_step() == 6
    assert checkpoints.best_step() == 2
    kept = sorted(int(p.name) for p in checkpoints.directory.iterdir() if p.name.isdigit())
    assert kept == [2, 5, 6]


def test_state_position_and_configuration_come_back(checkpoints):
    checkpoints.save(7, state(7.0), config={"train": {"steps": 9}})
    checkpoints.close()
    target = jax.tree.map(jnp.zeros_like, state(0))
    restored, position = checkpoints.restore(7, target)
    np.testing.assert_array_equal(restored["ema_params"]["w"], [7, 7, 7])
    assert position == 7
    assert checkpoints.config(7) == {"train": {"steps": 9}}
    np.testing.assert_array_equal(checkpoints.restore_ema_params(7)["w"], [7, 7, 7])
