"""What a source of images is made of: numbered records, each an image or a reason against it."""

import hashlib
import os
from collections.abc import Iterable, Sequence
from typing import Protocol

import numpy as np


class Records(Protocol):
    """Images by number, in an order that never changes."""

    left_out: int  # files of the place that are known to be unusable and have no number
    fingerprint: str  # digest of what is known without reading the images; the same in any place

    def __len__(self) -> int: ...

    def name(self, index: int) -> str:
        """Returns what a person calls the record, for messages."""

    def read(self, index: int) -> np.ndarray:
        """Reads a record as gray (H, W) or RGB (H, W, 3) uint8.

        Raises:
          UnusableImageError: the record turns out broken.
        """


def fingerprint(lines: Iterable[str]) -> str:
    """Digests lines, which may hold names of files, by SHA-256."""
    digest = hashlib.sha256()
    for line in lines:
        digest.update(os.fsencode(f"{line}\n"))
    return digest.hexdigest()


class MemoryRecords:
    """Arrays, gray (H, W) or RGB (H, W, 3) uint8."""

    left_out = 0

    def __init__(self, images: Sequence[np.ndarray]):
        """
        Raises:
          ValueError: an array is no image.
        """
        for number, image in enumerate(images):
            if image.dtype != np.uint8 or image.ndim < 2 or image.shape[2:] not in ((), (3,)):
                raise ValueError(
                    f"Image {number} is {image.dtype} {image.shape}; expected uint8, (H, W) gray "
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
