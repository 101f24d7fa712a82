"""Progress bars of a local run, on a terminal or in a log."""

import contextlib
import sys
import tempfile
import threading
from collections.abc import Iterator
from typing import Any

import tqdm

from data_pipelines.preparation.event_counter import EventCounter


@contextlib.contextmanager
def progress_bars(files: int) -> Iterator[EventCounter]:
    """Yields a counter for the workers' events and displays their progress until the end."""
    with tempfile.NamedTemporaryFile(prefix="prepare-") as file:
        events = EventCounter(file.name)
        done = threading.Event()
        display = threading.Thread(target=_display, args=(events, files, done), daemon=True)
        display.start()
        try:
            yield events
        finally:
            done.set()
            display.join()


def _display(events: EventCounter, files: int, done: threading.Event) -> None:
    """Displays one bar for the files verified, then one for the images packed."""
    interval = 0.2 if sys.stderr.isatty() else 10.0  # seconds; in a log, each update is a line
    options: dict[str, Any] = {"mininterval": interval, "dynamic_ncols": True}
    with tqdm.tqdm(total=files, desc="Verified", unit="file", **options) as verified:
        while verified.n < files:
            last = done.wait(min(interval, 1.0))
            counts = events.counts()
            verified.update(counts["kept"] + counts["rejected"] - verified.n)
            if last and verified.n < files:
                return  # the run failed
    with tqdm.tqdm(desc="Packed", unit="image", **options) as packed:
        last = False
        while not last:
            last = done.wait(min(interval, 1.0))
            counts = events.counts()
            packed.total = counts["kept"] - counts["duplicate"]
            packed.update(counts["packed"] - packed.n)
