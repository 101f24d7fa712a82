"""Random access to clean images, regardless of their storage."""

import logging
from collections.abc import Sequence

import numpy as np

from agarnet_jax.color import LumaRange
from data_pipelines.decoding import UnusableImageError, as_luma
from data_pipelines.sources.records import Records

_log = logging.getLogger(__name__)


class ImageSource(Sequence[np.ndarray]):
    """Images by index: gray (H, W) or RGB (H, W, 3) uint8, or luma (H, W) if `luma_range` is given.

    Decoded images are kept in memory up to `cache_gib`. A record that turns out to be broken, or
    smaller than `min_side`, is named in the log, counted in `skipped` and replaced by the next
    usable one, so that indices stay fixed and no single file ends a run.

    Attributes:
      unusable: indices of the records found unusable, including those that workers reported.
    """

    def __init__(
        self,
        records: Records,
        *,
        luma_range: LumaRange | None = None,
        min_side: int = 1,
        cache_gib: float = 0.0,
    ):
        self.records = records
        self._luma_range = luma_range
        self._min_side = min_side
        self._cache: dict[int, np.ndarray] = {}
        self._cache_limit = self._cache_free = cache_gib * 2**30  # in bytes
        self.unusable: set[int] = set()

    @property
    def skipped(self) -> int:
        """The number of files left out at opening plus records found unusable so far."""
        return self.records.left_out + len(self.unusable)

    def __len__(self) -> int:
        return len(self.records)

    def summary(self) -> str:
        """Returns two lines: the number of images and a location-independent fingerprint."""
        return f"{len(self)} images\n{self.records.fingerprint}"

    def __getitem__(self, index: int) -> np.ndarray:  # type: ignore[override]
        """
        Raises:
          ValueError: no record is usable.
        """
        count = len(self.records)
        if not 0 <= index < count:
            raise IndexError(f"Image index {index} is out of range; the source has {count} images.")
        for offset in range(count):
            image = self.read((index + offset) % count)
            if image is not None:
                return image
        raise ValueError(
            f"None of {count} images can be used, the first being {self.records.name(0)}; "
            "the log above gives the reasons."
        )

    def __getstate__(self) -> dict:
        # Each worker process fills its own cache.
        return self.__dict__ | {"_cache": {}, "_cache_free": self._cache_limit}

    def read(self, index: int) -> np.ndarray | None:
        """Returns the image of exactly this record, or None if it is unusable."""
        if index in self._cache:
            return self._cache[index]
        if index in self.unusable:
            return None
        try:
            image = self.records.read(index)
            if min(image.shape[:2]) < self._min_side:
                raise UnusableImageError(too_small_message(image.shape[:2], self._min_side))
        except UnusableImageError as error:
            _log.warning("Skipping %s: %s", self.records.name(index), error)
            self.unusable.add(index)
            return None
        if self._luma_range is not None:
            image = as_luma(image, self._luma_range)
        if image.nbytes <= self._cache_free:
            self._cache_free -= image.nbytes
            self._cache[index] = image
        return image


def too_small_message(size: tuple[int, ...], min_side: int) -> str:
    """Returns the reason for which an image of `size` (height, width) is skipped."""
    return f"smaller than {min_side} pixels a side ({size[1]}×{size[0]})"
