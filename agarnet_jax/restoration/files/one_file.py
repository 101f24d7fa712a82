"""One image file restored into another: read, restore, write; the command's and pipelines' step.

Reading and all checks come first and load no JAX (`prepare`); the rest is `Prepared.finish`.
"""

import contextlib
import dataclasses
import os
import pathlib
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from agarnet_jax.restoration.files import atomic, formats, reading, writing
from agarnet_jax.restoration.files.errors import InputError, shown
from agarnet_jax.restoration.files.formats import Format
from agarnet_jax.restoration.files.options import RestoreOptions
from agarnet_jax.restoration.files.reading import ImageFile
from agarnet_jax.restoration.request import QualitySource

if TYPE_CHECKING:
    from agarnet_jax.restoration.restorer import Restorer


@dataclasses.dataclass(frozen=True)
class Pictures:
    """Further files to write: the quality map, and the comparison of before and after."""

    quality_map: pathlib.Path | None = None
    comparison: pathlib.Path | None = None

    def paths(self) -> list[pathlib.Path]:
        return [path for path in (self.quality_map, self.comparison) if path is not None]


_DEFAULT_OPTIONS, _NO_PICTURES = RestoreOptions(), Pictures()


@dataclasses.dataclass(frozen=True)
class FileResult:
    """What became of a file.

    kind, width, height: of the input as stored. quality: mean of what was assumed, 1–100, and
    quality_range its smallest and largest. grid: (row, column) where the first whole block begins,
    where it was looked for and found. consistent: whether it was moved into the file's
    quantization intervals. notes: what was converted, is missing or could not be kept. backup: of
    an input replaced in place. seconds: of reading, restoring and writing.
    """

    source: pathlib.Path
    destination: pathlib.Path
    kind: str
    width: int
    height: int
    quality: float
    quality_range: tuple[float, float]
    grid: tuple[int, int] | None
    consistent: bool
    notes: tuple[str, ...]
    backup: pathlib.Path | None
    seconds: float

    def as_json(self) -> dict[str, Any]:
        """Plain values, paths absolute; bytes of names that are not UTF-8 as lone surrogates."""
        plain: dict[str, Any] = dataclasses.asdict(self)
        for name in ("source", "destination", "backup"):
            plain[name] = plain[name] and os.path.abspath(plain[name])
        low, high = self.quality_range
        return plain | {
            "quality": round(self.quality, 2),
            "quality_range": [round(low, 2), round(high, 2)],
            "grid": None if self.grid is None else list(self.grid),
            "notes": list(self.notes),
            "seconds": round(self.seconds, 3),
        }


def restore_file(
    source: str | os.PathLike,
    destination: str | os.PathLike,
    *,
    restorer: "Restorer",
    options: RestoreOptions = _DEFAULT_OPTIONS,
    pictures: Pictures = _NO_PICTURES,
) -> FileResult:
    """Restores `source` into `destination`, whose suffix chooses the format.

    The destination's folder must exist. It is written whole or not at all, and replaced if it
    exists; where it is the source itself, only with `options.in_place`.

    Raises:
      InputError: the source cannot be used or the destination cannot be written; the message is
        one line for the user.
    """
    paths = pathlib.Path(source), pathlib.Path(destination)
    prepared = prepare(*paths, options=options, pictures=pictures)
    return prepared.finish(restorer)


def prepare(
    source: pathlib.Path,
    destination: pathlib.Path,
    *,
    options: RestoreOptions,
    pictures: Pictures = _NO_PICTURES,
) -> "Prepared":
    """Reads and checks everything; arguments and errors are those of `restore_file`."""
    begun = time.monotonic()
    if options.in_place:  # of a link, what it leads to
        destination = pathlib.Path(os.path.realpath(destination))
    format = None if options.in_place else formats.of_path(destination)
    for path in (destination, *pictures.paths()):
        check_output(path, source=source, in_place=options.in_place and path == destination)
    file = reading.read(source, max_pixels=options.max_pixels, strict=options.strict)
    format = format or formats.of_kind(file.kind)
    if format is None:
        raise InputError(
            f"{shown(source)} is a {file.kind} file, which cannot be written; give an output with "
            "-o in place of --in-place."
        )
    format.check(destination, size=file.size, bits=options.bits)
    if options.quality is QualitySource.HEADER and file.header is None:
        raise InputError(
            f"{shown(source)} is a {file.kind} file; only a JPEG file has a header that states a "
            "quality: use --quality auto or a number."
        )
    return Prepared(source, destination, file, format, options, pictures, begun)


def check_output(path: pathlib.Path, *, source: pathlib.Path, in_place: bool = False) -> None:
    """Raises InputError unless `path` is in a folder, and not `source`, a device or a folder."""
    try:
        if path.is_dir():
            raise InputError(f"{shown(path)} is a folder; give a file name for the output.")
        if path.exists() and not path.is_file():
            raise InputError(f"{shown(path)} is a device or pipe; name a file for the output.")
        if not path.parent.is_dir():
            raise InputError(f"The folder {shown(path.parent)} does not exist; create it first.")
        if not in_place and path.exists() and source.exists() and path.samefile(source):
            raise InputError(
                f"{shown(path)} is the input; give another name for the output, or --in-place."
            )
    except OSError as error:
        raise InputError(f"{shown(path)} cannot be written: {error.strerror}.") from None


@dataclasses.dataclass(frozen=True)
class Prepared:
    """A file that was read, and can be restored."""

    source: pathlib.Path
    destination: pathlib.Path
    file: ImageFile
    format: Format
    options: RestoreOptions
    pictures: Pictures
    begun: float

    def finish(self, restorer: "Restorer") -> FileResult:
        """Restores and writes; errors are those of `restore_file`."""
        from agarnet_jax.restoration.files import file_restoring  # late: it loads JAX

        try:
            outcome = file_restoring.restore(self.file, restorer=restorer, options=self.options)
        except ValueError as error:
            raise InputError(f"{shown(self.source)}: {error}") from None
        # First, so that an input in whose place the result goes is still there if they fail.
        if self.pictures.paths():
            file_restoring.write_pictures(
                self.file,
                outcome,
                quality_map=self.pictures.quality_map,
                comparison=self.pictures.comparison,
            )
        backups: list[pathlib.Path] = []
        try:
            lost = writing.write(
                outcome.image,
                self.destination,
                metadata=self.file.metadata,
                format=self.format,
                before_replacing=(
                    (lambda: backups.append(atomic.back_up(self.destination)))
                    if self.options.in_place
                    else None
                ),
            )
        except InputError:  # the original is where it was, as of a mount that nothing may replace
            for backup in backups:
                with contextlib.suppress(OSError):
                    backup.unlink()
            raise
        qualities = outcome.quality_map
        return FileResult(
            source=self.source,
            destination=self.destination,
            kind=self.file.kind,
            width=self.file.size[0],
            height=self.file.size[1],
            quality=float(np.mean(qualities, dtype=np.float64)),
            quality_range=(float(qualities.min()), float(qualities.max())),
            grid=outcome.grid,
            consistent=outcome.consistent,
            notes=(*self.file.warnings, *outcome.notes, *lost),
            backup=backups[0] if backups else None,
            seconds=time.monotonic() - self.begun,
        )
