import json
import resource
import shutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import NamedSharding, PartitionSpec

from agarnet_jax.checkpoint import CheckpointError, Checkpoints
from agarnet_jax.sharding import make_mesh


def state(value):
    return {"ema_params": {"w": jnp.full((3,), value)}, "step": jnp.asarray(int(value))}


@pytest.fixture
def checkpoints(tmp_path):
    checkpoints = Checkpoints(tmp_path / "checkpoints", keep=2)
    yield checkpoints
    checkpoints.close()


def test_an_empty_folder_has_no_steps(checkpoints):
    assert checkpoints.latest_step() is None
    assert checkpoints.best_step() is None


def test_the_latest_and_the_best_are_kept(checkpoints):
    scores = {1: 0.5, 2: 0.9, 3: 0.7, 4: None, 5: 0.6, 6: None}
    for step, score in scores.items():
        checkpoints.save(step, state(step), config={"name": "x"}, score=score)
    checkpoints.close()
    assert checkpoints.latest_step() == 6
    assert checkpoints.best_step() == 2
    kept = sorted(int(p.name) for p in checkpoints.directory.iterdir() if p.name.isdigit())
    assert kept == [2, 5, 6]


def test_saving_without_a_score_logs_nothing(checkpoints, caplog):
    checkpoints.save(1, state(1), config={})
    checkpoints.close()
    assert not caplog.records


def test_a_failed_save_is_raised_and_not_logged(tmp_path, caplog):
    checkpoints = Checkpoints(tmp_path)
    earlier = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, earlier[1]))
    try:
        random = np.random.default_rng(0).random(10_000, np.float32)  # 40 kB, not compressible
        checkpoints.save(1, {"w": jnp.asarray(random)}, config={})
        with pytest.raises(ValueError, match="File too large"):
            checkpoints.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, earlier)
    assert not caplog.records


def test_state_data_position_and_configuration_are_restored(checkpoints):
    checkpoints.save(7, state(7.0), config={"train": {"steps": 9}})
    checkpoints.close()
    target = jax.tree.map(jnp.zeros_like, state(0))
    restored, position = checkpoints.restore(7, target)
    np.testing.assert_array_equal(restored["ema_params"]["w"], [7, 7, 7])
    assert position == 7
    assert checkpoints.config(7) == {"train": {"steps": 9}}
    np.testing.assert_array_equal(checkpoints.restore_ema_params(7)["w"], [7, 7, 7])


def test_multiples_of_the_keep_period_are_kept_permanently(tmp_path):
    checkpoints = Checkpoints(tmp_path, keep=1, keep_period=2)
    for step in range(1, 7):
        checkpoints.save(step, state(step), config={}, score=1.0 if step == 1 else 0.0)
    checkpoints.close()
    assert sorted(int(p.name) for p in tmp_path.iterdir() if p.name.isdigit()) == [1, 2, 4, 6]


def test_package_versions_are_saved(checkpoints):
    checkpoints.save(1, state(1), config={})
    checkpoints.close()
    versions = json.loads((checkpoints.directory / "1/versions/metadata").read_text())
    assert versions["jax"] == jax.__version__
    assert versions.keys() >= {"python", "agarnet_jax", "flax", "optax", "orbax-checkpoint"}


def test_a_step_saved_without_a_score_is_saved_again_with_one(checkpoints):
    checkpoints.save(1, state(1), config={})
    checkpoints.save(1, state(1), config={}, score=0.5)
    checkpoints.save(1, state(1), config={}, score=0.7)  # ignored: it has a score
    checkpoints.close()
    assert checkpoints.best_score() == (1, 0.5)


def test_a_non_finite_score_is_never_the_best(tmp_path, caplog):
    checkpoints = Checkpoints(tmp_path, keep=1)
    for step, score in enumerate((1.0, float("nan"), 0.5, float("inf")), start=1):
        checkpoints.save(step, state(step), config={}, score=score)
    checkpoints.close()
    assert checkpoints.best_score() == (1, 1.0)
    assert "score of step 2 is nan" in caplog.text


def files(folder, pattern):
    return [path for path in folder.rglob(pattern) if path.is_file()]


def delete(folder, pattern):
    for path in files(folder, pattern):
        path.unlink()


def truncate(folder, pattern):
    for path in files(folder, pattern):
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: truncate(folder / "state", "d/*"),
        lambda folder: delete(folder / "state", "d/*"),
        lambda folder: truncate(folder, "_METADATA"),
        lambda folder: delete(folder, "manifest.ocdbt"),
        lambda folder: delete(folder / "data", "*"),
        lambda folder: truncate(folder / "metrics", "metrics"),
        lambda folder: shutil.rmtree(folder / "state"),
        lambda folder: [shutil.rmtree(folder), folder.mkdir()],
    ],
    ids=["truncated", "deleted", "metadata", "manifest", "position", "score", "state", "all"],
)
def test_a_damaged_checkpoint_is_skipped_and_the_one_before_restored(tmp_path, caplog, damage):
    checkpoints = Checkpoints(tmp_path, keep=3)
    for step in (1, 2, 3):
        checkpoints.save(step, state(step), config={}, score=float(step))
    checkpoints.close()
    damage(tmp_path / "3")

    checkpoints = Checkpoints(tmp_path, keep=3)
    target = jax.tree.map(jnp.zeros_like, state(0))
    restored, position = checkpoints.restore_latest(target)
    assert position == 2
    np.testing.assert_array_equal(restored["ema_params"]["w"], [2, 2, 2])
    (message,) = [r.getMessage() for r in caplog.records if r.name.startswith("agarnet_jax")]
    assert str(tmp_path / "3") in message

    checkpoints.save(3, state(4), config={}, score=4.0)
    checkpoints.close()
    restored, position = Checkpoints(tmp_path, keep=3).restore_latest(target)
    assert position == 3
    np.testing.assert_array_equal(restored["ema_params"]["w"], [4, 4, 4])


@pytest.mark.parametrize(
    ("damage", "remaining"),
    [
        (lambda folder: shutil.rmtree(folder / "state"), "1"),
        (lambda folder: truncate(folder / "metrics", "metrics"), "1.unreadable"),
    ],
    ids=["state", "score"],
)
def test_without_a_readable_checkpoint_training_does_not_start_over(
    checkpoints, tmp_path, damage, remaining
):
    checkpoints.save(1, state(1), config={}, score=1.0)
    checkpoints.close()
    damage(tmp_path / "checkpoints" / "1")
    for _ in range(2):
        reopened = Checkpoints(checkpoints.directory)
        with pytest.raises(CheckpointError, match="None of the checkpoints in"):
            reopened.restore_latest(state(0))
    assert (checkpoints.directory / remaining).exists()


@pytest.mark.parametrize(
    "target",
    [
        {"ema_params": {"w": jnp.zeros(4)}, "step": jnp.asarray(0)},
        {"ema_params": {"other": jnp.zeros(3)}, "step": jnp.asarray(0)},
    ],
    ids=["shape", "name"],
)
def test_a_checkpoint_of_another_model_is_not_treated_as_damaged(checkpoints, target):
    checkpoints.save(1, state(1), config={})
    checkpoints.close()
    with pytest.raises(CheckpointError, match="another model or optimizer"):
        Checkpoints(checkpoints.directory).restore_latest(target)
    assert (checkpoints.directory / "1").exists()


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"model": {"f": 8, "sizes": (1, 2)}}, r"with config\.model\.f = 4, not 8 as now; give"),
        (
            {"train": {"optimizer": {"kind": "muon"}}},
            r"optimizer\.kind = 'adam', not 'muon' as now",
        ),
        ({"task": "other", "model": {"g": 1}}, r"with config\.task = 'one', not 'other' as now"),
        ({"train": {"seed": 2}}, r"another model or optimizer \("),
    ],
    ids=["model", "optimizer", "task", "none"],
)
def test_the_differing_settings_of_another_model_are_named(checkpoints, caplog, setting, message):
    common = {"task": "one", "model": {"f": 4, "sizes": (1, 2)}}
    config = common | {"train": {"seed": 1, "optimizer": {"kind": "adam"}}}
    checkpoints.save(1, state(1), config=config)
    checkpoints.close()
    target = {"ema_params": {"w": jnp.zeros(4)}, "step": jnp.asarray(0)}
    with pytest.raises(CheckpointError, match=message) as raised:
        Checkpoints(checkpoints.directory).restore_latest(
            target, common | {"train": config["train"] | setting.pop("train", {})} | setting
        )
    assert "strict=" not in str(raised.value)
    assert not [record for record in caplog.records if record.name == "asyncio"]


def test_a_checkpoint_is_restored_on_another_number_of_devices(checkpoints):
    sharded = NamedSharding(make_mesh(), PartitionSpec("data"))
    saved = {"ema_params": {"w": jax.device_put(np.arange(8.0), sharded)}}
    checkpoints.save(1, saved, config={})
    checkpoints.close()
    replicated = NamedSharding(make_mesh(jax.devices()[:1]), PartitionSpec())
    target = {"ema_params": {"w": jax.ShapeDtypeStruct((8,), np.float32, sharding=replicated)}}
    restored, _ = checkpoints.restore_latest(target)
    assert restored["ema_params"]["w"].sharding == replicated
    np.testing.assert_array_equal(restored["ema_params"]["w"], np.arange(8.0))


def test_without_any_score_the_best_step_is_the_latest(checkpoints):
    for step in (1, 2):
        checkpoints.save(step, state(step), config={})
    checkpoints.close()
    assert checkpoints.best_score() is None
    assert checkpoints.best_step() == 2


def test_a_saved_step_is_not_saved_again_without_a_new_score(checkpoints):
    checkpoints.save(1, state(1), config={"first": True})
    checkpoints.save(1, state(9), config={"first": False})
    checkpoints.close()
    assert checkpoints.config(1) == {"first": True}
    np.testing.assert_array_equal(checkpoints.restore_ema_params(1)["w"], [1, 1, 1])
