"""Records: the interface to stored images by index, and its in-memory implementation."""

import hashlib
import os
from collections.abc import Iterable, Sequence
from typing import Protocol

import numpy as np


class Records(Protocol):
    """Images by index, in a fixed order."""

    left_out: int  # files known to be unusable, which have no index
    fingerprint: str  # digest of what is known without decoding; independent of the location

    def __len__(self) -> int: ...

    def name(self, index: int) -> str:
        """Returns a readable name of the record, for messages."""

    def read(self, index: int) -> np.ndarray:
        """Reads a record as gray (H, W) or RGB (H, W, 3) uint8.

        Raises:
          UnusableImageError: the record turns out to be broken.
        """


def fingerprint(lines: Iterable[str]) -> str:
    """Returns the SHA-256 digest of lines, which may contain file names."""
    digest = hashlib.sha256()
    for line in lines:
        digest.update(os.fsencode(f"{line}\n"))
    return digest.hexdigest()


class MemoryRecords:
    """Arrays in memory, gray (H, W) or RGB (H, W, 3) uint8."""

    left_out = 0

    def __init__(self, images: Sequence[np.ndarray]):
        """
        Raises:
          ValueError: an array is not such an image.
        """
        for index, image in enumerate(images):
            if image.dtype != np.uint8 or image.ndim < 2 or image.shape[2:] not in ((), (3,)):
                raise ValueError(
                    f"Image {index} is {image.dtype} {image.shape}; expected uint8, (H, W) gray "
                    "or (H, W, 3) RGB."
                )
        self._images = list(images)
        self.fingerprint = fingerprint(f"{image.shape}" for image in images)

    def __len__(self) -> int:
        return len(self._images)

    def name(self, index: int) -> str:
        return f"image {index}"

    def read(self, index: int) -> np.ndarray:
        return self._images[index]
