import subprocess
import sys

import pytest


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
