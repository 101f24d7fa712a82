"""Arguments shared by several commands."""

import argparse
import pathlib

from agarnet_jax.restoration.files.decoding_limits import MAX_PIXELS
from agarnet_jax.restoration.files.errors import InputError


def path(text: str) -> pathlib.Path:
    """Parses a path; refuses "", as from an unset shell variable, and "-", which means a stream."""
    if text in ("", "-"):
        raise InputError(f"{text!r} is not a path; give a file or a folder.")
    return pathlib.Path(text)


def add_weights(parser: argparse._ActionsContainer) -> None:
    parser.add_argument(
        "--weights",
        default="tiny",
        help="tiny (default), small (better but slower), or a weights file",
    )


def add_max_pixels(parser: argparse._ActionsContainer) -> None:
    parser.add_argument(
        "--max-pixels",
        type=int,
        default=MAX_PIXELS,
        metavar="N",
        help=f"refuse images with more pixels (default: {MAX_PIXELS:,})",
    )
