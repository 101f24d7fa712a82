"""Restorers for the workers of a run."""

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agarnet_jax.restoration.restorer import Restorer


class Restorers:
    """Creates restorers on first use, which loads JAX.

    A single worker uses all devices, which share the tiles of large images. Several workers get one
    device each, round-robin, so that each restores its own image; workers on the same device share
    a restorer.
    """

    def __init__(self, weights: str, *, workers: int):
        """
        Args:
          weights: the name of shipped weights, or a file.
          workers: the number of workers.
        """
        self._weights, self._workers = weights, workers
        self._lock = threading.Lock()
        self._by_device: dict[int, Restorer] = {}

    def __call__(self, number: int) -> "Restorer":
        """Returns the restorer of a worker.

        Raises:
          ValueError: the weights cannot be used.
        """
        with self._lock:
            import jax

            from agarnet_jax import runtime
            from agarnet_jax.restoration import Restorer

            if not self._by_device:
                runtime.prepare()
            devices = jax.local_devices()
            if self._workers > 1:
                devices = [devices[number % len(devices)]]
            device = devices[0].id
            if device not in self._by_device:
                other = next(iter(self._by_device.values()), None)
                self._by_device[device] = (
                    Restorer(other.weights, devices=devices)
                    if other
                    else Restorer.from_pretrained(self._weights, devices=devices)
                )
            return self._by_device[device]
