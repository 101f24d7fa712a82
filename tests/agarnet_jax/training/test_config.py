import pytest

from agarnet_jax.training.config import TrainConfig
from agarnet_jax.training.warm_start import InitialFit


def test_inconsistent_settings_are_rejected():
    with pytest.raises(ValueError, match=r"warmup_steps \(500\).*steps \(100\)"):
        TrainConfig(steps=100)
    with pytest.raises(ValueError, match="batch_size is 0"):
        TrainConfig(batch_size=0)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("ema_decay", 1.5, "in 0–1, below 1"),
        ("learning_rate", -1.0, ">= 0"),
        ("clip_norm", 0.0, "above 0"),
        ("warmup_steps", -5, ">= 0"),
        ("dct_loss_weight", -1.0, ">= 0"),
        ("final_learning_rate_ratio", 3.0, "in 0–1"),
        ("agree_every", 0, ">= 1"),
        ("checkpoints_kept", 1, ">= 2"),
    ],
)
def test_values_out_of_range_are_rejected(name, value, expected):
    with pytest.raises(ValueError, match=rf"TrainConfig.{name} is {value}; .* be {expected}\.$"):
        TrainConfig(**{name: value})


def test_settings_are_type_checked_in_python_too():
    assert TrainConfig(init_fit="grown").init_fit is InitialFit.GROWN
    with pytest.raises(ValueError, match=r"TrainConfig.init_fit is 'exactly'; nearest: exact"):
        TrainConfig(init_fit="exactly")
    with pytest.raises(ValueError, match=r"TrainConfig.steps is 1000.5; it must be an integer"):
        TrainConfig(steps=1000.5)
