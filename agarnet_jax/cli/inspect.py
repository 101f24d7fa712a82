"""`agarnet inspect`: reports how files were compressed, from their headers and pixels."""

import argparse
import json
import os
import pathlib
import sys
from typing import TYPE_CHECKING, Any

from agarnet_jax.cli import exit_codes, shared_arguments
from agarnet_jax.cli.restorers import Restorers
from agarnet_jax.restoration.files import reading
from agarnet_jax.restoration.files.errors import InputError, printable, quoted, unexpected

if TYPE_CHECKING:
    from agarnet_jax.restoration.files.inspection import Inspection
    from agarnet_jax.restoration.restorer import Restorer


def add_to(commands: Any) -> None:
    """Adds the subcommand."""
    parser = commands.add_parser(
        "inspect",
        help="report how image files were compressed",
        description="Reports what a file's header states and what its pixels show: the estimated "
        "quality, the 8x8 grid, and whether it was probably compressed more than once.",
    )
    parser.add_argument(
        "inputs", type=pathlib.Path, nargs="+", metavar="FILE", help="an image file"
    )
    parser.add_argument(
        "--json",
        action="store_true",
        help="print JSON; for several files, one line each",
    )
    shared_arguments.add_weights(parser)
    shared_arguments.add_max_pixels(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Prints a report on each file; returns 0, or 1 if some of several files failed.

    Raises:
      InputError: the weights cannot be used, or the only file failed.
    """
    restorers = Restorers(arguments.weights, workers=1)
    if len(arguments.inputs) == 1:
        inspection = _inspect(arguments.inputs[0], restorers, max_pixels=arguments.max_pixels)
        print(
            json.dumps(inspection.as_json(), indent=2) if arguments.json else inspection.as_text()
        )
        return 0
    _restorer(restorers)  # fails here if the weights, not a file, cannot be used
    failed = [
        path
        for path in arguments.inputs
        if not _print_one(path, restorers, max_pixels=arguments.max_pixels, as_json=arguments.json)
    ]
    return exit_codes.SOME_FAILED if failed else 0


def _print_one(path: pathlib.Path, restorers: Restorers, *, max_pixels: int, as_json: bool) -> bool:
    """Prints the report on one of several files; returns whether it could be inspected."""
    source = {"source": os.path.abspath(path)}
    try:
        inspection = _inspect(path, restorers, max_pixels=max_pixels)
    except Exception as error:  # a bug in a decoder or our code must not stop the run
        message = str(error) if isinstance(error, InputError) else unexpected(path, error)
        print(f"agarnet: {message}", file=sys.stderr)
        if as_json:
            print(json.dumps(source | {"error": message}), flush=True)
        return False
    if as_json:
        print(json.dumps(source | inspection.as_json()), flush=True)
    else:
        print(f"{printable(path)}:\n{inspection.as_text()}\n", flush=True)
    return True


def _inspect(path: pathlib.Path, restorers: Restorers, *, max_pixels: int) -> "Inspection":
    file = reading.read(path, max_pixels=max_pixels)

    # Imported late, so that unreadable files are reported without waiting a second for JAX.
    from agarnet_jax.restoration.files import inspection

    restorer = _restorer(restorers)
    try:
        return inspection.inspect(file, restorer)
    except ValueError as error:
        raise InputError(f"{quoted(path)}: {error}") from None


def _restorer(restorers: Restorers) -> "Restorer":
    try:
        return restorers(0)
    except ValueError as error:
        raise InputError(str(error)) from None
