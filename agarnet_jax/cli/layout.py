"""Maps the arguments of `agarnet restore` to inputs and outputs; opens no file, loads no JAX."""

import argparse
import dataclasses
import os
import pathlib
from collections.abc import Mapping, Sequence

from agarnet_jax.restoration.files import folders, formats
from agarnet_jax.restoration.files.errors import InputError, quoted
from agarnet_jax.restoration.files.folders import Found, OutputNames
from agarnet_jax.restoration.files.one_file import Visualizations
from agarnet_jax.restoration.files.running import Job

REPORT_NAME = "agarnet-report.jsonl"
_DEFAULT_FORMAT = "png"


@dataclasses.dataclass(frozen=True)
class Layout:
    """Where the outputs of a run go.

    single: whether the only input is a file. folder: of the outputs; None if they are written next
    to the inputs, or to a single file. report: by default in the output folder, or in the first
    folder restored in place; None for no report.
    """

    single: bool
    folder: pathlib.Path | None
    report: pathlib.Path | None

    @classmethod
    def of(cls, arguments: argparse.Namespace) -> "Layout":
        """
        Raises:
          InputError: the arguments contradict each other or are incomplete.
        """
        inputs, output = arguments.inputs, arguments.output
        given_folders = [path for path in inputs if os.path.isdir(path)]
        single = len(inputs) == 1 and not given_folders
        _check(arguments, given_folders, single=single)
        folder = output if not single or _output_is_folder(arguments) else None
        in_place = given_folders[0] if arguments.in_place and given_folders else None
        report_folder = folder or in_place
        report = arguments.report or (report_folder and report_folder / REPORT_NAME)
        if arguments.resume and report is None:
            raise InputError(
                "--resume needs the report of the earlier run; use --report FILE (by default, it "
                "is in the output folder, or in the folder restored with --in-place)."
            )
        return cls(single, folder, report)


def _check(
    arguments: argparse.Namespace, given_folders: Sequence[pathlib.Path], *, single: bool
) -> None:
    output = arguments.output
    if arguments.in_place and (output is not None or arguments.format is not None):
        raise InputError(
            "--in-place keeps name and format; omit either --in-place, or -o and --format."
        )
    if given_folders and output is None and not arguments.in_place:
        raise InputError(
            f"{quoted(given_folders[0])} is a folder; use -o FOLDER to choose where its restored "
            "files go, or --in-place."
        )
    for flag, path in (("-o", output), ("--map", arguments.map), ("--compare", arguments.compare)):
        if path is None:
            continue
        ends_as_folder = flag == "-o" and arguments.output_ends_as_folder
        if not (single or ends_as_folder) and _is_image_name(path):
            raise InputError(
                f"{quoted(path)} is named like an image file, but there may be several outputs; "
                f"use a folder for {flag}."
            )
        if os.path.isdir(path) and any(os.path.samefile(path, each) for each in given_folders):
            raise InputError(f"{quoted(path)} is the input; use another folder for {flag}.")


def _is_image_name(path: pathlib.Path) -> bool:
    return path.suffix.lower() in formats.SUFFIXES and not os.path.isdir(path)


def _output_is_folder(arguments: argparse.Namespace) -> bool:
    output = arguments.output
    if output is None:
        return False
    return arguments.output_ends_as_folder or os.path.isdir(output) or output.suffix == ""


def plan(arguments: argparse.Namespace, layout: Layout, *, earlier: Mapping[str, str]) -> list[Job]:
    """Returns a job for each file of a run.

    Args:
      arguments: of the command.
      layout: for the same arguments.
      earlier: outputs of an earlier run, by input; absolute paths.

    Raises:
      InputError: there are no files, or outputs would overwrite one another.
    """
    written = [layout.folder, *([] if layout.single else [arguments.map, arguments.compare])]
    excluding = [folder for folder in written if folder is not None]
    found = list(folders.find(arguments.inputs, recursive=arguments.recursive, excluding=excluding))
    if not found:
        raise InputError(
            f"There are no image files ({', '.join(formats.SUFFIXES)}) in "
            f"{', '.join(map(quoted, arguments.inputs))}; use --recursive to search subfolders."
        )
    destinations = _destinations(arguments, layout, found, earlier)
    visualizations = _visualizations(arguments, layout, found, destinations)
    outputs = [] if arguments.in_place else destinations
    outputs = outputs + [path for item in visualizations for path in item.paths()]
    if layout.report is not None:
        outputs.append(layout.report)
    _check_distinct(outputs, inputs=[] if layout.single else [item.path for item in found])
    return [
        Job(item.path, destination, extra, item.problem)
        for item, destination, extra in zip(found, destinations, visualizations)
    ]


def _check_distinct(outputs: Sequence[pathlib.Path], *, inputs: Sequence[pathlib.Path]) -> None:
    """Raises InputError if an output equals another one or an input.

    A single input is left to `one_file`, whose message is more precise.
    """
    taken = {folders.canonical(os.path.realpath(path)) for path in inputs}
    for path in outputs:
        if folders.canonical(path) in taken:
            raise InputError(
                f"{quoted(path)} would be written twice, or is an input; use different paths for "
                "-o, --map, --compare and --report."
            )
        taken.add(folders.canonical(path))


def _destinations(
    arguments: argparse.Namespace,
    layout: Layout,
    found: Sequence[Found],
    earlier: Mapping[str, str],
) -> list[pathlib.Path]:
    """Returns the output of each input."""
    if arguments.in_place:
        return [pathlib.Path(os.path.realpath(item.path)) for item in found]
    suffix = formats.BY_NAME[arguments.format or _DEFAULT_FORMAT].suffixes[0]
    inputs = [item.path for item in found]
    if layout.folder is not None:
        names = OutputNames(ending=suffix, inputs=inputs, earlier=earlier)
        return _in_folder(found, layout.folder, names)
    if arguments.output is not None:
        _check_suffix(arguments.output, arguments.format)
        return [arguments.output]
    names = OutputNames(ending=f"_restored{suffix}", inputs=inputs, earlier=earlier)
    return [names.output(item.path, folder=item.path.parent) for item in found]


def _check_suffix(output: pathlib.Path, format: str | None) -> None:
    chosen = formats.of_path(output).name.lower()
    if format not in (None, chosen):
        raise InputError(
            f"{quoted(output)} has the suffix of a {chosen} file, but --format is {format}; change "
            "or omit one of them."
        )


def _visualizations(
    arguments: argparse.Namespace,
    layout: Layout,
    found: Sequence[Found],
    destinations: Sequence[pathlib.Path],
) -> list[Visualizations]:
    """Returns the additional files of each input.

    For several inputs, they are in folders structured like the outputs, or else the inputs.
    """
    requested = [arguments.map, arguments.compare]
    if layout.single:
        for path in filter(None, requested):
            formats.of_path(path)
        return [Visualizations(*requested)]
    inputs = [item.path for item in found]
    columns: list[Sequence[pathlib.Path | None]] = []
    for folder in requested:
        if folder is None:
            columns.append([None] * len(found))
        elif layout.folder is not None:
            relative = (path.relative_to(layout.folder) for path in destinations)
            columns.append([folder / path.with_suffix(".png") for path in relative])
        else:
            columns.append(_in_folder(found, folder, OutputNames(ending=".png", inputs=inputs)))
    return [Visualizations(*paths) for paths in zip(*columns)]


def _in_folder(
    found: Sequence[Found], folder: pathlib.Path, names: OutputNames
) -> list[pathlib.Path]:
    return [names.output(item.path, folder=folder / item.relative.parent) for item in found]
