"""Restorers for the workers of a run."""

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agarnet_jax.restoration.restorer import Restorer


class Restorers:
    """Makes a restorer when it is first asked for, which loads JAX.

    One worker gets all devices: they share the tiles of large images. Several get one each, in
    turn, so that each restores an image of its own; those with the same device share a restorer.
    """

    def __init__(self, weights: str, *, workers: int):
        """
        Args:
          weights: a shipped name, or a file.
          workers: how many will ask.
        """
        self._weights, self._workers = weights, workers
        self._lock = threading.Lock()
        self._made: dict[int, Restorer] = {}

    def __call__(self, number: int) -> "Restorer":
        """The restorer of a worker.

        Raises:
          ValueError: the weights cannot be used.
        """
        with self._lock:
            import jax

            from agarnet_jax import runtime
            from agarnet_jax.restoration import Restorer

            if not self._made:
                runtime.prepare()
            devices = jax.local_devices()
            if self._workers > 1:
                devices = [devices[number % len(devices)]]
            first = devices[0].id
            if first not in self._made:
                known = next(iter(self._made.values()), None)
                self._made[first] = (
                    Restorer(known.weights, devices=devices)
                    if known
                    else Restorer.from_pretrained(self._weights, devices=devices)
                )
            return self._made[first]
