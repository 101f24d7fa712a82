"""`agarnet export`: writes networks for other runtimes."""

import argparse
from typing import Any

from agarnet_jax.cli import shared_arguments
from agarnet_jax.export.formats import Format, Part
from agarnet_jax.restoration.files.errors import InputError


def add_to(commands: Any) -> None:
    """Adds the subcommand."""
    parser = commands.add_parser(
        "export",
        help="export the network to another runtime",
        description="Exports the network, from luma to restored luma, to another runtime. "
        "docs/export.md describes the files; experiments.export has more options.",
    )
    parser.add_argument(
        "--format",
        required=True,
        choices=[each.value for each in Format],
        help="format of the exported file",
    )
    parser.add_argument(
        "-o",
        "--output",
        required=True,
        type=shared_arguments.path,
        metavar="FILE",
        help="file to write",
    )
    parser.add_argument(
        "--part",
        choices=[each.value for each in Part],
        default=Part.BLIND.value,
        help="blind (default): estimator and restorer, floats in [0, 1]; blind_uint8: the same for "
        "levels 0–255, as used by examples/; or one of the networks alone",
    )
    parser.add_argument(
        "--size",
        metavar="HxW",
        help="fixed input size, multiples of 8 (required for litert; default: any size)",
    )
    shared_arguments.add_weights(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Writes the file; returns 0.

    Raises:
      InputError: the weights or the size cannot be used, an extra is not installed, or the output
        cannot be written.
    """
    # Imported late, so that --help does not wait a second for JAX.
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
