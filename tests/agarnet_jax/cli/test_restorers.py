import jax
import pytest

from agarnet_jax import restoration
from agarnet_jax.cli.restorers import Restorers


@pytest.fixture
def created(monkeypatch):
    """The devices of each created restorer."""
    created = []

    class Recorded:
        weights = "tiny"

        def __init__(self, weights, *, devices):
            assert weights == "tiny"
            created.append(list(devices))

        @classmethod
        def from_pretrained(cls, name, **options):
            return cls(name, **options)

    monkeypatch.setattr(restoration, "Restorer", Recorded, raising=False)
    monkeypatch.setattr("agarnet_jax.runtime.prepare", lambda: None)
    return created


def test_one_worker_gets_all_devices(created):
    restorers = Restorers("tiny", workers=1)
    assert created == []
    assert restorers(0) is restorers(0)
    assert created == [jax.local_devices()]


def test_several_workers_get_one_device_each_round_robin(created):
    restorers = Restorers("tiny", workers=3)
    first, second, third = (restorers(number) for number in range(3))
    assert first is not second
    assert first is third  # there are two devices
    assert created == [[device] for device in jax.local_devices()]
