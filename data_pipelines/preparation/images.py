"""Classifies input files: images to keep, files to skip with a reason, and failed reads."""

import dataclasses
import hashlib
import re

import numpy as np

from data_pipelines.decoding import (
    IMAGE_SUFFIXES,
    UnreachableImageError,
    UnusableImageError,
    decode,
)

_ADDRESS = re.compile(r"0x[0-9a-f]{6,}")  # the memory address of an object in Pillow's messages


@dataclasses.dataclass(frozen=True)
class Kept:
    """A usable image."""

    path: str  # relative to the input folder
    file_sha256: str
    pixel_sha256: str  # of the decoded pixels
    height: int
    width: int
    channels: int
    bytes: int  # of the file

    def shard(self, shards: int) -> int:
        """Returns the index of the image's shard out of `shards`, from its pixels alone."""
        return int(self.pixel_sha256, 16) % shards


@dataclasses.dataclass(frozen=True)
class Skipped:
    """A file left out for good; `kind` is the reason without the details of this file."""

    path: str
    kind: str
    reason: str


@dataclasses.dataclass(frozen=True)
class Failed:
    """A file that could not be read, or changed during the run; prevents publication."""

    path: str
    reason: str


def skip_by_name(path: str) -> Skipped | None:
    """Returns the reason if a file's name alone rules it out, or None if it has to be read."""
    try:
        path.encode()
    except UnicodeEncodeError:
        escaped = path.encode(errors="backslashreplace").decode()
        return Skipped(escaped, "name is not UTF-8", "name is not UTF-8")
    if not path.lower().endswith(IMAGE_SUFFIXES):
        return Skipped(path, "not an image suffix", "not an image suffix")
    return None


def verify(path: str, content: bytes, *, min_side: int) -> Kept | Skipped | Failed:
    """Decodes a whole file and classifies it by the result."""
    try:
        pixels = decode(content)
    except UnreachableImageError as error:
        return Failed(path, f"cannot be decoded: {error}")
    except UnusableImageError as error:
        reason = _ADDRESS.sub("0x…", " ".join(str(error).split()))
        return Skipped(path, reason.split(":")[0], reason)
    height, width = pixels.shape[:2]
    if min(height, width) < min_side:
        kind = f"smaller than {min_side} pixels a side"
        return Skipped(path, kind, f"{kind} ({width}×{height})")
    channels = 1 if pixels.ndim == 2 else pixels.shape[2]
    return Kept(path, sha256(content), pixel_digest(pixels), height, width, channels, len(content))


def duplicate(image: Kept, first: Kept) -> Skipped:
    return Skipped(image.path, "duplicate", f"duplicate of {first.path}")


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def pixel_digest(pixels: np.ndarray) -> str:
    """Returns the SHA-256 of shape and values; equal values in another shape differ."""
    digest = hashlib.sha256(repr(pixels.shape).encode())
    digest.update(np.ascontiguousarray(pixels).data)
    return digest.hexdigest()
