"""The arguments of `agarnet restore`."""

import argparse
import os
from typing import Any

from agarnet_jax.cli import shared_arguments
from agarnet_jax.cli.layout import REPORT_NAME
from agarnet_jax.restoration.files import formats
from agarnet_jax.restoration.files.errors import InputError
from agarnet_jax.restoration.files.options import GridChoice, RestoreOptions, parse_quality


def add_to(commands: Any) -> argparse.ArgumentParser:
    """Adds the subcommand; returns its parser."""
    parser = commands.add_parser(
        "restore",
        help="restore image files and folders",
        description="Removes JPEG artifacts from image files: JPEG files, and files of other "
        "formats whose images were once JPEG-compressed.",
    )
    parser.add_argument(
        "inputs",
        type=shared_arguments.path,
        nargs="+",
        metavar="INPUT",
        help="an image file or a folder",
    )
    _add_files(parser.add_argument_group("files"))
    _add_restoration(parser.add_argument_group("restoration"))
    return parser


def _add_files(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "-o",
        "--output",
        action=_Output,
        help="file to write, whose suffix chooses the format, or a folder, which may end in /; "
        "required if an input is a folder (default: INPUT_restored.png)",
    )
    group.set_defaults(output_ends_as_folder=False)
    group.add_argument(
        "--format", choices=sorted(formats.BY_NAME), help="format of the output (default: png)"
    )
    group.add_argument(
        "--in-place", action="store_true", help="replace each input and keep it as INPUT.orig"
    )
    group.add_argument("--recursive", action="store_true", help="also search subfolders")
    group.add_argument(
        "--jobs",
        type=int,
        metavar="N",
        help="number of files to restore in parallel (default: one per core, up to 4)",
    )
    group.add_argument(
        "--resume",
        action="store_true",
        help="skip files that an earlier run finished, according to its report",
    )
    group.add_argument(
        "--report",
        type=shared_arguments.path,
        metavar="FILE",
        help=f"write a report with one line of JSON per file (default: {REPORT_NAME} in the "
        "output folder, or in the folder restored in place)",
    )
    group.add_argument("--strict", action="store_true", help="refuse truncated JPEG files")
    shared_arguments.add_max_pixels(group)


def _add_restoration(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--quality",
        default="auto",
        help="JPEG quality 1-100; or 'auto': estimated from the pixels (default), 'map': estimated "
        "for every pixel, 'header': from the file's quantization tables",
    )
    group.add_argument(
        "--strength",
        type=float,
        default=1.0,
        metavar="X",
        help="from 0 (unchanged) to 1.5 (default: 1)",
    )
    planes = group.add_mutually_exclusive_group()
    planes.add_argument(
        "--chroma", action="store_true", default=True, help="restore colour as well (default)"
    )
    planes.add_argument(
        "--luma-only", dest="chroma", action="store_false", help="leave colour unchanged"
    )
    group.add_argument(
        "--grid",
        choices=[choice.value for choice in GridChoice],
        default=GridChoice.AUTO.value,
        help="start of the 8x8 grid: 'auto' detects it in files that are not JPEGs (default), "
        "'find' in all files, 'none' assumes the top left corner",
    )
    group.add_argument(
        "--consistent",
        action="store_true",
        help="move the result into the quantization intervals of a JPEG file that was compressed "
        "once",
    )
    group.add_argument(
        "--ensemble",
        type=int,
        default=1,
        metavar="N",
        help="8: mean over the eight rotations and reflections, which takes eight times as long "
        "(default: 1)",
    )
    group.add_argument(
        "--bits",
        type=int,
        metavar="N",
        help="bits per sample of the output, 8 or 16 (default: as the input)",
    )
    group.add_argument(
        "--map",
        type=shared_arguments.path,
        metavar="FILE",
        help="also write the quality map; for several inputs, a folder",
    )
    group.add_argument(
        "--compare",
        type=shared_arguments.path,
        metavar="FILE",
        help="also write before, after, difference and quality map in one image; for several "
        "inputs, a folder",
    )
    shared_arguments.add_weights(group)


def options(arguments: argparse.Namespace) -> RestoreOptions:
    """Returns the options given by the arguments.

    Raises:
      InputError: a value is invalid.
    """
    if arguments.jobs is not None and arguments.jobs < 1:
        raise InputError(f"--jobs is {arguments.jobs}; use at least 1.")
    try:
        return RestoreOptions(
            quality=parse_quality(arguments.quality),
            strength=arguments.strength,
            chroma=arguments.chroma,
            grid=GridChoice(arguments.grid),
            consistent=arguments.consistent,
            ensemble=arguments.ensemble,
            bits=arguments.bits,
            strict=arguments.strict,
            max_pixels=arguments.max_pixels,
            in_place=arguments.in_place,
        )
    except ValueError as error:
        raise InputError(f"--{error}".replace("_", "-", 1)) from None


class _Output(argparse.Action):
    """Stores the path, and whether it ended with a separator, which marks a folder."""

    def __call__(self, parser: Any, namespace: Any, text: Any, option: Any = None) -> None:
        namespace.output = shared_arguments.path(text)
        namespace.output_ends_as_folder = text.endswith(("/", os.sep))
