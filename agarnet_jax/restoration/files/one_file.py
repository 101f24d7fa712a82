"""Restores one image file into another, for the command and for pipelines.

`prepare` reads the input and checks everything without loading JAX; `Prepared.finish` restores and
writes.
"""

import contextlib
import dataclasses
import os
import pathlib
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from agarnet_jax.restoration.files import backups, formats, reading, writing
from agarnet_jax.restoration.files.errors import InputError, quoted
from agarnet_jax.restoration.files.formats import Format
from agarnet_jax.restoration.files.image_file import ImageFile
from agarnet_jax.restoration.files.options import RestoreOptions
from agarnet_jax.restoration.pixels import ImageLike
from agarnet_jax.restoration.request import QualitySource

if TYPE_CHECKING:
    from agarnet_jax.restoration.restorer import Restorer


@dataclasses.dataclass(frozen=True)
class Visualizations:
    """Additional files to write: the quality map, and the comparison of before and after."""

    quality_map: pathlib.Path | None = None
    comparison: pathlib.Path | None = None

    def paths(self) -> list[pathlib.Path]:
        return [path for path in (self.quality_map, self.comparison) if path is not None]


_DEFAULT_OPTIONS, _NO_VISUALIZATIONS = RestoreOptions(), Visualizations()


@dataclasses.dataclass(frozen=True)
class FileResult:
    """The outcome of restoring a file.

    kind, width, height: format and size of the input as stored.
    quality, quality_range: mean, and minimum and maximum, of the assumed quality, 1–100, where the
      image was compressed.
    uncompressed: 0–1, the fraction that is graphics and was never compressed (`Restored`).
    grid: (row, column) where the first whole block starts; None if not searched for or not found.
    consistent: whether the result was projected onto the file's quantization intervals.
    notes: what was converted, is missing or could not be kept.
    backup: of an input that was replaced in place.
    seconds: for reading, restoring and writing.
    """

    source: pathlib.Path
    destination: pathlib.Path
    kind: str
    width: int
    height: int
    quality: float
    quality_range: tuple[float, float]
    uncompressed: float
    grid: tuple[int, int] | None
    consistent: bool
    notes: tuple[str, ...]
    backup: pathlib.Path | None
    seconds: float

    def as_json(self) -> dict[str, Any]:
        """Returns plain values; paths are absolute, non-UTF-8 bytes in them lone surrogates."""
        plain: dict[str, Any] = dataclasses.asdict(self)
        for name in ("source", "destination", "backup"):
            plain[name] = plain[name] and os.path.abspath(plain[name])
        low, high = self.quality_range
        return plain | {
            "quality": round(self.quality, 2),
            "quality_range": [round(low, 2), round(high, 2)],
            "uncompressed": round(self.uncompressed, 4),
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
    visualizations: Visualizations = _NO_VISUALIZATIONS,
) -> FileResult:
    """Restores `source` into `destination`, whose suffix chooses the format.

    The destination's folder must exist. The file is written atomically and replaces an existing
    one, but the source itself only with `options.in_place`.

    Raises:
      InputError: the source cannot be used or the destination cannot be written; the one-line
        message is for the user.
    """
    paths = pathlib.Path(source), pathlib.Path(destination)
    prepared = prepare(*paths, options=options, visualizations=visualizations)
    return prepared.finish(restorer)


def prepare(
    source: pathlib.Path,
    destination: pathlib.Path,
    *,
    options: RestoreOptions,
    visualizations: Visualizations,
) -> "Prepared":
    """Reads the source and checks everything; arguments and errors are those of `restore_file`."""
    started = time.monotonic()
    if options.in_place:  # replaces the target of a link, not the link
        destination = pathlib.Path(os.path.realpath(destination))
    format = None if options.in_place else formats.of_path(destination)
    for path in (destination, *visualizations.paths()):
        _check_output(path, source=source, in_place=options.in_place and path == destination)
    file = reading.read(source, max_pixels=options.max_pixels, strict=options.strict)
    format = format or formats.of_kind(file.kind)
    if format is None:
        raise InputError(
            f"{quoted(source)} is a {file.kind} file, a format that cannot be written; use -o "
            "instead of --in-place."
        )
    format.check(destination, size=file.size, bits=options.bits)
    if options.quality is QualitySource.HEADER and file.header is None:
        raise InputError(
            f"{quoted(source)} is a {file.kind} file, but only JPEG headers state a quality; use "
            "--quality auto or a number."
        )
    return Prepared(source, destination, file, format, options, visualizations, started)


def _check_output(path: pathlib.Path, *, source: pathlib.Path, in_place: bool) -> None:
    """Raises InputError if `path` is the source, a folder or a device, or has no parent folder."""
    try:
        if path.is_dir():
            raise InputError(f"{quoted(path)} is a folder; give a file as the output.")
        if path.exists() and not path.is_file():
            raise InputError(f"{quoted(path)} is a device or pipe; give a file as the output.")
        if not path.parent.is_dir():
            raise InputError(f"Folder {quoted(path.parent)} does not exist; create it first.")
        if not in_place and path.exists() and source.exists() and path.samefile(source):
            raise InputError(
                f"{quoted(path)} is the input; give another output, or use --in-place."
            )
    except OSError as error:
        raise InputError(f"{quoted(path)} cannot be written: {error.strerror}.") from None


@dataclasses.dataclass(frozen=True)
class Prepared:
    """A file that was read and checked, ready to be restored."""

    source: pathlib.Path
    destination: pathlib.Path
    file: ImageFile
    format: Format
    options: RestoreOptions
    visualizations: Visualizations
    started: float

    def finish(self, restorer: "Restorer") -> FileResult:
        """Restores and writes the file; errors are those of `restore_file`."""
        from agarnet_jax.restoration.files import file_restoring  # imported late: loads JAX

        try:
            restored = file_restoring.restore(self.file, restorer=restorer, options=self.options)
        except ValueError as error:
            raise InputError(f"{quoted(self.source)}: {error}") from None
        # Written first, so that a failure leaves an input that is to be replaced untouched.
        if self.visualizations.paths():
            file_restoring.write_visualizations(
                self.file,
                restored,
                quality_map=self.visualizations.quality_map,
                comparison=self.visualizations.comparison,
            )
        losses, backup = self._write(restored.image)
        qualities = restored.qualities()
        return FileResult(
            source=self.source,
            destination=self.destination,
            kind=self.file.kind,
            width=self.file.size[0],
            height=self.file.size[1],
            quality=float(np.mean(qualities, dtype=np.float64)),
            quality_range=(float(qualities.min()), float(qualities.max())),
            uncompressed=restored.uncompressed,
            grid=restored.grid,
            consistent=restored.consistent,
            notes=(*self.file.warnings, *restored.notes, *losses),
            backup=backup,
            seconds=time.monotonic() - self.started,
        )

    def _write(self, image: ImageLike) -> tuple[list[str], pathlib.Path | None]:
        """Writes the restored image; returns what was lost, and the backup of a replaced input."""
        made: list[pathlib.Path] = []

        def back_up() -> None:
            made.append(backups.back_up(self.destination))

        try:
            losses = writing.write(
                image,
                self.destination,
                metadata=self.file.metadata,
                format=self.format,
                before_replacing=back_up if self.options.in_place else None,
            )
        except InputError:  # the original was not replaced, so it needs no backup
            for backup in made:
                with contextlib.suppress(OSError):
                    backup.unlink()
            raise
        return losses, made[0] if made else None
