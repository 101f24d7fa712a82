"""The `agarnet` command."""

import argparse
import pathlib
import sys
from collections.abc import Sequence

import numpy as np
from PIL import Image

import agarnet_jax
from agarnet_jax import jpeg_tables
from agarnet_jax.restoration import image_files
from agarnet_jax.restoration.image_files import InputError

EXIT_BAD_INPUT = 2


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit code: 0, or 2 for input that cannot be used."""
    arguments = _parser().parse_args(argv)
    try:
        return arguments.run(arguments)
    except InputError as error:
        print(f"agarnet: {error}", file=sys.stderr)
        return EXIT_BAD_INPUT


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="agarnet", description="Removes JPEG artifacts.")
    parser.add_argument("--version", action="version", version=agarnet_jax.__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    restore = commands.add_parser("restore", help="restore an image file")
    restore.add_argument("input", type=pathlib.Path, help="a JPEG file, or a picture of one")
    restore.add_argument(
        "-o",
        "--output",
        type=pathlib.Path,
        help="file to write, its suffix chooses the format (default: INPUT_restored.png)",
    )
    restore.add_argument(
        "--quality",
        default="auto",
        help="JPEG quality 1-100; 'auto' estimates it from the pixels (default), 'map' does so "
        "for every pixel, 'header' trusts the file's quantization table",
    )
    restore.add_argument(
        "--weights", default="tiny", help="shipped weights by name, or a file (default: tiny)"
    )
    restore.set_defaults(run=_restore)
    return parser


def _restore(arguments: argparse.Namespace) -> int:
    source = arguments.input
    output = arguments.output or source.with_name(f"{source.stem}_restored.png")
    image = image_files.read(source)
    image_files.check_output(output, source=source)
    quality, table = _quality_and_table(arguments.quality, image)

    # Imported late: the checks above answer at once, JAX takes a second to load.
    from agarnet_jax import runtime
    from agarnet_jax.restoration import QualitySource, Restorer

    runtime.prepare()
    estimated = QualitySource.MAP if arguments.quality == "map" else QualitySource.IMAGE
    try:
        restorer = Restorer.from_pretrained(arguments.weights)
        result = restorer.restore(image, quality=quality or estimated, table=table)
    except ValueError as error:
        raise InputError(str(error)) from None
    image_files.write(result.image, output, like=image)
    print(f"{output}: restored, assuming JPEG quality {result.quality_map.mean():.0f}")
    return 0


def _quality_and_table(text: str, image: Image.Image) -> tuple[float | None, np.ndarray | None]:
    """What --quality and the file's header say; None is left to be estimated."""
    if text in ("auto", "map"):
        return None, None
    if text == "header":
        table = image_files.luma_table(image)
        return jpeg_tables.effective_quality(table), table
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 1 <= value <= 100:
        raise InputError(
            f"--quality {text!r} is neither a number from 1 to 100 nor 'auto', 'map' or 'header'."
        )
    return value, None


if __name__ == "__main__":
    sys.exit(main())
