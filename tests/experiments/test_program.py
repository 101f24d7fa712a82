"""How programs end; each runs in its own process."""

import os
import subprocess
import sys

import pytest

PROGRAM = """
import os, signal, sys
from experiments import program

def main():
    {main}

program.start(main)
"""


def run_program(main, repository, **options):
    command = [sys.executable, "-c", PROGRAM.format(main=main)]
    return subprocess.run(command, cwd=repository, text=True, stderr=subprocess.PIPE, **options)


def test_ctrl_c_is_one_line(repository):
    # Programs that a background shell starts ignore SIGINT by default.
    interrupted = (
        "signal.signal(signal.SIGINT, signal.default_int_handler); os.kill(os.getpid(), 2)"
    )
    result = run_program(interrupted, repository)
    assert (result.returncode, result.stderr) == (130, "Stopped by SIGINT.\n")


@pytest.mark.parametrize("printed", ["print('a line')", "print('many', flush=True)"])
def test_a_closed_pipe_is_one_line(repository, printed):
    reader, writer = os.pipe()
    os.close(reader)
    result = run_program(f"with program.one_line_errors(): {printed}", repository, stdout=writer)
    os.close(writer)
    assert (result.returncode, result.stderr) == (
        141,
        "The reader of the output closed the pipe.\n",
    )


def test_programs_run_with_closed_streams(repository):
    main = "print(sys.stderr.isatty(), sys.stdout.isatty(), file=sys.stderr, flush=True)"
    program = PROGRAM.format(main=main)
    shell = 'exec "$@" >&- 2>&-'
    command = ["sh", "-c", shell, "sh", sys.executable, "-c", program]
    assert subprocess.run(command, cwd=repository).returncode == 0


@pytest.mark.parametrize("module", ["train", "restore_corpus"])
def test_characters_outside_the_encoding_are_escaped(repository, module):
    result = subprocess.run(
        [sys.executable, "-m", f"experiments.{module}", "--help"],
        cwd=repository,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        text=True,
    )
    assert r"\u2026" in result.stdout
    assert "codec" not in result.stderr


FULL = """
import errno, sys
from experiments import program, train

def full(*_, **__):
    raise {error}

train.run = full
program.start(train.main)
"""


@pytest.mark.parametrize(
    "error",
    [
        "OSError(errno.ENOSPC, 'No space left on device')",
        # As raised by Orbax's storage.
        "ValueError('RESOURCE_EXHAUSTED: Writing x: [OS error 28: No space left on device]')",
    ],
)
def test_a_full_disk_is_a_one_line_error(repository, tmp_path, error):
    config = f"--config={repository}/experiments/configs/smoke.py"
    result = subprocess.run(
        [sys.executable, "-c", FULL.format(error=error), config, f"--workdir={tmp_path}"],
        cwd=repository,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 1
    assert result.stderr == (
        f"'{tmp_path}' cannot be written: No space left on device; free space and run the same "
        "command again.\n"
    )
