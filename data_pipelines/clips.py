"""Video clips as frames."""

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

    With `scale` above 1, H and W are cut to multiples of it and each scale × scale square becomes
    its mean: a compressed clip reduced 3 or 4 times is nearly as good as a pristine one.

    Raises:
      FileNotFoundError: no file at `path`.
      ValueError: no video, a broken one, or fewer or smaller frames than asked for.
      ModuleNotFoundError: PyAV is not installed.
    """
    if frames < 1 or scale < 1:
        raise ValueError(f"frames and scale must be 1 or more, got {frames} and {scale}.")
    read: list[np.ndarray] = []
    with _stream(path) as stream:
        if min(stream.height, stream.width) < scale:
            raise ValueError(
                f"Video {os.fspath(path)!r} is {stream.height}×{stream.width}, too small for "
                f"scale {scale}; use a smaller one."
            )
        convert = pixel_converter()
        for picture in itertools.islice(stream.container.decode(stream), frames):
            read.append(_reduced(convert(picture, format="rgb24").to_ndarray(), scale))
    if len(read) < frames:
        raise ValueError(
            f"Video {os.fspath(path)!r} has {len(read)} frames, fewer than the {frames} asked for; "
            "ask for fewer or give a longer clip."
        )
    return read


def frame_rate(path: str | os.PathLike[str]) -> float:
    """Returns a video file's average frames a second. Raises what `read_clip` raises."""
    with _stream(path) as stream:
        if not stream.average_rate:
            raise ValueError(f"Video {os.fspath(path)!r} does not say its frame rate; set it.")
        return float(stream.average_rate)


@contextlib.contextmanager
def _stream(path: str | os.PathLike[str]) -> Iterator[Any]:
    """Opens a file's video stream; turns FFmpeg's errors into a ValueError that names the file."""
    name = f"Video {os.fspath(path)!r}"
    if not os.path.isfile(path):
        raise FileNotFoundError(f"{name} is not a file; give the path of a clip.")
    av = import_av()
    try:
        with av.open(os.fspath(path)) as container:
            if not container.streams.video:
                raise ValueError(f"{name} holds no pictures; give a clip in a format FFmpeg reads.")
            yield container.streams.video[0]
    except av.FFmpegError as error:
        raise ValueError(
            f"{name} is no video or a damaged one ({error.strerror}); give a clip in a format "
            "FFmpeg reads."
        ) from error


def _reduced(image: np.ndarray, scale: int) -> np.ndarray:
    if scale == 1:
        return image
    height, width = (side - side % scale for side in image.shape[:2])
    return np.asarray(Image.fromarray(image[:height, :width]).reduce(scale))
