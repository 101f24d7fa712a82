"""Runs every command of the README as printed, on the images that `make demo` creates."""

import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

SET_UP = ("git clone", "cd ", "make ")  # done by CI beforehand


def commands(repository):
    """Yields the commands of the README's bash blocks, with continued lines joined."""
    text = (repository / "README.md").read_text()
    for block in re.findall(r"```bash\n(.*?)```", text, flags=re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            command = line.split(" #")[0].strip()
            if command and not command.startswith(SET_UP):
                yield command


@pytest.mark.slow
def test_every_command_runs(repository):
    if not (repository / "demo" / "photo.jpg").exists():
        pytest.fail("Run `make demo` first: the README's commands use its images.")
    # As for a user, with the compilation cache of `make demo`.
    environment = dict(os.environ)
    for name in ("XLA_FLAGS", "AGARNET_COMPILATION_CACHE"):
        environment.pop(name, None)
    environment["PATH"] = f"{pathlib.Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    for run in pathlib.Path(repository / "demo").glob("my-*"):
        shutil.rmtree(run) if run.is_dir() else run.unlink()
    ran = 0
    for command in commands(repository):
        result = subprocess.run(
            ["bash", "-c", command],
            cwd=repository,
            env=environment,
            capture_output=True,
            text=True,
        )
        assert result.returncode == 0, f"{command}\n{result.stdout}\n{result.stderr}"
        ran += 1
    assert ran >= 5


@pytest.mark.slow
def test_every_python_example_runs(repository, monkeypatch):
    text = (repository / "README.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    assert blocks
    monkeypatch.chdir(repository)
    for block in blocks:
        exec(compile(block, "README.md", "exec"), {})
