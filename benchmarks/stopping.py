"""Time from SIGTERM until a training run has saved a checkpoint and exited.

    python -m benchmarks.stopping --images=FOLDER [--config_file=FILE --rounds=3]

Starts real training runs on the images of FOLDER and sends them SIGTERM in the middle of training
or of an evaluation. `saved` counts the runs whose last step was saved in a checkpoint.
"""

import pathlib
import signal
import subprocess
import sys
import tempfile
import time

from absl import flags

from benchmarks.timing import print_table, spread
from experiments import program

_CONFIG_FILE = flags.DEFINE_string(
    "config_file", "experiments/configs/tiny.py", "Experiment configuration of a restorer."
)
_IMAGES = flags.DEFINE_string("images", None, "Folder of images.", required=True)
_ROUNDS = flags.DEFINE_integer("rounds", 3, "Training runs of each kind.", lower_bound=1)

_STEPS = 6  # before the signal
_TIMEOUT = 600  # seconds to reach that step


def seconds_to_exit(workdir: pathlib.Path, *, evaluating: bool) -> tuple[float, bool]:
    """Returns the seconds from the signal to the exit, and whether the last step was saved."""
    log = workdir / "metrics.jsonl"
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "experiments.train"),
            *(f"--config={_CONFIG_FILE.value}", f"--workdir={workdir}"),
            f"--config.data.train_dir={_IMAGES.value}",
            f"--config.data.eval_dir={_IMAGES.value}",
            "--config.data.eval_crop=64",
            "--config.train.log_every=1",
            f"--config.train.eval_every={_STEPS if evaluating else 10**6}",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + _TIMEOUT
    while not log.exists() or len(log.read_bytes().splitlines()) < _STEPS:
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            raise SystemExit(f"The training run failed:\n{process.communicate()[1]}")
        time.sleep(0.02)
    start = time.perf_counter()
    process.send_signal(signal.SIGTERM)
    process.communicate()
    seconds = time.perf_counter() - start
    last = log.read_text().splitlines()[-1]
    saved = [path.name for path in (workdir / "checkpoints").iterdir()]
    return seconds, any(f'"step": {step},' in last for step in saved)


def main() -> None:
    table = []
    for name, evaluating in (("training steps", False), ("an evaluation", True)):
        seconds, saved = [], 0
        for _ in range(_ROUNDS.value):
            with tempfile.TemporaryDirectory() as workdir:
                elapsed, was_saved = seconds_to_exit(pathlib.Path(workdir), evaluating=evaluating)
            seconds.append(elapsed)
            saved += was_saved
        table.append((name, spread(seconds), f"{saved} of {_ROUNDS.value}"))
    print_table("From SIGTERM to the end of the process", ("in the middle of", "s", "saved"), table)


if __name__ == "__main__":
    program.start(main)
