"""The `agarnet` command: its subcommands, signal handling and exit codes."""

import argparse
import contextlib
import math
import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import NoReturn

import agarnet_jax
from agarnet_jax import atomic_files, standard_streams
from agarnet_jax.cli import exit_codes, export, inspect, restore
from agarnet_jax.restoration.files import running
from agarnet_jax.restoration.files.errors import InputError

# Windows has no SIGHUP.
_STOP_SIGNALS = [
    signal.Signals[name] for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]
_RESEND_AFTER = 2.0  # seconds, until a signal that was lost is sent again
_SIGNAL_BASE = 128  # plus the signal's number: the exit code, as in shells


def program() -> NoReturn:
    """Runs `main` and exits with its code.

    After a signal, it exits without Python's own cleanup: Ctrl-C often comes twice, and the second
    one would interrupt that cleanup with a traceback.
    """
    code = main()
    if code > _SIGNAL_BASE:
        os._exit(code)
    sys.exit(code)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit code.

    0: success. 1: some of several files failed. 2: the input or the command line cannot be used.
    129, 130, 143: stopped by a closed terminal (SIGHUP), Ctrl-C or SIGTERM, without leaving partial
    files. 141: the reader of the output stopped reading.
    """
    standard_streams.prepare()
    warnings.filterwarnings("ignore", module=r"PIL\.")  # about problems that we report ourselves
    with _stopping(_STOP_SIGNALS) as acknowledge:
        try:
            try:
                arguments = _parse(argv)
            finally:
                sys.stdout.flush()  # of --help
            code = arguments.run(arguments)
            sys.stdout.flush()
            return code
        except InputError as error:
            _print_error(f"agarnet: {error}")
            return exit_codes.BAD_INPUT
        except KeyboardInterrupt as interrupt:
            acknowledge()
            number = interrupt.number if isinstance(interrupt, _Stopped) else signal.SIGINT
            _print_error(f"\nagarnet: stopped by {number.name}; no partial file is left.")
            return _leave(_SIGNAL_BASE + number)
        except BrokenPipeError:  # the reader of our output has closed it
            standard_streams.discard_broken()
            return _leave(exit_codes.BROKEN_PIPE)
        except OSError as error:  # from standard output; those of files are InputErrors
            standard_streams.discard_broken()
            _print_error(f"agarnet: standard output cannot be written: {error.strerror}.")
            return _leave(exit_codes.BAD_INPUT)


def _print_error(text: str) -> None:
    with contextlib.suppress(OSError):  # the terminal is gone
        print(text, file=sys.stderr, flush=True)


def _leave(code: int) -> int:
    """Returns the exit code, or exits at once if workers are in the middle of long computations."""
    with contextlib.suppress(OSError):
        sys.stdout.flush()
    if any(thread.name.startswith(running.THREAD_PREFIX) for thread in threading.enumerate()):
        atomic_files.abandon()
        os._exit(code)
    return code


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="agarnet", description="Removes JPEG artifacts from images."
    )
    parser.add_argument("--version", action="version", version=agarnet_jax.__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND", dest="command")
    restore.add_to(commands)
    inspect.add_to(commands)
    export.add_to(commands)
    arguments, unknown = parser.parse_known_args(argv)
    if unknown:  # which argparse would report with the usage of `agarnet`, not of the command
        commands.choices[arguments.command].error(f"unrecognized arguments: {' '.join(unknown)}")
    return arguments


class _Stopped(KeyboardInterrupt):
    """Raised when a signal stops the command."""

    def __init__(self, number: signal.Signals):
        super().__init__()
        self.number = number


@contextlib.contextmanager
def _stopping(numbers: Sequence[signal.Signals]) -> Iterator[Callable[[], None]]:
    """Makes signals raise KeyboardInterrupt, except those that are ignored, as under nohup.

    An exception raised by a handler is lost if Python is in a callback, such as one of the garbage
    collector. So the signal is sent again until the block calls the function it is given, to
    acknowledge it. Further signals are ignored in between, and all of them afterwards, since they
    would interrupt the cleanup: a closed terminal sends several.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: None
        return

    timers: list[threading.Timer] = []
    ignored_until = -math.inf

    def stop(number: int, _: object) -> None:
        nonlocal ignored_until
        if time.monotonic() < ignored_until:
            return
        ignored_until = time.monotonic() + _RESEND_AFTER
        timer = threading.Timer(_RESEND_AFTER, _send, (number,))
        timer.daemon = True
        timer.start()
        timers.append(timer)
        raise _Stopped(signal.Signals(number))

    def acknowledge() -> None:
        nonlocal ignored_until
        ignored_until = math.inf
        for timer in timers:
            timer.cancel()

    handled = [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]
    previous = {number: signal.signal(number, stop) for number in handled}
    try:
        yield acknowledge
    finally:
        acknowledge()
        for number, handler in previous.items():
            signal.signal(number, handler)


def _send(number: int) -> None:
    """Sends a signal to this process."""
    if os.name == "nt":  # where `os.kill` would end the process
        signal.raise_signal(number)
    else:  # also wakes the main thread
        os.kill(os.getpid(), number)
