"""Random-access sources of clean luma images."""

import logging
import os
from collections.abc import Sequence

import numpy as np
from PIL import Image

from agarnet_jax.color import LumaRange, luma

_log = logging.getLogger(__name__)

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")


class FolderSource(Sequence[np.ndarray]):
    """The images below a folder as luma: `source[i]` is (H, W) uint8.

    Every image mode Pillow reads is converted. Decoded images are kept in memory up to
    `cache_gib`. A file that is no image, or smaller than `min_side`, is named, counted in
    `skipped` and left out. One whose pixels turn out broken only when read is named and counted
    too, and stands in for by the next readable one, so that a record's index never moves.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        luma_range: LumaRange = LumaRange.FULL,
        min_side: int = 1,
        cache_gib: float = 0.0,
    ):
        """
        Raises:
          FileNotFoundError: `folder` is not a directory.
          ValueError: it holds no usable image.
        """
        if not os.path.isdir(folder):
            raise FileNotFoundError(f"Image folder {os.fspath(folder)!r} is not a directory.")
        self._luma_range = luma_range
        self._cache: dict[int, np.ndarray] = {}
        self._cache_room = int(cache_gib * 2**30)
        self._broken: set[int] = set()
        candidates = find_images(folder)
        self.paths = [path for path in candidates if _is_usable(path, min_side)]
        self._left_out = len(candidates) - len(self.paths)
        if not self.paths:
            raise ValueError(
                f"Image folder {os.fspath(folder)!r} holds no image of at least {min_side} pixels "
                f"a side ({', '.join(IMAGE_SUFFIXES)}; {self._left_out} files left out)."
            )

    @property
    def skipped(self) -> int:
        """Files found broken or too small so far, in this process."""
        return self._left_out + len(self._broken)

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> np.ndarray:  # type: ignore[override]
        if not 0 <= index < len(self.paths):
            raise IndexError(f"Image {index} of a source of {len(self.paths)}.")
        for offset in range(len(self.paths)):
            image = self._read((index + offset) % len(self.paths))
            if image is not None:
                return image
        raise ValueError(f"All {len(self.paths)} images are broken, the first: {self.paths[0]!r}.")

    def __getstate__(self) -> dict:
        # A worker process fills a cache of its own.
        return self.__dict__ | {"_cache": {}}

    def _read(self, index: int) -> np.ndarray | None:
        if index in self._cache:
            return self._cache[index]
        if index in self._broken:
            return None
        try:
            image = read_luma(self.paths[index], luma_range=self._luma_range)
        except Exception as error:  # Pillow's decoders raise many types on damaged files
            _log.warning("Skipping broken image %r: %s", self.paths[index], error)
            self._broken.add(index)
            return None
        if image.nbytes <= self._cache_room:
            self._cache_room -= image.nbytes
            self._cache[index] = image
        return image


def find_images(folder: str | os.PathLike[str]) -> list[str]:
    """Paths with an image suffix below `folder`, in a stable order."""
    return sorted(
        os.path.join(parent, name)
        for parent, _, names in os.walk(os.fspath(folder))
        for name in names
        if name.lower().endswith(IMAGE_SUFFIXES)
    )


def read_luma(path: str | os.PathLike[str], *, luma_range: LumaRange) -> np.ndarray:
    """The luma (H, W) uint8 of an image file. Gray images are taken as they are."""
    with Image.open(path) as image:
        if image.mode in ("I", "F") or image.mode.startswith("I;16"):
            return _from_wide_gray(np.asarray(image))
        if image.mode in ("1", "L", "LA", "La"):
            return np.asarray(image.convert("L"))
        rgb = np.asarray(image.convert("RGB"))
    return np.rint(luma(rgb, luma_range=luma_range)).astype(np.uint8)


def _from_wide_gray(pixels: np.ndarray) -> np.ndarray:
    """16-bit, 32-bit integer (holding 16 bits, as Pillow reads them) and float gray to 8 bits."""
    scale = 1.0 if pixels.dtype.kind == "f" else 255 / 65535
    return np.rint(np.clip(pixels * scale, 0, 255)).astype(np.uint8)


def _is_usable(path: str, min_side: int) -> bool:
    """Whether the header reads and the size suffices; says so once if not."""
    try:
        with Image.open(path) as image:
            size = image.size
    except Exception as error:  # as in FolderSource._read
        _log.warning("Skipping unreadable image %r: %s", path, error)
        return False
    if min(size) < min_side:
        _log.warning("Skipping %r: %d×%d is smaller than %d a side", path, *size, min_side)
        return False
    return True
