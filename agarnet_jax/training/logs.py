"""Where training reports to: JSON lines, TensorBoard and a progress bar."""

import json
import pathlib
import time
from collections.abc import Mapping

import jax
import tensorboardX
import tqdm


class MetricWriter:
    """Appends scalars to `WORKDIR/metrics.jsonl` and to TensorBoard events beside it.

    Only the first process writes.
    """

    def __init__(self, workdir: str | pathlib.Path):
        self._active = jax.process_index() == 0
        if self._active:
            pathlib.Path(workdir).mkdir(parents=True, exist_ok=True)
            self._lines = (pathlib.Path(workdir) / "metrics.jsonl").open("a", encoding="utf-8")
            self._board = tensorboardX.SummaryWriter(str(workdir))

    def write(self, step: int, prefix: str, scalars: Mapping[str, float]) -> None:
        """Writes `{prefix}/{name}: value` for every scalar."""
        if not self._active:
            return
        named = {f"{prefix}/{name}": float(value) for name, value in scalars.items()}
        self._lines.write(json.dumps({"step": step, "time": time.time(), **named}) + "\n")
        self._lines.flush()
        for name, value in named.items():
            self._board.add_scalar(name, value, step)

    def close(self) -> None:
        if self._active:
            self._lines.close()
            self._board.close()


class Progress:
    """A progress bar with ETA, and the rates of the steps since they were last asked for."""

    def __init__(self, *, start: int, total: int):
        self._bar = tqdm.tqdm(
            initial=start,
            total=total,
            unit="step",
            dynamic_ncols=True,
            disable=jax.process_index() != 0,
        )
        self._restart()

    def _restart(self) -> None:
        self._since, self._steps, self._pixels, self._waited = time.monotonic(), 0, 0, 0.0

    def step(self, *, pixels: int, waited: float) -> None:
        """One more step is done, on so many pixels, after `waited` seconds for its batch."""
        self._steps += 1
        self._pixels += pixels
        self._waited += waited
        self._bar.update()

    def rates(self, loss: float) -> dict[str, float]:
        """Steps and pixels per second and the share of time spent waiting for data, since last
        asked; shows them with the loss on the bar."""
        seconds = time.monotonic() - self._since
        rates = {
            "steps_per_second": self._steps / seconds,
            "pixels_per_second": self._pixels / seconds,
            "data_wait_share": self._waited / seconds,
        }
        self._bar.set_postfix_str(
            f"loss {loss:.5f}, {rates['pixels_per_second'] / 1000:.0f} kpx/s, "
            f"data wait {rates['data_wait_share']:.1%}"
        )
        self._restart()
        return rates

    def pause(self) -> None:
        """Leaves out of the rates what happened since the last step, such as an evaluation."""
        self._restart()

    def say(self, message: str) -> None:
        """A line above the bar."""
        if jax.process_index() == 0:
            self._bar.write(message)

    def close(self) -> None:
        self._bar.close()
