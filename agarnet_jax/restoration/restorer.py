"""Blind restoration of arrays and Pillow images: the library's main entry point."""

import functools
import math
import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal, Unpack, overload

import jax
import numpy as np
from PIL import Image

from agarnet_jax import weights
from agarnet_jax.configs import member
from agarnet_jax.restoration.components import Components
from agarnet_jax.restoration.engine import Engine, Restoration
from agarnet_jax.restoration.jpeg_header import JpegHeader
from agarnet_jax.restoration.network import check_devices, is_out_of_memory
from agarnet_jax.restoration.pixels import ImageLike
from agarnet_jax.restoration.quality import QualityMap
from agarnet_jax.restoration.request import (
    ESTIMATED_SOURCES,
    QualitySource,
    Request,
    RestoreArguments,
    RestoreManyArguments,
)
from agarnet_jax.restoration.restored import ImageT, Restored, assemble
from agarnet_jax.restoration.splitting import as_image, own_header, split
from agarnet_jax.restoration.tiling import OVERLAP
from agarnet_jax.restoration.traces.subsampling import Subsampling

__all__ = ["JpegHeader", "QualitySource", "Restored", "Restorer"]

# `restore_many` reads ahead until it has this many images or pixels.
_READ_AHEAD_IMAGES, _READ_AHEAD_PIXELS = 32, 2**22


class Restorer:
    """Removes JPEG artifacts with one set of weights.

    Images are processed from top to bottom. Planes with a side of more than `tile` pixels are cut
    into overlapping tiles, one for each device at a time. So besides the image and its result,
    memory grows only with the width, and all large images share one compiled program. Smaller ones
    need one for each (padded) size. When a device runs out of memory, the side of tiles is halved
    for this and all later images.

    Thread-safe. Unpickling in another process rebuilds the restorer there. Programs should call
    `agarnet_jax.runtime.prepare` first, which makes restoration faster on CPU.

        restorer = Restorer.from_pretrained("tiny")
        restorer.restore(Image.open("photo.jpg")).image.save("photo.png")
    """

    def __init__(
        self,
        trained: weights.Weights,
        *,
        tile: int | Literal["auto"] | None = "auto",
        overlap: int = OVERLAP,
        devices: Sequence[jax.Device] | None = None,
        use_traces: bool = True,
    ):
        """
        Args:
          trained: the weights.
          tile: maximum side of a tile, a multiple of 64. "auto" is 512, or less if the free memory
            requires it (`memory.py`); None processes planes whole.
          overlap: width of the margin that is computed around a tile and discarded, a multiple of
            8. Pixels more than 32 away change the result of `tiny` by at most 1.7 of 255 levels at
            Q 1 and 3, 0.5 at Q 10 and 0.04 at Q 40 (9 crops of 320×320, 2026-11-30); pixels more
            than 48 away do not change it. Deeper networks have a larger receptive field.
          devices: the devices to use; None: all local devices. To restore several images at a time,
            call restorers of one device each from threads.
          use_traces: whether to use compression traces in the pixels; without them, estimates are
            the network's alone, as always with weights of `CellPlacement.RELEASED`. With them:
            - Recompressions detected in luma are undone first (`earlier_jpeg.py`).
            - Text and graphics that were never compressed stay as they are
              (`uncompressed_graphics.py`).
            - The estimate for an image ignores them and flat areas (`flat_areas.py`). If it is near
              the quality detected in the pixels, it becomes that (`last_compression.py`).
            - Each plane uses its own table from the header if the pixels confirm the header, or if
              a far lower estimate has no trace in them (`spurious_estimate.py`).
            - In a map, cells become exact from quality 90 on, and flat cells and those near the
              image's estimate become that estimate.

        Raises:
          ValueError: an invalid tile or overlap, or no device.
          TypeError: `trained` is not Weights, or `devices` not a sequence of devices.
        """
        if not isinstance(trained, weights.Weights):
            raise TypeError(
                f"The weights are of type {type(trained).__name__}; use Restorer.from_pretrained "
                "for a name or a file."
            )
        check_devices(devices)
        self.weights = trained
        self._options: dict[str, Any] = {
            "tile": tile,
            "overlap": overlap,
            "devices": devices,
            "use_traces": use_traces,
        }
        self._engine = Engine(trained, **self._options)

    def __repr__(self) -> str:
        options = ", ".join(f"{name}={value!r}" for name, value in self._options.items())
        return f"{type(self).__name__}({options})"

    def __reduce__(self) -> tuple[Any, ...]:
        if self._options["devices"] is not None:
            raise TypeError("devices belong to one process; create a Restorer in each.")
        return functools.partial(type(self), **self._options), (self.weights,)

    @classmethod
    def from_pretrained(
        cls,
        name_or_path: str | os.PathLike = "tiny",
        *,
        tile: int | Literal["auto"] | None = "auto",
        overlap: int = OVERLAP,
        devices: Sequence[jax.Device] | None = None,
        use_traces: bool = True,
    ) -> "Restorer":
        """Creates a restorer with shipped weights, by name, or with a weights file.

        Other arguments and errors are those of the class.

        Raises:
          ValueError: there are no such weights.
        """
        trained = weights.load(name_or_path)
        return cls(trained, tile=tile, overlap=overlap, devices=devices, use_traces=use_traces)

    @overload
    def restore(
        self, image: ImageT, *, bits: None = None, **options: Unpack[RestoreArguments]
    ) -> Restored[ImageT]: ...

    @overload
    def restore(
        self, image: ImageLike, *, bits: int | None = None, **options: Unpack[RestoreArguments]
    ) -> Restored[Any]: ...

    def restore(
        self,
        image: ImageLike,
        *,
        quality: float | np.ndarray | QualitySource | str | None = None,
        header: JpegHeader | None = None,
        table: np.ndarray | None = None,
        strength: float = 1.0,
        chroma: bool = True,
        bits: int | None = None,
        ensemble: int = 1,
    ) -> Restored:
        """Restores one image.

        The 8×8 grid of the compression is assumed to start at the top left corner. Alpha is kept,
        and so are components with one value throughout, like chroma of gray images.

            result = restorer.restore(np.asarray(image), quality=30, strength=0.8)
            deep = restorer.restore(Image.open("photo.jpg"), bits=16).image  # (H, W, 3) uint16

        Args:
          image: an array (H, W) or (H, W, 1–4), uint8, uint16 or floating point in [0, 1] (see
            `splitting.split`), or a Pillow image. One opened with `draft("YCbCr", None)` keeps
            values that conversion to RGB would clip.
          quality: the JPEG quality 1–100, one number or pixel-wise (H, W), or its source, also as a
            string ("auto", "map", "header"). None is "auto": one value is estimated. Chroma uses
            the same quality (a map is averaged to its resolution) with the Annex K chroma table,
            unless pixels confirm a header, whose tables are then used. Recompressions are undone
            (see `use_traces`) unless quality is "header" or `table` is given; graphics that were
            never compressed stay as they are only if quality is "auto" or "map", without `table`.
          header: that of the JPEG file. It gives the subsampling of chroma, otherwise detected from
            the pixels, and the tables for `QualitySource.HEADER` and wherever pixels confirm them.
            Files opened by Pillow have their own.
          table: the luma quantization table (8, 8) in raster order; None: derived from the quality.
          strength: 0–1.5, a factor on the quantization steps that the network is given
            (`quality.apply_strength`): the smaller, the less changes; 0 changes nothing.
          chroma: whether to restore chroma; if not, only luma (and colours or inks of images coded
            without chroma).
          bits: bits per sample of the result, 8 or 16; None: those of the image.
          ensemble: 8 for the mean over rotations and mirrorings (`ensemble.py`), at eight times
            the work.

        Returns:
          The restored image, of the type given, and the quality map. Pillow images of other
          colour modes, such as palette or YCbCr, become RGB; with `bits` other than their own, they
          become arrays. They keep their `info`: the ICC profile, and EXIF, whose orientation
          is not applied.

        Raises:
          ValueError: an unsupported image, a header that does not fit it, or a value out of range.
        """
        request = Request(
            quality=_parse_quality(quality),
            table=table,
            strength=strength,
            chroma=chroma,
            bits=bits,
            ensemble=ensemble,
        )
        return self._restore(image, _split(image, header, request), request)

    @overload
    def restore_many(
        self,
        images: Iterable[ImageT],
        *,
        bits: None = None,
        **options: Unpack[RestoreManyArguments],
    ) -> Iterator[Restored[ImageT]]: ...

    @overload
    def restore_many(
        self,
        images: Iterable[ImageLike],
        *,
        bits: int | None = None,
        **options: Unpack[RestoreManyArguments],
    ) -> Iterator[Restored[Any]]: ...

    def restore_many(
        self,
        images: Iterable[ImageLike],
        *,
        quality: float | np.ndarray | QualitySource | str | None = None,
        strength: float = 1.0,
        chroma: bool = True,
        bits: int | None = None,
        ensemble: int = 1,
    ) -> Iterator[Restored]:
        """Restores images in order, batching small images of equal (padded) size.

        Up to 32 images, or 4 megapixels, are read ahead; `images` may change or close an image when
        the next one is requested. Results equal those of `restore` up to floating point rounding.

            paths = sorted(folder.glob("*.jpg"))
            images = (Image.open(path) for path in paths)
            for path, result in zip(paths, restorer.restore_many(images)):
                result.image.save(path.with_suffix(".png"))

        Arguments, results and errors are those of `restore`. Invalid arguments raise at the call.
        An error of one image, or of `images`, ends the iteration after all results before it.
        """
        request = Request(
            quality=_parse_quality(quality),
            strength=strength,
            chroma=chroma,
            bits=bits,
            ensemble=ensemble,
        )
        return self._restore_many(iter(images), request)

    def _restore_many(self, images: Iterator[ImageLike], request: Request) -> Iterator[Restored]:
        for batch in _read_ahead(images, request):
            restorations = self._restore_small([components for _, components in batch], request)
            for image, components in batch:
                if components in restorations:
                    yield assemble(image, components, restorations[components], request)
                else:
                    yield self._restore(image, components, request)

    def estimate(
        self,
        image: ImageLike,
        *,
        header: JpegHeader | None = None,
        sources: QualitySource | str | Sequence[QualitySource | str] = ESTIMATED_SOURCES,
    ) -> dict[QualitySource, np.ndarray]:
        """Estimates the quality that `restore` would, for several sources at the cost of one.

        Graphics that were never compressed (`Restored.uncompressed`) do not count.

        Args:
          image, header: see `restore`.
          sources: IMAGE and MAP, or one of them; also as strings, "auto" and "map".

        Returns:
          Quality 1–100, float32: () for `QualitySource.IMAGE`, (H, W) for MAP.

        Raises:
          ValueError: see `restore`, or another source.
        """
        requested = [sources] if isinstance(sources, str) else sources
        members = [member(QualitySource, source, "sources") for source in requested]
        if QualitySource.HEADER in members:
            raise ValueError("sources has HEADER, which is read, not estimated; use IMAGE or MAP.")
        components = split(image, header=header, subsampling=Subsampling.S444)
        return self.estimate_components(components, sources=members)

    def estimate_components(
        self, components: Components, *, sources: Sequence[QualitySource] = ESTIMATED_SOURCES
    ) -> dict[QualitySource, np.ndarray]:
        """Does what `estimate` does for an image that has been split already.

        What is detected in the primary plane for it, such as `Plane.detected_table`, is kept there.
        """
        estimates = self._engine.estimate(components)
        results = {}
        for source in sources:
            quality = estimates[source]
            results[source] = quality.to_array() if isinstance(quality, QualityMap) else quality
        return results

    def _restore(self, image: ImageLike, components: Components, request: Request) -> Restored:
        while True:
            try:
                restoration = self._engine.restore(components, request)
                return assemble(image, components, restoration, request)
            except jax.errors.JaxRuntimeError as error:
                self._engine.use_smaller_tiles(error, components.size)

    def _restore_small(
        self, images: Sequence[Components], request: Request
    ) -> dict[Components, Restoration]:
        """Restores the small images in shared batches.

        Returns an empty dict if one is invalid or a batch takes too much memory; each image is then
        restored on its own.
        """
        small = [components for components in images if self._engine.fits_into_one_tile(components)]
        try:
            return dict(zip(small, self._engine.restore_batch(small, request)))
        except ValueError:  # of one image; it is raised again after the results of those before it
            return {}
        except jax.errors.JaxRuntimeError as error:
            if not is_out_of_memory(error):
                raise
            return {}


def _parse_quality(
    quality: float | np.ndarray | QualitySource | str | None,
) -> float | np.ndarray | QualitySource:
    if quality is None:
        return QualitySource.IMAGE
    return member(QualitySource, quality, "quality") if isinstance(quality, str) else quality


def _split(image: ImageLike, header: JpegHeader | None, request: Request) -> Components:
    """Splits an image; the subsampling of chroma is detected only if chroma is restored."""
    subsampling = None if request.chroma else Subsampling.S444
    return split(image, header=header, subsampling=subsampling)


def _read_ahead(
    images: Iterator[ImageLike], request: Request
) -> Iterator[list[tuple[ImageLike, Components]]]:
    """Yields batches of images with their components, limited in images and pixels.

    All but the last image of a batch are copied, since `images` may change or close an image when
    the next one is requested.
    """
    batch: list[tuple[ImageLike, Components]] = []
    pixels = 0
    try:
        for given in images:
            image = as_image(given)
            header = own_header(image)  # copies have none
            pixels += math.prod(image.size if isinstance(image, Image.Image) else image.shape[:2])
            is_full = len(batch) + 1 == _READ_AHEAD_IMAGES or pixels >= _READ_AHEAD_PIXELS
            image = image if is_full else image.copy()
            batch.append((image, _split(image, header, request)))
            if is_full:
                yield batch
                batch, pixels = [], 0
    except Exception:
        if batch:
            yield batch
        raise
    if batch:
        yield batch
