"""The progress of a local run, on a terminal or in a log."""

import contextlib
import sys
import tempfile
import threading
from collections.abc import Iterator
from typing import Any

import tqdm

from data_pipelines.preparation.marks import Marks


@contextlib.contextmanager
def shown(files: int) -> Iterator[str]:
    """Gives the path of a file for the workers' marks, and shows their progress meanwhile."""
    with tempfile.NamedTemporaryFile(prefix="prepare-") as file:
        marks = Marks(file.name)
        done = threading.Event()
        display = threading.Thread(target=_show, args=(marks, files, done), daemon=True)
        display.start()
        try:
            yield file.name
        finally:
            done.set()
            display.join()


def _show(marks: Marks, files: int, done: threading.Event) -> None:
    """Shows one bar for the files verified, then one for the images packed."""
    every = 0.2 if sys.stderr.isatty() else 10.0  # seconds; in a log, each is a line
    bars: dict[str, Any] = {"mininterval": every, "dynamic_ncols": True}
    with tqdm.tqdm(total=files, desc="Verified", unit="file", **bars) as verified:
        while verified.n < files:
            last = done.wait(min(every, 1.0))
            counts = marks.counts()
            verified.update(counts["kept"] + counts["aside"] - verified.n)
            if last and verified.n < files:
                return  # the run failed
    with tqdm.tqdm(desc="Packed", unit="image", **bars) as packed:
        last = False
        while not last:
            last = done.wait(min(every, 1.0))
            counts = marks.counts()
            packed.total = counts["kept"] - counts["duplicate"]
            packed.update(counts["packed"] - packed.n)
