"""Arguments that several commands have."""

import argparse

from agarnet_jax.restoration.files import reading


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
