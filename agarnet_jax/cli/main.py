"""The `agarnet` command: its commands, and how it ends."""

import argparse
import contextlib
import io
import os
import signal
import sys
import threading
import warnings
from collections.abc import Iterator, Sequence
from typing import NoReturn

import agarnet_jax
from agarnet_jax import whole_files
from agarnet_jax.cli import export, inspect, restore
from agarnet_jax.restoration.files import running
from agarnet_jax.restoration.files.errors import InputError

EXIT_BAD_INPUT = 2
EXIT_BROKEN_PIPE = 128 + 13  # as shells report SIGPIPE
_REMINDER = 2.0  # seconds until a signal that was not heard comes again


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit code.

    0: all done. 1: some of several files failed. 2: the input or the command cannot be used.
    130 and 143: interrupted by Ctrl-C or SIGTERM, with no partial file left.
    """
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by who started us
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # names may hold any bytes
    warnings.filterwarnings("ignore", module=r"PIL\.")  # on what we say in our own words
    try:
        arguments = _parser().parse_args(argv)
        with _sigterm_like_ctrl_c():
            code = arguments.run(arguments)
            sys.stdout.flush()
            return code
    except InputError as error:
        print(f"agarnet: {error}", file=sys.stderr)
        return EXIT_BAD_INPUT
    except KeyboardInterrupt as interrupt:
        number = signal.SIGTERM if isinstance(interrupt, _Terminated) else signal.SIGINT
        print(f"\nagarnet: stopped by {number.name}; no partial file is left.", file=sys.stderr)
        return _left(128 + number)
    except BrokenPipeError:  # whoever read our output has seen enough
        _discard_output()
        return _left(EXIT_BROKEN_PIPE)
    except OSError as error:  # of files, errors are said above
        _discard_output()
        print(f"agarnet: the output cannot be written: {error.strerror}.", file=sys.stderr)
        return _left(EXIT_BAD_INPUT)


def _discard_output() -> None:
    """Python would fail once more on what is still to be printed."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _left(code: int) -> int:
    """Returns the exit code, or ends at once where workers are amid long computations."""
    if any(thread.name.startswith(running.THREADS) for thread in threading.enumerate()):
        whole_files.abandon()
        sys.stderr.flush()
        os._exit(code)
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="agarnet", description="Removes JPEG artifacts.")
    parser.add_argument("--version", action="version", version=agarnet_jax.__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    restore.add_to(commands)
    inspect.add_to(commands)
    export.add_to(commands)
    return parser


class _Terminated(KeyboardInterrupt):
    """SIGTERM arrived."""


@contextlib.contextmanager
def _sigterm_like_ctrl_c() -> Iterator[None]:
    """What a handler raises is lost where Python happens to be in a callback, such as the garbage
    collector's; so the signal comes again until it was heard."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    reminders = []

    def stop(*_: object) -> NoReturn:
        reminder = threading.Timer(_REMINDER, os.kill, (os.getpid(), signal.SIGTERM))
        reminder.daemon = True
        reminder.start()
        reminders.append(reminder)
        raise _Terminated

    earlier = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        for reminder in reminders:
            reminder.cancel()
        signal.signal(signal.SIGTERM, earlier)


if __name__ == "__main__":
    sys.exit(main())
