"""Where training reports to: JSON lines, TensorBoard and a progress bar."""

import contextlib
import json
import logging
import math
import pathlib
import socket
import time
from collections.abc import Callable, Iterable, Mapping

import jax
import numpy as np
import tqdm
from tensorboardX import summary
from tensorboardX.proto.event_pb2 import Event, SessionLog
from tensorboardX.proto.summary_pb2 import Summary
from tensorboardX.record_writer import RecordWriter

from agarnet_jax import atomic_files

METRICS = "metrics.jsonl"
_FLUSH_SECONDS = 30.0  # between flushes of TensorBoard events

_log = logging.getLogger(__name__)


class MetricWriter:
    """A writer of metrics to `FOLDER/metrics.jsonl` and to TensorBoard events beside it.

    Lines of steps after `start`, where the run continues, and lines cut short are removed first,
    so that every step is reported once. Only the first process writes.
    """

    def __init__(self, folder: pathlib.Path, *, start: int = 0):
        self._active = jax.process_index() == 0
        if self._active:
            path = folder / METRICS
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.exists():
                _cut(path, start)
            self._lines = path.open("a", encoding="utf-8")
            self._board = _Board(folder, start=start)

    def write(self, step: int, prefix: str, scalars: Mapping[str, float]) -> None:
        """Writes `{prefix}/{name}: value` for every scalar; not finite ones as null."""
        if not self._active:
            return
        named = {f"{prefix}/{name}": float(value) for name, value in scalars.items()}
        numbers = {name: value if math.isfinite(value) else None for name, value in named.items()}
        self._lines.write(json.dumps({"step": step, "time": time.time(), **numbers}) + "\n")
        self._lines.flush()
        self._board.add(step, (summary.scalar(name, value) for name, value in named.items()))

    def image(self, step: int, name: str, image: np.ndarray) -> None:
        """Shows an image (H, W) in [0, 1] in TensorBoard."""
        if self._active:
            levels = np.round(255 * np.clip(image, 0, 1)).astype(np.uint8)
            self._board.add(step, [summary.image(name, levels, dataformats="HW")])

    def flush(self) -> None:
        if self._active:
            self._board.flush()

    def close(self) -> None:
        if self._active:
            self._lines.close()
            self._board.close()


class _Board:
    """TensorBoard events. A disk that is full ends them, with a warning, but not the run.

    tensorboardX's own `SummaryWriter` writes in a thread, which ends at an error without a word;
    then nobody empties its queue, and the next event waits for ever.
    """

    def __init__(self, folder: pathlib.Path, *, start: int):
        self._folder, self._flushed, self._ended = folder, 0.0, False
        name = f"events.out.tfevents.{time.time():.0f}.{socket.gethostname()}"
        self._file = RecordWriter(str(folder / name))
        self._write(Event(file_version="brain.Event:2"))
        # Takes back what an earlier run wrote of later steps.
        self._write(Event(step=start + 1, session_log=SessionLog(status=SessionLog.START)))

    def add(self, step: int, summaries: Iterable[Summary]) -> None:
        values = [value for each in summaries for value in each.value]
        self._write(Event(step=step, summary=Summary(value=values)))
        if time.monotonic() - self._flushed > _FLUSH_SECONDS:
            self.flush()

    def flush(self) -> None:
        self._flushed = time.monotonic()
        self._try(self._file.flush)

    def close(self) -> None:
        self._try(self._file.close)
        self._ended = True

    def _write(self, event: Event) -> None:
        event.wall_time = time.time()
        self._try(lambda: self._file.write(event.SerializeToString()))

    def _try(self, action: Callable[[], object]) -> None:
        if self._ended:
            return
        try:
            action()
        except OSError as error:
            self._ended = True
            _log.warning("TensorBoard events in %s end here: %s.", self._folder, error.strerror)
            with contextlib.suppress(OSError):  # of what it still holds
                self._file.close()


def _cut(path: pathlib.Path, start: int) -> None:
    """Removes lines of steps after `start` and lines that are no JSON."""

    def stays(line: str) -> bool:
        try:
            return json.loads(line)["step"] <= start
        except (ValueError, TypeError, KeyError):
            return False

    kept = [
        line + "\n"
        for line in path.read_text("utf-8", errors="replace").splitlines()
        if stays(line)
    ]
    atomic_files.write(path, "".join(kept).encode())


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
        self._start, self._all_steps, self._all_crops = time.monotonic(), 0, 0
        self._restart()

    def _restart(self) -> None:
        self._since, self._steps, self._pixels = time.monotonic(), 0, 0
        self._waited, self._computed = 0.0, 0.0

    def step(self, *, shape: tuple[int, ...], waited: float, computed: float) -> None:
        """Counts a step that was begun.

        Args:
          shape: (b, H, W, 1), of this process's images.
          waited: seconds that it waited for its batch.
          computed: seconds that it waited for the device.
        """
        self._steps += 1
        self._pixels += math.prod(shape) * jax.process_count()
        self._waited += waited
        self._computed += computed
        self._all_steps += 1
        self._all_crops += shape[0] * jax.process_count()
        self._bar.update()

    def computing(self, seconds: float) -> None:
        """Adds to the seconds that the steps begun waited for the device."""
        self._computed += seconds

    def rates(self, loss: float) -> dict[str, float]:
        """Returns the rates since last asked, and shows some of them with the loss on the bar.

        They are steps and pixels per second, and the shares, 0–1, of the time spent waiting for
        data, for the device, and on all else (host).
        """
        seconds = time.monotonic() - self._since
        rates = {
            "steps_per_second": self._steps / seconds,
            "pixels_per_second": self._pixels / seconds,
            "data_wait_share": self._waited / seconds,
            "compute_share": self._computed / seconds,
            "host_share": 1 - (self._waited + self._computed) / seconds,
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
        """Writes a line above the bar."""
        if jax.process_index() == 0:
            self._bar.write(message)

    def summary(self) -> str:
        """Describes steps, time and crops since the run started or continued; all included."""
        seconds = time.monotonic() - self._start
        crops = self._all_crops / seconds
        return f"{self._all_steps} steps in {seconds:.1f} s, {crops:.1f} crops/s"

    def close(self) -> None:
        self._bar.close()
