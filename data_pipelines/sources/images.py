"""Random access to clean images, whatever they are stored in."""

import logging
from collections.abc import Sequence

import numpy as np

from agarnet_jax.color import LumaRange
from data_pipelines.decoding import UnusableImageError, as_luma
from data_pipelines.sources.records import Records

_log = logging.getLogger(__name__)


class ImageSource(Sequence[np.ndarray]):
    """Images by number: gray (H, W) or RGB (H, W, 3) uint8, or all luma (H, W) if a range is given.

    Decoded images are kept in memory up to `cache_gib`. A record that turns out broken, or smaller
    than `min_side`, is named, counted in `skipped`, and stood in for by the next usable one, so
    that a record's number never moves and a run never ends over one file.

    unusable: numbers of records found so, here or by worker processes that tell.
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
        self._cache_bytes = self._cache_room = cache_gib * 2**30
        self.unusable: set[int] = set()

    @property
    def skipped(self) -> int:
        """How many files were left out, and records found unusable so far."""
        return self.records.left_out + len(self.unusable)

    def __len__(self) -> int:
        return len(self.records)

    def summary(self) -> str:
        """Returns two lines: how many images, and a fingerprint, which is the same in any place."""
        return f"{len(self)} images\n{self.records.fingerprint}"

    def __getitem__(self, index: int) -> np.ndarray:  # type: ignore[override]
        """
        Raises:
          ValueError: no record is usable.
        """
        count = len(self.records)
        if not 0 <= index < count:
            raise IndexError(f"Image {index} of a source of {count}.")
        for offset in range(count):
            image = self.read((index + offset) % count)
            if image is not None:
                return image
        raise ValueError(
            f"None of {count} images can be used, the first being {self.records.name(0)}; "
            "the reasons are logged above."
        )

    def __getstate__(self) -> dict:
        # A worker process fills a cache of its own.
        return self.__dict__ | {"_cache": {}, "_cache_room": self._cache_bytes}

    def read(self, index: int) -> np.ndarray | None:
        """Reads the image of this very record; None if it is unusable."""
        if index in self._cache:
            return self._cache[index]
        if index in self.unusable:
            return None
        try:
            image = self.records.read(index)
            if min(image.shape[:2]) < self._min_side:
                raise UnusableImageError(too_small(image.shape[:2], self._min_side))
        except UnusableImageError as error:
            _log.warning("Skipping %s: %s", self.records.name(index), error)
            self.unusable.add(index)
            return None
        if self._luma_range is not None:
            image = as_luma(image, self._luma_range)
        if image.nbytes <= self._cache_room:
            self._cache_room -= image.nbytes
            self._cache[index] = image
        return image


def too_small(size: tuple[int, ...], min_side: int) -> str:
    """Says why an image of (height, width) is skipped."""
    return f"smaller than {min_side} pixels a side ({size[1]}×{size[0]})"
