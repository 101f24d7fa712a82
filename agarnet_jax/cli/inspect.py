"""`agarnet inspect`: what files' headers and pixels say of their compression."""

import argparse
import json
import os
import pathlib
import sys
from typing import TYPE_CHECKING, Any

from agarnet_jax.cli import exit_codes, shared_arguments
from agarnet_jax.cli.restorers import Restorers
from agarnet_jax.restoration.files import reading
from agarnet_jax.restoration.files.errors import InputError, printable, shown, unexpected

if TYPE_CHECKING:
    from agarnet_jax.restoration.files.inspection import Inspection
    from agarnet_jax.restoration.restorer import Restorer


def add_to(commands: Any) -> None:
    """Adds the command to those of the parser."""
    parser = commands.add_parser(
        "inspect",
        help="say what is known of files' compression",
        description="Says what a file's header states, and what its pixels tell: the estimated "
        "quality, the grid, whether it was probably compressed more than once.",
    )
    parser.add_argument(
        "inputs", type=pathlib.Path, nargs="+", metavar="FILE", help="an image file"
    )
    parser.add_argument(
        "--json",
        action="store_true",
        help="as JSON in place of words, of several files a line each",
    )
    shared_arguments.add_weights(parser)
    shared_arguments.add_max_pixels(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Prints what is known; returns 0, or 1 if some of several files failed.

    Raises:
      InputError: the weights cannot be used, or the only file failed.
    """
    restorers = Restorers(arguments.weights, workers=1)
    if len(arguments.inputs) == 1:
        found = _inspected(arguments.inputs[0], restorers, max_pixels=arguments.max_pixels)
        print(json.dumps(found.as_json(), indent=2) if arguments.json else found.words())
        return 0
    _restorer(restorers)  # whose errors are no file's
    failed = [
        path
        for path in arguments.inputs
        if not _tell(path, restorers, max_pixels=arguments.max_pixels, as_json=arguments.json)
    ]
    return exit_codes.SOME_FAILED if failed else 0


def _tell(path: pathlib.Path, restorers: Restorers, *, max_pixels: int, as_json: bool) -> bool:
    """Prints what is known of one of several files; returns whether it could be inspected."""
    source = {"source": os.path.abspath(path)}
    try:
        found = _inspected(path, restorers, max_pixels=max_pixels)
    except Exception as error:  # a decoder's or our own mistake is no reason to stop
        said = str(error) if isinstance(error, InputError) else unexpected(path, error)
        print(f"agarnet: {said}", file=sys.stderr)
        if as_json:
            print(json.dumps(source | {"error": said}), flush=True)
        return False
    if as_json:
        print(json.dumps(source | found.as_json()), flush=True)
    else:
        print(f"{printable(path)}:\n{found.words()}\n", flush=True)
    return True


def _inspected(path: pathlib.Path, restorers: Restorers, *, max_pixels: int) -> "Inspection":
    file = reading.read(path, max_pixels=max_pixels)

    # Late: what cannot be read is said at once, JAX takes a second to load.
    from agarnet_jax.restoration.files import inspection

    restorer = _restorer(restorers)
    try:
        return inspection.inspect(file, restorer)
    except ValueError as error:
        raise InputError(f"{shown(path)}: {error}") from None


def _restorer(restorers: Restorers) -> "Restorer":
    try:
        return restorers(0)
    except ValueError as error:
        raise InputError(str(error)) from None
