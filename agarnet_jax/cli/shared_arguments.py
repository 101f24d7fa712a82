"""Arguments that several commands have."""

import argparse
import pathlib

from agarnet_jax.restoration.files import reading
from agarnet_jax.restoration.files.errors import InputError


def path(text: str) -> pathlib.Path:
    """What a shell makes of a variable that is not set, or "-" for a stream, names no file."""
    if text in ("", "-"):
        raise InputError(f"{text!r} is no path; give a file or a folder.")
    return pathlib.Path(text)


def add_weights(parser: argparse._ActionsContainer) -> None:
    parser.add_argument(
        "--weights",
        default="tiny",
        help="tiny (default); small, which is better and slower; or a file",
    )


def add_max_pixels(parser: argparse._ActionsContainer) -> None:
    parser.add_argument(
        "--max-pixels",
        type=int,
        default=reading.MAX_PIXELS,
        metavar="N",
        help=f"refuse larger images (default: {reading.MAX_PIXELS:,})",
    )
