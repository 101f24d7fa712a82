import subprocess
import sys

import pytest


@pytest.fixture(scope="session")
def small_estimator() -> tuple[str, ...]:
    """Flags of a training that starts and ends in half the time of the smallest restorer's."""
    return (
        "--config=experiments/configs/estimator.py",
        "--config.model.features=(4,4,4,4)",
        "--config.data.crop=64",
        "--config.data.crop_schedule=()",
        "--config.data.eval_crop=64",
        "--config.train.warmup_steps=1",
        "--config.train.log_every=1",
    )


@pytest.fixture(scope="session")
def program(repository):
    """Runs `python -m ARGUMENTS` in the repository; returns the finished process."""

    def run(*arguments, fails=False):
        result = subprocess.run(
            [sys.executable, "-m", *map(str, arguments)],
            cwd=repository,
            capture_output=True,
            text=True,
        )
        assert (result.returncode != 0) == fails, result.stdout + result.stderr
        return result

    return run
