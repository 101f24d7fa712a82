"""Blind restoration of arrays and pictures: the library's front door."""

import dataclasses
import functools
import math
import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Generic, Literal, TypeVar, Unpack, overload

import jax
import numpy as np
from PIL import Image

from agarnet_jax import weights
from agarnet_jax.configs import member
from agarnet_jax.restoration.components import Components
from agarnet_jax.restoration.engine import Computed, Engine
from agarnet_jax.restoration.jpeg_header import JpegHeader
from agarnet_jax.restoration.network import check_devices, is_out_of_memory
from agarnet_jax.restoration.pixels import Picture
from agarnet_jax.restoration.quality import QualityMap
from agarnet_jax.restoration.request import (
    ESTIMATED,
    ManyOptions,
    Options,
    Orientation,
    QualitySource,
    Request,
)
from agarnet_jax.restoration.splitting import as_image, own_header, split
from agarnet_jax.restoration.tiling import OVERLAP
from agarnet_jax.restoration.traces.subsampling import Subsampling

__all__ = ["JpegHeader", "Orientation", "QualitySource", "Restored", "Restorer"]

# `restore_many` reads ahead so many images, or so many pixels.
_MANY_IMAGES, _MANY_PIXELS = 32, 2**22


Kind = TypeVar("Kind", np.ndarray, Image.Image)


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Restored(Generic[Kind]):
    """image: as it was given, restored. quality_map: (H, W) float32 in 1–100, what was assumed.

    The map takes memory only where quality differs between pixels.

    overruled: 1–100, an estimate that was not assumed, as nothing in the pixels supported it; the
      quality of the header was, or that which steps show, or 100 where there is no trace of a JPEG.
    """

    image: Kind
    quality_map: np.ndarray
    overruled: float | None = None

    def __repr__(self) -> str:
        image = self.image
        shown = f"{image.dtype} {image.shape}" if isinstance(image, np.ndarray) else repr(image)
        low, high = self.quality_map.min(), self.quality_map.max()
        return (
            f"Restored(image={shown}, quality_map={self.quality_map.shape} in {low:g}–{high:g}, "
            f"overruled={self.overruled})"
        )

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickles one value of a map that takes the memory of one."""
        one = not any(self.quality_map.strides)
        kept = self.quality_map[:1, :1] if one else self.quality_map
        return _unpickled, (self.image, kept, self.quality_map.shape, self.overruled)


def _unpickled(
    image: Any, kept: np.ndarray, shape: tuple[int, int], overruled: float | None
) -> Restored:
    quality_map = kept if kept.shape == shape else np.broadcast_to(kept, shape)
    return Restored(image, quality_map, overruled)


class Restorer:
    """Removes JPEG artifacts with one set of weights.

    Images are processed from top to bottom, planes with a side of more than `tile` in overlapping
    tiles, one on each device at a time: besides the image and its result, memory grows with the
    width only, and all large images share one compiled program; smaller ones are compiled once for
    each (padded) size. A device that runs out of memory gets tiles of half the side from then on.
    Programs call `agarnet_jax.runtime.prepare` first, which is faster on CPU. Threads may share a
    restorer; pickled for another process, it is made anew there.

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
        read_steps: bool = True,
    ):
        """
        Args:
          trained: the weights.
          tile: largest side of a tile, a multiple of 64; "auto" takes 512 or what fits into the
            memory that is free (`memory.py`), and None processes planes whole.
          overlap: how many pixels around a tile are computed and thrown away, a multiple of 8.
            Pixels more than 32 away change the result of `tiny` by at most 1.7 of 255 levels at
            Q 1 and 3, 0.5 at Q 10 and 0.04 at Q 40 (9 crops of 320×320, 2026-11-30); those more
            than 48 away do not. Deeper networks see further.
          devices: what computes; None: all local devices. Restorers of one device each, called
            from threads, restore several images at a time.
          read_steps: whether pixels tell what they can; otherwise estimates are the network's
            alone. Recompressions that show in luma are undone before anything else
            (`earlier_jpeg.py`). One estimate for an image leaves out flat areas
            (`flat_areas.py`), and becomes the quality that quantization steps show where it is
            near it (`quantization_steps.py`); where they confirm a header, each plane takes its
            own table; so it does where a far lower estimate has no trace in the pixels
            (`compression_history.contradicts`). Of a map, cells become exact from quality 90 on,
            and cells that are plain or near the estimate of the image become that. Weights with
            `CellPlacement.RELEASED` estimate as the release does, without.

        Raises:
          ValueError: an impossible tile or overlap, or no device.
          TypeError: no weights, or other things than devices.
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
            "read_steps": read_steps,
        }
        self._engine = Engine(trained, **self._options)

    def __repr__(self) -> str:
        options = ", ".join(f"{name}={value!r}" for name, value in self._options.items())
        return f"{type(self).__name__}({options})"

    def __reduce__(self) -> tuple[Any, ...]:
        if self._options["devices"] is not None:
            raise TypeError("devices belong to one process; make a Restorer in each.")
        return functools.partial(type(self), **self._options), (self.weights,)

    @classmethod
    def from_pretrained(
        cls,
        name_or_path: str | os.PathLike = "tiny",
        *,
        tile: int | Literal["auto"] | None = "auto",
        overlap: int = OVERLAP,
        devices: Sequence[jax.Device] | None = None,
        read_steps: bool = True,
    ) -> "Restorer":
        """Shipped weights by name, or a weights file; options as of the class.

        Raises:
          ValueError: there are no such weights, or as the class.
          TypeError: as the class.
        """
        trained = weights.load(name_or_path)
        return cls(trained, tile=tile, overlap=overlap, devices=devices, read_steps=read_steps)

    @overload
    def restore(
        self, image: Kind, *, bits: None = None, **options: Unpack[Options]
    ) -> Restored[Kind]: ...

    @overload
    def restore(
        self, image: Picture, *, bits: int | None = None, **options: Unpack[Options]
    ) -> Restored[Any]: ...

    def restore(
        self,
        image: Picture,
        *,
        quality: float | np.ndarray | QualitySource | str | None = None,
        header: JpegHeader | None = None,
        table: np.ndarray | None = None,
        orientation: Orientation | str = Orientation.UPRIGHT,
        strength: float = 1.0,
        chroma: bool = True,
        bits: int | None = None,
        ensemble: int = 1,
    ) -> Restored:
        """Restores one image; alpha is kept.

        The 8×8 grid of the compression is taken to start at the top left corner. Components that
        have one value throughout, as chroma of gray pictures has, stay as they are.

            result = restorer.restore(np.asarray(picture), quality=30, strength=0.8)
            deep = restorer.restore(Image.open("photo.jpg"), bits=16).image  # (H, W, 3) uint16

        Args:
          image: an array (H, W) or (H, W, 1–4), uint8, uint16 or floating point in [0, 1] (see
            `splitting.split`), or a Pillow picture. One opened by `draft("YCbCr", None)` keeps
            what RGB would clip.
          quality: JPEG quality 1–100, one number or pixel-wise (H, W); or where it comes from,
            also as a string ("auto", "map", "header"); None, as "auto", estimates one value.
            Chroma takes the same quality (a map is averaged to its resolution) and the Annex K
            chroma table of it, unless a header tells its own and steps confirm that header.
            Recompressions are undone (see `read_steps`) unless it comes from the header, or the
            table is given.
          header: the JPEG file's, which tells how chroma is subsampled (without it, that is found
            from the pixels), and tables for `QualitySource.HEADER` and where pixels confirm them.
            Files opened by Pillow have their own.
          table: the luma quantization table (8, 8), raster order, where it is known, lying as
            the image does; otherwise it is derived from the quality.
          orientation: TRANSPOSED, or "transposed", for an image that was transposed after its
            compression; the header stays the file's.
          strength: 0–1.5, multiplies the quantization steps that the network is told of
            (`quality.strengthened`): less changes less, 0 nothing at all.
          chroma: whether chroma is restored, or only luma (and colours or inks without chroma).
          bits: 8 or 16 a sample of the result; None: as the image has.
          ensemble: 8 for the mean over rotations and mirrorings (`ensemble.py`), at eight times
            the work.

        Returns:
          An image like the one given, and the quality map. Pictures in modes of other colours, such
          as palette or YCbCr, come back as RGB; asked for other bits than they have, as arrays.
          Their `info` is kept, such as EXIF, whose orientation is not applied, and ICC profile.

        Raises:
          ValueError: an unsupported image, a header that does not fit, or a value out of range.
        """
        request = Request(
            quality=_checked_quality(quality),
            table=table,
            orientation=member(Orientation, orientation, "orientation"),
            strength=strength,
            chroma=chroma,
            bits=bits,
            ensemble=ensemble,
        )
        return self._restored(image, _parts(image, header, request), request)

    @overload
    def restore_many(
        self, images: Iterable[Kind], *, bits: None = None, **options: Unpack[ManyOptions]
    ) -> Iterator[Restored[Kind]]: ...

    @overload
    def restore_many(
        self, images: Iterable[Picture], *, bits: int | None = None, **options: Unpack[ManyOptions]
    ) -> Iterator[Restored[Any]]: ...

    def restore_many(
        self,
        images: Iterable[Picture],
        *,
        quality: float | np.ndarray | QualitySource | str | None = None,
        strength: float = 1.0,
        chroma: bool = True,
        bits: int | None = None,
        ensemble: int = 1,
    ) -> Iterator[Restored]:
        """Restores images in order, planes of equal (padded) size in the same calls.

        Small images gain most: devices work on several at a time. Up to 32 images, or 4 megapixels,
        are read ahead; `images` may change or close one when the next is asked for. Results are
        those of `restore`, within roundings of float.

            paths = sorted(folder.glob("*.jpg"))
            pictures = (Image.open(path) for path in paths)
            for path, result in zip(paths, restorer.restore_many(pictures)):
                result.image.save(path.with_suffix(".png"))

        Arguments, results and errors are those of `restore`. Errors of arguments come at the call;
        one of an image, or of `images`, ends the iteration after the results of all before it.
        """
        request = Request(
            quality=_checked_quality(quality),
            strength=strength,
            chroma=chroma,
            bits=bits,
            ensemble=ensemble,
        )
        return self._restored_many(iter(images), request)

    def _restored_many(self, images: Iterator[Picture], request: Request) -> Iterator[Restored]:
        for window in _windows(images, request):
            together = self._computed_together([parts for _, parts in window], request)
            for image, parts in window:
                if parts in together:
                    yield _result(image, parts, together[parts], request)
                else:
                    yield self._restored(image, parts, request)

    def estimate(
        self,
        image: Picture,
        *,
        header: JpegHeader | None = None,
        sources: QualitySource | str | Sequence[QualitySource | str] = ESTIMATED,
    ) -> dict[QualitySource, np.ndarray]:
        """What `restore` would estimate of an image, in several forms at the cost of one.

        Args:
          image, header: as of `restore`.
          sources: IMAGE and MAP, or one of them; "auto" and "map" as strings.

        Returns:
          Quality 1–100, float32: () for `QualitySource.IMAGE`, (H, W) for MAP.

        Raises:
          ValueError: as `restore`, or another source.
        """
        named = [sources] if isinstance(sources, str) else sources
        members = [member(QualitySource, source, "sources") for source in named]
        if QualitySource.HEADER in members:
            raise ValueError("sources has HEADER, which is read, not estimated; use IMAGE or MAP.")
        parts = split(image, header=header, subsampling=Subsampling.S444)
        estimates = self._engine.estimates(parts)
        asked = {source: estimates[source] for source in members}
        return {
            source: quality.whole() if isinstance(quality, QualityMap) else quality
            for source, quality in asked.items()
        }

    def _restored(self, image: Picture, parts: Components, request: Request) -> Restored:
        while True:
            try:
                return _result(image, parts, self._engine.computed(parts, request), request)
            except jax.errors.JaxRuntimeError as error:
                self._engine.use_smaller_tiles(error, parts.size)

    def _computed_together(
        self, images: Sequence[Components], request: Request
    ) -> dict[Components, Computed]:
        """Computes the small images together, or none if that takes too much memory."""
        small = [parts for parts in images if self._engine.is_one_tile(parts)]
        try:
            return dict(zip(small, self._engine.computed_together(small, request)))
        except jax.errors.JaxRuntimeError as error:
            if not is_out_of_memory(error):
                raise
            return {}


def _checked_quality(
    quality: float | np.ndarray | QualitySource | str | None,
) -> float | np.ndarray | QualitySource:
    if quality is None:
        return QualitySource.IMAGE
    return member(QualitySource, quality, "quality") if isinstance(quality, str) else quality


def _parts(image: Picture, header: JpegHeader | None, request: Request) -> Components:
    """The image's components; nobody asks for the subsampling of chroma that is kept."""
    known = None if request.chroma else Subsampling.S444
    if isinstance(header, JpegHeader) and request.orientation is Orientation.TRANSPOSED:
        header = header.transposed()
    return split(image, header=header, subsampling=known)


def _result(image: Picture, parts: Components, computed: Computed, request: Request) -> Restored:
    assumed, changes = computed
    detail = assumed.detail(parts, request)
    if isinstance(image, Image.Image) and parts.has_bits(request.bits):
        result: Any = parts.picture(changes, detail=detail)
        result.info = _kept_info(image)
    else:
        result = parts.merge(changes, bits=request.bits, detail=detail)
    return Restored(result, assumed.whole_map(parts), assumed.overruled)


def _kept_info(picture: Image.Image) -> dict[str | tuple[int, int], Any]:
    """What is still true of it; transparency has become alpha, a profile of LAB is not RGB's."""
    gone = {"transparency", "compression"}  # JPEG, in TIFF: saved, it would be compressed again
    if picture.mode == "LAB":
        gone.add("icc_profile")
    return {name: value for name, value in picture.info.items() if name not in gone}


def _windows(
    images: Iterator[Picture], request: Request
) -> Iterator[list[tuple[Picture, Components]]]:
    """The images in runs of at most so many, and so many pixels.

    What `images` may change or close before the run is over, as it is asked for more, is copied.
    """
    window: list[tuple[Picture, Components]] = []
    pixels = 0
    try:
        for given in images:
            image = as_image(given)
            header = own_header(image)  # copies have none
            pixels += math.prod(image.size if isinstance(image, Image.Image) else image.shape[:2])
            full = len(window) + 1 == _MANY_IMAGES or pixels >= _MANY_PIXELS
            image = image if full else image.copy()
            window.append((image, _parts(image, header, request)))
            if full:
                yield window
                window, pixels = [], 0
    except Exception:
        if window:
            yield window
        raise
    if window:
        yield window
