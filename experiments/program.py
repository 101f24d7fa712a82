"""Starts every program of this package, and ends it with one line on invalid input."""

import contextlib
import signal
import sys
from collections.abc import Callable, Iterator
from typing import NoReturn

from absl import app, flags, logging

from agarnet_jax import standard_streams
from agarnet_jax.cli import exit_codes
from experiments.config_file import ConfigFileParser


def start(main: Callable[[], None]) -> None:
    """Parses the flags and runs `main`; positional arguments are a usage error.

    An invalid flag or setting of `--config` ends the program with a one-line message.
    """

    def main_without_arguments(argv: list[str]) -> None:
        if len(argv) > 1:
            raise app.UsageError(f"Unexpected arguments: {argv[1:]}; every setting is a --flag.")
        main()

    run(main_without_arguments, flags_parser=_parse)


def run(main: Callable[[list[str]], None], *, flags_parser: Callable[..., list[str]]) -> None:
    """Runs `main` with the program's name and the arguments that `flags_parser` returns.

    Ctrl-C (exit code 130) and a closed output pipe (141) end the program with a one-line message.
    """
    standard_streams.prepare()

    def main_and_flush(argv: list[str]) -> None:
        _log_warnings_only()
        main(argv)
        sys.stdout.flush()

    try:
        app.run(main_and_flush, flags_parser=flags_parser)
    except KeyboardInterrupt:
        _end("Stopped by SIGINT.", 128 + signal.SIGINT)
    except BrokenPipeError:
        _end("The reader of the output closed the pipe.", exit_codes.BROKEN_PIPE)


def _end(message: str, code: int) -> NoReturn:
    with contextlib.suppress(OSError):  # the terminal may be closed
        print(message, file=sys.stderr)
    standard_streams.discard_broken()
    raise SystemExit(code) from None


def _log_warnings_only() -> None:
    """Logs only warnings unless --verbosity is given: Orbax logs every file it renames."""
    if not flags.FLAGS["verbosity"].present:
        logging.set_verbosity(logging.WARNING)


def _parse(arguments: list[str]) -> list[str]:
    if "config" in flags.FLAGS:
        flags.FLAGS["config"].parser = ConfigFileParser()
    try:
        return flags.FLAGS(arguments)
    except flags.Error as error:
        raise SystemExit(" ".join(f"{error}".split())) from None


@contextlib.contextmanager
def one_line_errors() -> Iterator[None]:
    """Wraps the part of a program that reads settings and opens the files that they name.

    An error that the user can fix ends the program with its message alone; --verbosity=0 also logs
    the traceback.
    """
    try:
        yield
    except BrokenPipeError:  # raised by print; `run` reports it
        raise
    except (ValueError, OSError, ModuleNotFoundError) as error:
        logging.info("Traceback of the error below:", exc_info=True)
        raise SystemExit(f"{error}") from None
