"""From the arguments of `agarnet restore` to files and their outputs; opens nothing, no JAX."""

import argparse
import dataclasses
import os
import pathlib
from collections.abc import Mapping, Sequence

from agarnet_jax.restoration.files import folders, formats
from agarnet_jax.restoration.files.errors import InputError, shown
from agarnet_jax.restoration.files.folders import Found, Names
from agarnet_jax.restoration.files.one_file import Pictures
from agarnet_jax.restoration.files.running import Job

REPORT_NAME = "agarnet-report.jsonl"
_DEFAULT_FORMAT = "png"


@dataclasses.dataclass(frozen=True)
class Layout:
    """Where the outputs of a run go.

    single: whether one file was given, by its name. folder: of the outputs, None: beside the
    inputs, or one file. report: the report's file, by default in the folder of the outputs, or in
    the first that is restored in place; None for none.
    """

    single: bool
    folder: pathlib.Path | None
    report: pathlib.Path | None

    @classmethod
    def of(cls, arguments: argparse.Namespace) -> "Layout":
        """
        Raises:
          InputError: arguments that contradict each other, or leave it open.
        """
        inputs, output = arguments.inputs, arguments.output
        given_folders = [path for path in inputs if os.path.isdir(path)]
        single = len(inputs) == 1 and not given_folders
        _check(arguments, given_folders, single=single)
        folder = output if not single or _means_folder(arguments) else None
        in_place = given_folders[0] if arguments.in_place and given_folders else None
        of_report = folder or in_place
        report = arguments.report or (of_report and of_report / REPORT_NAME)
        if arguments.resume and report is None:
            raise InputError(
                "--resume needs the report of the earlier run: give its --report FILE (it lies by "
                "default in the folder of -o, or the one that was restored --in-place)."
            )
        return cls(single, folder, report)


def _check(
    arguments: argparse.Namespace, given_folders: Sequence[pathlib.Path], *, single: bool
) -> None:
    output = arguments.output
    if arguments.in_place and (output is not None or arguments.format is not None):
        raise InputError("--in-place keeps name and format; leave out -o and --format, or it.")
    if given_folders and output is None and not arguments.in_place:
        raise InputError(
            f"{shown(given_folders[0])} is a folder; say with -o FOLDER where its restored files "
            "go, or give --in-place."
        )
    for flag, path in (("-o", output), ("--map", arguments.map), ("--compare", arguments.compare)):
        if path is None:
            continue
        ends_as_folder = flag == "-o" and arguments.output_ends_as_folder
        if not (single or ends_as_folder) and _names_a_picture(path):
            raise InputError(
                f"{shown(path)} ends as an image file, but several files may come; give a folder."
            )
        if os.path.isdir(path) and any(os.path.samefile(path, each) for each in given_folders):
            raise InputError(f"{shown(path)} is the input; give another folder with {flag}.")


def _names_a_picture(path: pathlib.Path) -> bool:
    return path.suffix.lower() in formats.SUFFIXES and not os.path.isdir(path)


def _means_folder(arguments: argparse.Namespace) -> bool:
    output = arguments.output
    if output is None:
        return False
    return arguments.output_ends_as_folder or os.path.isdir(output) or output.suffix == ""


def plan(arguments: argparse.Namespace, layout: Layout, *, earlier: Mapping[str, str]) -> list[Job]:
    """All files of a run with their outputs.

    Args:
      arguments: of the command.
      layout: of the same.
      earlier: by input, the output of an earlier run; absolute paths.

    Raises:
      InputError: there are none, or outputs that would be written on one another.
    """
    written = [layout.folder, *([] if layout.single else [arguments.map, arguments.compare])]
    apart_from = [folder for folder in written if folder is not None]
    found = list(
        folders.find(arguments.inputs, recursive=arguments.recursive, apart_from=apart_from)
    )
    if not found:
        raise InputError(
            f"There are no image files in {', '.join(map(shown, arguments.inputs))} (suffixes "
            f"{', '.join(formats.SUFFIXES)}); --recursive searches the folders in them, too."
        )
    destinations = _destinations(arguments, layout, found, earlier)
    pictures = _pictures(arguments, layout, found, destinations)
    outputs = [] if arguments.in_place else destinations
    outputs = outputs + [path for item in pictures for path in item.paths()]
    if layout.report is not None:
        outputs.append(layout.report)
    _check_apart(outputs, inputs=[] if layout.single else [item.path for item in found])
    return [
        Job(item.path, destination, picture, item.problem)
        for item, destination, picture in zip(found, destinations, pictures)
    ]


def _check_apart(outputs: Sequence[pathlib.Path], *, inputs: Sequence[pathlib.Path]) -> None:
    """That no output is another one, or an input; of one input, `one_file` says it better."""
    taken = {folders.place(os.path.realpath(path)) for path in inputs}
    for path in outputs:
        if folders.place(path) in taken:
            raise InputError(
                f"{shown(path)} would be written twice, or is an input; -o, --map, --compare and "
                "--report need places of their own."
            )
        taken.add(folders.place(path))


def _destinations(
    arguments: argparse.Namespace,
    layout: Layout,
    found: Sequence[Found],
    earlier: Mapping[str, str],
) -> list[pathlib.Path]:
    """The output of each."""
    if arguments.in_place:
        return [pathlib.Path(os.path.realpath(item.path)) for item in found]
    suffix = formats.BY_NAME[arguments.format or _DEFAULT_FORMAT].suffixes[0]
    inputs = [item.path for item in found]
    if layout.folder is not None:
        names = Names(ending=suffix, inputs=inputs, earlier=earlier)
        return _in_folder(found, layout.folder, names)
    if arguments.output is not None:
        _check_suffix(arguments.output, arguments.format)
        return [arguments.output]
    names = Names(ending=f"_restored{suffix}", inputs=inputs, earlier=earlier)
    return [names.output(item.path, folder=item.path.parent) for item in found]


def _check_suffix(output: pathlib.Path, format: str | None) -> None:
    chosen = formats.of_path(output).name.lower()
    if format not in (None, chosen):
        raise InputError(
            f"{shown(output)} ends as a {chosen} file, and --format is {format}; leave one out."
        )


def _pictures(
    arguments: argparse.Namespace,
    layout: Layout,
    found: Sequence[Found],
    destinations: Sequence[pathlib.Path],
) -> list[Pictures]:
    """The further files of each: of several, in folders built as the outputs', or else inputs'."""
    wanted = [arguments.map, arguments.compare]
    if layout.single:
        for path in filter(None, wanted):
            formats.of_path(path)
        return [Pictures(*wanted)]
    inputs = [item.path for item in found]
    columns: list[Sequence[pathlib.Path | None]] = []
    for folder in wanted:
        if folder is None:
            columns.append([None] * len(found))
        elif layout.folder is not None:
            named_alike = (path.relative_to(layout.folder) for path in destinations)
            columns.append([folder / path.with_suffix(".png") for path in named_alike])
        else:
            columns.append(_in_folder(found, folder, Names(ending=".png", inputs=inputs)))
    return [Pictures(*paths) for paths in zip(*columns)]


def _in_folder(found: Sequence[Found], folder: pathlib.Path, names: Names) -> list[pathlib.Path]:
    return [names.output(item.path, folder=folder / item.relative.parent) for item in found]
