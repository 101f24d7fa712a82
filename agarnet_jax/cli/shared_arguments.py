"""Arguments that several commands have."""

import argparse

from agarnet_jax.restoration import reading


def add_weights(parser: argparse._ActionsContainer) -> None:
    parser.add_argument(
        "--weights", default="tiny", help="shipped weights by name, or a file (default: tiny)"
    )


def add_max_pixels(parser: argparse._ActionsContainer) -> None:
    parser.add_argument(
        "--max-pixels",
        type=int,
        default=reading.MAX_PIXELS,
        metavar="N",
        help=f"refuse larger images (default: {reading.MAX_PIXELS:,})",
    )
