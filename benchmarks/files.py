"""Overhead of restoring files beyond restoring pixels, and throughput with several jobs.

    python -m benchmarks.files --images=DIR [--sides=64,256,632 --count=30 --jobs=1,2]

The folder's images are resized to squares, saved as JPEG files of quality 40, 4:2:0, and restored
to PNG files with a report, as `agarnet restore DIR -o OUT` does. *Overhead* is measured with a
restorer that returns the decoded image unchanged: opening, checks, decoding, hashing, encoding,
flushing to disk, renaming and the report. Files per second are measured with the real restorer
after a warm-up, in a separate process for each number of jobs, for the middle one of the sides.
"""

import itertools
import multiprocessing
import pathlib
import tempfile
import time
from typing import Any

import numpy as np
from absl import flags
from PIL import Image

from agarnet_jax.restoration import Restored
from agarnet_jax.restoration.files.options import RestoreOptions
from agarnet_jax.restoration.files.reports import Identity, Report
from agarnet_jax.restoration.files.running import Job, Run
from benchmarks.timing import milliseconds, print_table, spread
from data_pipelines.sources.folder import FolderRecords
from experiments import program

_IMAGES = flags.DEFINE_string("images", None, "Folder of images.", required=True)
_SIDES = flags.DEFINE_list("sides", ["64", "256", "632"], "Side lengths of the images.")
_COUNT = flags.DEFINE_integer("count", 30, "Number of files of each size.")
_JOBS = flags.DEFINE_list("jobs", ["1", "2"], "Numbers of files restored at a time.")


class NoRestorer:
    """A stand-in for `Restorer` that only converts YCbCr to RGB."""

    def restore(self, image: Image.Image, **_: Any) -> Restored:
        quality = np.broadcast_to(np.float32(50), (image.height, image.width))
        return Restored(image.convert("RGB"), quality)


def write_squares(images: str, folder: pathlib.Path, *, side: int, count: int) -> list[Job]:
    """Writes JPEG files and returns jobs that restore them into another folder."""
    jobs = []
    paths = itertools.cycle(FolderRecords(images).paths)
    for number, path in enumerate(itertools.islice(paths, count)):
        job = Job(folder / f"{side}_{number}.jpg", folder / "out" / f"{side}_{number}.png")
        with Image.open(path) as image:
            image.convert("RGB").resize((side, side)).save(job.source, quality=40)
        jobs.append(job)
    return jobs


def run(jobs: list[Job], restorers: Any, *, workers: int) -> list[float]:
    """Restores files and returns the seconds that each took, measured between completions."""
    seconds = []
    options = RestoreOptions()
    with Report(jobs[0].source.parent / "report.jsonl", resume=False) as report:
        start = time.perf_counter()
        restoration = Run(options, restorers, report, Identity(options, "tiny"))
        for outcome in restoration.outcomes(jobs, workers=workers):
            assert outcome.error is None, outcome.error
            seconds.append(time.perf_counter() - start)
            start = time.perf_counter()
    return seconds


def overhead(jobs: list[Job]) -> tuple[list[float], float]:
    """Measures the seconds of each file and the mean CPU seconds per file, without a network."""

    def no_restorer(_: int) -> NoRestorer:
        return NoRestorer()

    run(jobs[:2], no_restorer, workers=1)
    start = time.process_time()
    wall = run(jobs, no_restorer, workers=1)
    return wall, (time.process_time() - start) / len(jobs)


def files_per_second(jobs: list[Job], workers: int) -> float:
    from agarnet_jax.cli.restorers import Restorers

    restorers = Restorers("tiny", workers=workers)
    for worker in range(workers):
        run(jobs[:1], lambda _, worker=worker: restorers(worker), workers=1)
    return len(jobs) / sum(run(jobs, restorers, workers=workers))


def main() -> None:
    sides = [int(side) for side in _SIDES.value]
    rows, rates = [], []
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        jobs = {
            side: write_squares(_IMAGES.value, folder, side=side, count=_COUNT.value)
            for side in sides
        }
        for side in sides:
            wall, cpu = overhead(jobs[side])
            rows.append((f"{side}×{side}", spread(milliseconds(wall), 1), f"{1000 * cpu:.1f}"))
        middle = sides[len(sides) // 2]
        for workers in map(int, _JOBS.value):
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                rate = pool.apply(files_per_second, (jobs[middle], workers))
            rates.append((workers, rate))
    print_table("Overhead per file, median (range)", ("size", "ms", "CPU ms"), rows)
    print_table(
        f"Files of {middle}×{middle}",
        ("jobs", "files/s", "speedup over the first"),
        [(f"{n}", f"{rate:.2f}", f"{rate / rates[0][1]:.2f}") for n, rate in rates],
    )


if __name__ == "__main__":
    program.start(main)
