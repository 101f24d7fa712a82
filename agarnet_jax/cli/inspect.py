"""`agarnet inspect`: what a file's header and pixels say of its compression."""

import argparse
import json
import pathlib
from typing import Any

from agarnet_jax.cli import shared_arguments
from agarnet_jax.cli.restorers import Restorers
from agarnet_jax.restoration.files import reading
from agarnet_jax.restoration.files.errors import InputError


def add_to(commands: Any) -> None:
    """Adds the command to those of the parser."""
    parser = commands.add_parser(
        "inspect",
        help="say what is known of a file's compression",
        description="Says what a file's header states, and what its pixels tell: the estimated "
        "quality, the grid, whether it was probably compressed more than once.",
    )
    parser.add_argument("input", type=pathlib.Path, metavar="FILE", help="an image file")
    parser.add_argument("--json", action="store_true", help="as JSON in place of words")
    shared_arguments.add_weights(parser)
    shared_arguments.add_max_pixels(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Prints what is known; returns 0."""
    file = reading.read(arguments.input, max_pixels=arguments.max_pixels)

    # Late: what cannot be read is said at once, JAX takes a second to load.
    from agarnet_jax.restoration.files import inspection

    try:
        restorer = Restorers(arguments.weights, workers=1)(0)
        found = inspection.inspect(file, restorer)
    except ValueError as error:
        raise InputError(str(error)) from None
    print(json.dumps(found.as_json(), indent=2) if arguments.json else found.words())
    return 0
