"""The result of restoring one image."""

import dataclasses
from typing import Any, Generic, TypeVar

import numpy as np
from PIL import Image

from agarnet_jax.restoration.components import Components
from agarnet_jax.restoration.engine import Restoration
from agarnet_jax.restoration.merging import merge, merge_to_pillow
from agarnet_jax.restoration.pixels import ImageLike
from agarnet_jax.restoration.request import Request
from agarnet_jax.restoration.traces import uncompressed_graphics

ImageT = TypeVar("ImageT", np.ndarray, Image.Image)


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Restored(Generic[ImageT]):
    """A restored image, and the quality that was assumed for it.

    image: the restored image, of the type that was given.
    quality_map: (H, W) float32 in 1–100, the assumed quality; if all pixels have the same, a
      read-only view of one value.
    overruled: 1–100, an estimate that was not used because no trace in the pixels supports it.
      Used instead was the quality of the header, the one detected in the pixels, or 100 if no trace
      of a JPEG was found.
    uncompressed: 0–1, the fraction of 8×8 blocks that are graphics and were never compressed, as
      around a photograph in a screenshot. They stay as they are; their quality is 100.
    """

    image: ImageT
    quality_map: np.ndarray
    overruled: float | None = None
    uncompressed: float = 0.0

    def __repr__(self) -> str:
        image = self.image
        summary = f"{image.dtype} {image.shape}" if isinstance(image, np.ndarray) else repr(image)
        low, high = self.quality_map.min(), self.quality_map.max()
        return (
            f"Restored(image={summary}, quality_map={self.quality_map.shape} in {low:g}–{high:g}, "
            f"overruled={self.overruled}, uncompressed={self.uncompressed:.2f})"
        )

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickles a single value of a map that is a view of one."""
        is_uniform = not any(self.quality_map.strides)
        stored = self.quality_map[:1, :1] if is_uniform else self.quality_map
        shape = self.quality_map.shape
        return _unpickle, (self.image, stored, shape, self.overruled, self.uncompressed)


def assemble(
    image: ImageLike, components: Components, restoration: Restoration, request: Request
) -> Restored:
    """Merges computed changes into the image.

    A Pillow image results in one if it has the requested bits, otherwise in an array.
    """
    assumed, changes, detail = restoration
    unchanged = assumed.uncompressed
    if isinstance(image, Image.Image) and components.has_bits(request.bits):
        result: Any = merge_to_pillow(components, changes, detail=detail, unchanged=unchanged)
        result.info = _valid_info(image)
    else:
        result = merge(components, changes, bits=request.bits, detail=detail, unchanged=unchanged)
    fraction = uncompressed_graphics.covered_fraction(unchanged)
    return Restored(result, assumed.as_map(components), assumed.overruled, fraction)


def _unpickle(
    image: Any,
    stored: np.ndarray,
    shape: tuple[int, int],
    overruled: float | None,
    uncompressed: float,
) -> Restored:
    quality_map = stored if stored.shape == shape else np.broadcast_to(stored, shape)
    return Restored(image, quality_map, overruled, uncompressed)


def _valid_info(image: Image.Image) -> dict[str | tuple[int, int], Any]:
    """Returns the image's `info` without what does not hold for the result.

    Transparency has become alpha, and a LAB profile does not describe RGB. A TIFF's JPEG
    compression would compress the result again when it is saved.
    """
    invalid = {"transparency", "compression"}
    if image.mode == "LAB":
        invalid.add("icc_profile")
    return {name: value for name, value in image.info.items() if name not in invalid}
