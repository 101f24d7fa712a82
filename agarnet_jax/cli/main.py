"""The `agarnet` command: its commands, and how it ends."""

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
_STOPPING = [
    signal.Signals[name] for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]
_REMINDER = 2.0  # seconds until a signal that was not heard comes again
_SIGNALLED = 128  # and the signal's number: the exit code, as of shells


def program() -> NoReturn:
    """Ends this process as `main` does; one that was stopped at once, as Ctrl-C often comes twice.

    The second would break off Python's own end with a traceback.
    """
    code = main()
    if code > _SIGNALLED:
        os._exit(code)
    sys.exit(code)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit code.

    0: all done. 1: some of several files failed. 2: the input or the command cannot be used.
    129, 130 and 143: interrupted by a closed terminal (SIGHUP), Ctrl-C or SIGTERM, with no partial
    file left. 141: whoever read the output stopped reading.
    """
    standard_streams.prepare()
    warnings.filterwarnings("ignore", module=r"PIL\.")  # on what we say in our own words
    with _stopping(_STOPPING) as heard:
        try:
            try:
                arguments = _parser().parse_args(argv)
            finally:
                sys.stdout.flush()  # of --help
            code = arguments.run(arguments)
            sys.stdout.flush()
            return code
        except InputError as error:
            _say(f"agarnet: {error}")
            return exit_codes.BAD_INPUT
        except KeyboardInterrupt as interrupt:
            heard()
            number = interrupt.number if isinstance(interrupt, _Stopped) else signal.SIGINT
            _say(f"\nagarnet: stopped by {number.name}; no partial file is left.")
            return _left(_SIGNALLED + number)
        except BrokenPipeError:  # whoever read our output has seen enough
            standard_streams.discard_broken()
            return _left(exit_codes.BROKEN_PIPE)
        except OSError as error:  # of files, errors are said above
            standard_streams.discard_broken()
            _say(f"agarnet: the output cannot be written: {error.strerror}.")
            return _left(exit_codes.BAD_INPUT)


def _say(text: str) -> None:
    with contextlib.suppress(OSError):  # a terminal that is gone
        print(text, file=sys.stderr, flush=True)


def _left(code: int) -> int:
    """Returns the exit code, or ends at once where workers are amid long computations."""
    with contextlib.suppress(OSError):
        sys.stdout.flush()
    if any(thread.name.startswith(running.THREADS) for thread in threading.enumerate()):
        atomic_files.abandon()
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


class _Stopped(KeyboardInterrupt):
    """A signal arrived that ends the command."""

    def __init__(self, number: signal.Signals):
        super().__init__()
        self.number = number


@contextlib.contextmanager
def _stopping(numbers: Sequence[signal.Signals]) -> Iterator[Callable[[], None]]:
    """Signals raise KeyboardInterrupt, but for those that are ignored, as nohup has it.

    What a handler raises is lost where Python happens to be in a callback, such as the garbage
    collector's; so the signal comes again until `heard`, which the block is given, is called. In
    between, others of its kind are ignored, and all of them after it, as they would break off the
    tidying up: a closed terminal sends several.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: None
        return

    reminders: list[threading.Timer] = []
    next_at = -math.inf

    def stop(number: int, _: object) -> None:
        nonlocal next_at
        if time.monotonic() < next_at:
            return
        next_at = time.monotonic() + _REMINDER
        reminder = threading.Timer(_REMINDER, _send, (number,))
        reminder.daemon = True
        reminder.start()
        reminders.append(reminder)
        raise _Stopped(signal.Signals(number))

    def heard() -> None:
        nonlocal next_at
        next_at = math.inf
        for reminder in reminders:
            reminder.cancel()

    listened = [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]
    earlier = {number: signal.signal(number, stop) for number in listened}
    try:
        yield heard
    finally:
        heard()
        for number, handler in earlier.items():
            signal.signal(number, handler)


def _send(number: int) -> None:
    """Sends this process a signal."""
    if os.name == "nt":  # `os.kill` would end it there
        signal.raise_signal(number)
    else:  # wakes the main thread, too
        os.kill(os.getpid(), number)


if __name__ == "__main__":
    program()
