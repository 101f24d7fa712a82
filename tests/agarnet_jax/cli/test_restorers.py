import jax
import pytest

from agarnet_jax import restoration
from agarnet_jax.cli.restorers import Restorers


@pytest.fixture
def made(monkeypatch):
    """The devices of each restorer that was made."""
    made = []

    class Recorded:
        weights = "tiny"

        def __init__(self, weights, *, devices):
            assert weights == "tiny"
            made.append(list(devices))

        @classmethod
        def from_pretrained(cls, name, **options):
            return cls(name, **options)

    monkeypatch.setattr(restoration, "Restorer", Recorded, raising=False)
    monkeypatch.setattr("agarnet_jax.runtime.prepare", lambda: None)
    return made


def test_one_worker_gets_all_devices(made):
    restorers = Restorers("tiny", workers=1)
    assert made == []
    assert restorers(0) is restorers(0)
    assert made == [jax.local_devices()]


def test_several_get_one_each_in_turn(made):
    restorers = Restorers("tiny", workers=3)
    first, second, third = (restorers(number) for number in range(3))
    assert first is not second
    assert first is third  # there are two devices
    assert made == [[device] for device in jax.local_devices()]
