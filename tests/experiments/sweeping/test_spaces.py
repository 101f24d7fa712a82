import pytest

from experiments.sweeping import spaces

GOOD = (
    'def suggest(trial):\n    return {"train.learning_rate": trial.suggest_float("rate", 0, 1)}\n'
)


@pytest.fixture
def load(tmp_path):
    def load(text):
        (tmp_path / "space.py").write_text(text)
        return spaces.load(f"{tmp_path}/space.py")

    return load


def test_a_space_is_identified_by_its_text(load):
    first, same, other = load(GOOD), load(GOOD), load(GOOD + "# other\n")
    assert first.sha256 == same.sha256 != other.sha256
    assert first.name == "space"
    assert first.grid is None


def test_values_override_the_settings_of_the_experiment(base):
    values = {"train.learning_rate": 1, "model.pixel_features": 6, "data.eval_qualities": (5, 6)}
    experiment = spaces.override(base, values)
    assert experiment.train.learning_rate == 1.0
    assert experiment.model.pixel_features == 6
    assert experiment.data.eval_qualities == (5, 6)
    assert base.model.pixel_features == 32


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1", r"no function suggest\(trial\)"),
        ("import nowhere", "cannot be executed: ModuleNotFoundError: No module named 'nowhere'"),
        ("def", "cannot be executed: SyntaxError"),
        (GOOD + "GRID = {'rate': 0.1}", "GRID of .* expected"),
    ],
)
def test_files_that_define_no_space_are_rejected(load, text, message):
    with pytest.raises(ValueError, match=message) as error:
        load(text)
    assert "\n" not in f"{error.value}"


def test_a_missing_file_is_rejected():
    with pytest.raises(ValueError, match=r"--space=nowhere\.py is not a file"):
        spaces.load("nowhere.py")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"train.lerning_rate": 0.1}, "'train.lerning_rate'.*did you mean train.learning_rate?"),
        ({"pixel_features": 4}, "did you mean model.pixel_features?"),
        ({"train": 4}, "did you mean train."),
        ({"train.steps": "many"}, "train.steps to 'many'"),
        ({"train.warmup_steps": 9}, "warmup_steps"),
        ([("train.steps", 4)], "expected {dotted name: value}"),
    ],
)
def test_invalid_settings_are_rejected(base, values, message):
    with pytest.raises(ValueError, match=message) as error:
        spaces.override(base, values)
    assert "\n" not in f"{error.value}"


def test_a_space_is_checked_without_a_study(base, load):
    spaces.check(load(GOOD), base)
    spaces.check(load(GOOD + "GRID = {'rate': [0.1]}"), base)
    with pytest.raises(ValueError, match=r"parameters speed, but .* has rate"):
        spaces.check(load(GOOD + "GRID = {'speed': [0.1]}"), base)


@pytest.mark.parametrize(("name", "size"), [("lr_width", 4), ("optimizers", 4), ("tiny_split", 4)])
def test_shipped_spaces_are_valid(repository, base, name, size):
    space = spaces.load(f"{repository}/experiments/sweeps/{name}.py")
    spaces.check(space, base)
    assert space.grid_size == size
