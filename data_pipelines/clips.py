"""Reads the frames of video clips."""

import contextlib
import itertools
import os
from collections.abc import Iterator
from typing import Any

import numpy as np
from PIL import Image

from data_pipelines.transcoding import import_av, pixel_converter


def read_clip(path: str | os.PathLike[str], *, frames: int, scale: int = 1) -> list[np.ndarray]:
    """Reads the first `frames` frames of a video file, each RGB (H, W, 3) uint8.

    With `scale` above 1, H and W are cropped to multiples of it and each scale × scale square is
    averaged: a compressed clip downscaled by 3 or 4 is nearly as good as a pristine one.

    Raises:
      FileNotFoundError: `path` is not a file.
      ValueError: the file is not a video or is damaged, has fewer frames than requested, or
        frames smaller than `scale`.
      ModuleNotFoundError: PyAV is not installed.
    """
    if frames < 1 or scale < 1:
        raise ValueError(f"frames and scale must be 1 or more, got {frames} and {scale}.")
    images: list[np.ndarray] = []
    with _open_stream(path) as stream:
        if min(stream.height, stream.width) < scale:
            raise ValueError(
                f"Video {os.fspath(path)!r} is {stream.height}×{stream.width}, too small for "
                f"scale {scale}; use a smaller scale."
            )
        convert = pixel_converter()
        for frame in itertools.islice(stream.container.decode(stream), frames):
            images.append(_downscale(convert(frame, format="rgb24").to_ndarray(), scale))
    if len(images) < frames:
        raise ValueError(
            f"Video {os.fspath(path)!r} has {len(images)} frames, fewer than the {frames} "
            "requested; request fewer or give a longer clip."
        )
    return images


def frame_rate(path: str | os.PathLike[str]) -> float:
    """Returns a video file's average frame rate, per second. Raises the errors of `read_clip`."""
    with _open_stream(path) as stream:
        if not stream.average_rate:
            raise ValueError(
                f"Video {os.fspath(path)!r} does not state its frame rate; give a clip that does."
            )
        return float(stream.average_rate)


@contextlib.contextmanager
def _open_stream(path: str | os.PathLike[str]) -> Iterator[Any]:
    """Opens a file's video stream; turns FFmpeg's errors into a ValueError that names the file."""
    name = f"Video {os.fspath(path)!r}"
    if not os.path.isfile(path):
        raise FileNotFoundError(f"{name} is not a file; give the path of a clip.")
    av = import_av()
    try:
        with av.open(os.fspath(path)) as container:
            if not container.streams.video:
                raise ValueError(
                    f"{name} has no video stream; give a clip in a format that FFmpeg reads."
                )
            yield container.streams.video[0]
    except av.FFmpegError as error:
        raise ValueError(
            f"{name} is not a video or is damaged ({error.strerror}); give a clip in a format "
            "that FFmpeg reads."
        ) from error


def _downscale(image: np.ndarray, scale: int) -> np.ndarray:
    if scale == 1:
        return image
    height, width = (side - side % scale for side in image.shape[:2])
    return np.asarray(Image.fromarray(image[:height, :width]).reduce(scale))
