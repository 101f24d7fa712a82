"""`agarnet export`: the shipped networks for other runtimes."""

import argparse
from typing import Any

from agarnet_jax.cli import shared_arguments
from agarnet_jax.export.formats import Format, Part
from agarnet_jax.restoration.files.errors import InputError


def add_to(commands: Any) -> None:
    """Adds the command to those of the parser."""
    parser = commands.add_parser(
        "export",
        help="write the network for another runtime",
        description="Writes the network, luma in and restored luma out, for another runtime. "
        "docs/export.md describes the files; experiments.export has further options.",
    )
    parser.add_argument("--format", required=True, choices=[each.value for each in Format])
    parser.add_argument(
        "-o",
        "--output",
        required=True,
        type=shared_arguments.path,
        metavar="FILE",
        help="to write",
    )
    parser.add_argument(
        "--part",
        choices=[each.value for each in Part],
        default=Part.BLIND.value,
        help="blind (default): floats in [0, 1]; blind_uint8: levels 0–255, as the readers of "
        "examples/ take it; or one network alone",
    )
    parser.add_argument(
        "--size",
        metavar="HxW",
        help="the only size taken, multiples of 8 (litert needs it; default: any)",
    )
    shared_arguments.add_weights(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Writes the file; returns 0.

    Raises:
      InputError: weights or size that cannot be used, an extra that is not installed, or a place
        that cannot be written.
    """
    # Late: --help answers at once, JAX takes a second to load.
    from agarnet_jax import weights
    from agarnet_jax.export import formats, metadata

    try:
        formats.save(
            weights.load(arguments.weights),
            arguments.output,
            file_format=arguments.format,
            part=arguments.part,
            name=metadata.name_of(arguments.weights),
            size=formats.parse_size(arguments.size),
        )
    except (ValueError, OSError) as error:
        raise InputError(str(error)) from None
    print(f"Wrote {arguments.output}.")
    return 0
