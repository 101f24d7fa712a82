"""How every program of this folder starts, and how it ends on input it cannot use."""

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
    """Parses the flags and runs `main`; leftover arguments are a usage error.

    A flag or a setting of `--config` that cannot be used ends the program with one line.
    """

    def checked(argv: list[str]) -> None:
        if len(argv) > 1:
            raise app.UsageError(f"Unexpected arguments: {argv[1:]}; every setting is a --flag.")
        main()

    run(checked, flags_parser=_parse)


def run(main: Callable[[list[str]], None], *, flags_parser: Callable[..., list[str]]) -> None:
    """Runs `main` with the program's name and the arguments that `flags_parser` leaves.

    Ctrl-C (exit code 130) and a reader of the output who leaves (141) end it with one line.
    """
    standard_streams.prepare()

    def whole(argv: list[str]) -> None:
        _log_warnings_only()
        main(argv)
        sys.stdout.flush()

    try:
        app.run(whole, flags_parser=flags_parser)
    except KeyboardInterrupt:
        _end("Stopped by SIGINT.", 128 + signal.SIGINT)
    except BrokenPipeError:
        _end("Whoever read the output stopped reading.", exit_codes.BROKEN_PIPE)


def _end(message: str, code: int) -> NoReturn:
    with contextlib.suppress(OSError):  # a terminal that is gone
        print(message, file=sys.stderr)
    standard_streams.discard_broken()
    raise SystemExit(code) from None


def _log_warnings_only() -> None:
    """Logs warnings only, unless --verbosity asks for more: Orbax logs every file it renames."""
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
    """Wraps the part of a program that reads settings and opens what they name.

    What a user can mend ends the program with the message alone; --verbosity=0 shows the rest.
    """
    try:
        yield
    except BrokenPipeError:  # of what is printed; `start` knows what to say
        raise
    except (ValueError, OSError, ModuleNotFoundError) as error:
        logging.info("What led to the message below:", exc_info=True)
        raise SystemExit(f"{error}") from None
