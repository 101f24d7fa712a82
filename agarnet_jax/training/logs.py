"""Reports of a training: JSON lines, TensorBoard events and a progress bar."""

import contextlib
import json
import logging
import math
import pathlib
import socket
import sys
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
    """Writes metrics to `FOLDER/metrics.jsonl` and to TensorBoard events in the same folder.

    Lines of steps after `start`, where the run resumes, and truncated lines are removed first, so
    that every step is reported once. Only the first process writes.
    """

    def __init__(self, folder: pathlib.Path, *, start: int = 0):
        self._active = jax.process_index() == 0
        if self._active:
            path = folder / METRICS
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.exists():
                _remove_later_lines(path, start)
            self._lines = path.open("a", encoding="utf-8")
            self._events = _EventWriter(folder, start=start)

    def write(self, step: int, prefix: str, scalars: Mapping[str, float]) -> None:
        """Writes `{prefix}/{name}: value` for every scalar; non-finite values as null in JSON."""
        if not self._active:
            return
        named = {f"{prefix}/{name}": float(value) for name, value in scalars.items()}
        values = {name: value if math.isfinite(value) else None for name, value in named.items()}
        self._lines.write(json.dumps({"step": step, "time": time.time(), **values}) + "\n")
        self._lines.flush()
        self._events.add(step, (summary.scalar(name, value) for name, value in named.items()))

    def image(self, step: int, name: str, image: np.ndarray) -> None:
        """Writes an image (H, W) in [0, 1] to TensorBoard."""
        if self._active:
            levels = np.round(255 * np.clip(image, 0, 1)).astype(np.uint8)
            self._events.add(step, [summary.image(name, levels, dataformats="HW")])

    def flush(self) -> None:
        if self._active:
            self._events.flush()

    def close(self) -> None:
        if self._active:
            self._lines.close()
            self._events.close()


class _EventWriter:
    """Writes TensorBoard events. A full disk ends them with a warning, but not the run.

    tensorboardX's own `SummaryWriter` writes in a thread, which dies silently on an error; its
    queue then fills up, and the next event blocks forever.
    """

    def __init__(self, folder: pathlib.Path, *, start: int):
        self._folder, self._flushed, self._closed = folder, 0.0, False
        name = f"events.out.tfevents.{time.time():.0f}.{socket.gethostname()}"
        self._file = RecordWriter(str(folder / name))
        self._write(Event(file_version="brain.Event:2"))
        # Makes TensorBoard discard the steps after `start` of an earlier process.
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
        self._closed = True

    def _write(self, event: Event) -> None:
        event.wall_time = time.time()
        self._try(lambda: self._file.write(event.SerializeToString()))

    def _try(self, action: Callable[[], object]) -> None:
        if self._closed:
            return
        try:
            action()
        except OSError as error:
            self._closed = True
            _log.warning(
                "No more TensorBoard events are written to %s: %s.", self._folder, error.strerror
            )
            with contextlib.suppress(OSError):  # from flushing its buffer
                self._file.close()


def _remove_later_lines(path: pathlib.Path, start: int) -> None:
    """Removes lines of steps after `start` and lines that are not valid JSON."""

    def is_kept(line: str) -> bool:
        try:
            return json.loads(line)["step"] <= start
        except (ValueError, TypeError, KeyError):
            return False

    kept = [
        line + "\n"
        for line in path.read_text("utf-8", errors="replace").splitlines()
        if is_kept(line)
    ]
    atomic_files.write(path, "".join(kept).encode())


class Progress:
    """A progress bar with ETA, and the rates of the steps since the last report."""

    def __init__(self, *, start: int, total: int):
        self._bar = tqdm.tqdm(
            initial=start,
            total=total,
            unit="step",
            mininterval=0.1 if sys.stderr.isatty() else 10.0,  # seconds; in a log, each is a line
            dynamic_ncols=True,
            disable=jax.process_index() != 0,
        )
        self._start, self._total_steps, self._total_crops = time.monotonic(), 0, 0
        self.reset_rates()

    def reset_rates(self) -> None:
        """Restarts the measurement of rates, for instance after an evaluation."""
        self._since, self._steps, self._pixels = time.monotonic(), 0, 0
        self._data_wait, self._device_wait = 0.0, 0.0

    def step(self, *, shape: tuple[int, ...], data_wait: float, device_wait: float) -> None:
        """Counts a dispatched step.

        Args:
          shape: (b, H, W, 1), of this process's part of the batch.
          data_wait: seconds that the step waited for its batch.
          device_wait: seconds that the host waited for the device.
        """
        self._steps += 1
        self._pixels += math.prod(shape) * jax.process_count()
        self._data_wait += data_wait
        self._device_wait += device_wait
        self._total_steps += 1
        self._total_crops += shape[0] * jax.process_count()
        self._bar.update()

    def add_device_wait(self, seconds: float) -> None:
        """Adds time that the host waited for the device."""
        self._device_wait += seconds

    def pop_rates(self, loss: float) -> dict[str, float]:
        """Returns the rates since the last call, and shows the main ones and the loss on the bar.

        Rates are steps and pixels per second, and the fractions, 0–1, of time spent waiting for
        data, waiting for the device, and on everything else (host).
        """
        seconds = time.monotonic() - self._since
        rates = {
            "steps_per_second": self._steps / seconds,
            "pixels_per_second": self._pixels / seconds,
            "data_wait_share": self._data_wait / seconds,
            "compute_share": self._device_wait / seconds,
            "host_share": 1 - (self._data_wait + self._device_wait) / seconds,
        }
        self._bar.set_postfix_str(
            f"loss {loss:.5f}, {rates['pixels_per_second'] / 1000:.0f} kpx/s, "
            f"data wait {rates['data_wait_share']:.1%}",
            refresh=False,
        )
        self.reset_rates()
        return rates

    def print(self, message: str) -> None:
        """Prints a line above the bar."""
        if jax.process_index() == 0:
            self._bar.write(message)

    def summary(self) -> str:
        """Returns steps, time and crops/s since the start or resumption, evaluations included."""
        seconds = time.monotonic() - self._start
        crops = self._total_crops / seconds
        return f"{self._total_steps} steps in {seconds:.1f} s, {crops:.1f} crops/s"

    def close(self) -> None:
        self._bar.close()
