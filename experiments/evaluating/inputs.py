"""Evaluation inputs: sets of clean images, and video clips."""

import dataclasses
import functools
import os
import pathlib
import threading
from collections.abc import Sequence

import numpy as np

from agarnet_jax.color import LumaRange
from data_pipelines import clips
from data_pipelines.decoding import UnusableImageError, as_luma
from data_pipelines.degradations.degraded import Degradation, Degraded, whole_image_label
from data_pipelines.degradations.jpeg import Jpeg
from data_pipelines.degradations.tables import TableFamily, encoder_table
from data_pipelines.sources.folder import FolderRecords
from data_pipelines.sources.opening import open_images
from data_pipelines.sources.records import Records
from data_pipelines.transcoding import VideoCodec, transcode
from experiments.evaluating.cache import digest
from experiments.evaluating.names import image_names

_IN_MEMORY = 64  # images cached per set


@dataclasses.dataclass(frozen=True)
class VideoCoding:
    """MPEG-2 coding of a clip at a constant bit rate (bits per second), optionally then JPEG."""

    bit_rate: float
    jpeg: Jpeg | None = None


AnyDegradation = Degradation | VideoCoding


class StillImages:
    """Clean still images: their luma in `luma_range`, or unchanged if it is None.

    names, digests: the name of each usable image, and the SHA-256 of its pixels. problems: one line
      for each unusable image.
    """

    def __init__(
        self,
        name: str,
        records: Records,
        record_names: Sequence[str],
        *,
        luma_range: LumaRange | None,
    ):
        self.name = name
        self._luma_range = luma_range
        self._records = records
        self.problems: list[str] = []
        self._record_indices, names, digests = [], [], []
        for index in range(len(records)):
            try:
                pixels = self._read(index)
            except UnusableImageError as error:
                self.problems.append(f"{name}: {records.name(index)} skipped: {error}.")
                continue
            self._record_indices.append(index)
            names.append(record_names[index])
            digests.append(digest(repr(pixels.shape).encode(), pixels.tobytes()))
        self.names, self.digests = tuple(names), tuple(digests)
        self.pixels = functools.lru_cache(_IN_MEMORY)(lambda i: self._read(self._record_indices[i]))

    def __len__(self) -> int:
        return len(self.names)

    def _read(self, record_index: int) -> np.ndarray:
        image = self._records.read(record_index)
        return image if self._luma_range is None else as_luma(image, self._luma_range)

    def degraded(self, index: int, degradation: AnyDegradation) -> Degraded:
        """Degrades an image."""
        assert not isinstance(degradation, VideoCoding)
        return degradation.apply(self.pixels(index))


def open_still_images(
    name: str, path: str | os.PathLike[str], *, luma_range: LumaRange | None
) -> StillImages:
    """Opens a folder, prepared shards or a TFDS dataset; `problems` names each skipped file.

    Raises:
      FileNotFoundError, ValueError, ModuleNotFoundError: there is nothing usable.
    """
    records = open_images(path).records
    record_names = [f"record-{index:05d}" for index in range(len(records))]
    unusable: dict[str, str] = {}
    if isinstance(records, FolderRecords):
        record_names = image_names(records.paths, folder=records.folder)
        unusable = records.problems
    images = StillImages(name, records, record_names, luma_range=luma_range)
    images.problems += [f"{name}: {file} skipped: {why}." for file, why in unusable.items()]
    if not images.names:
        raise ValueError(f"{name}: none of the images in {os.fspath(path)!r} can be used.")
    return images


class Clip:
    """The first frames of a video: studio-range luma, clean and as decoded after coding.

    Attributes are those of `StillImages`; `size` is (height, width).
    """

    def __init__(self, path: pathlib.Path, *, frames: int, longest_side: int):
        """Reads the first `frames` frames, downscaled to at most `longest_side`.

        Raises:
          ValueError, OSError: the file is no video, or too short.
          ImportError: PyAV is not installed.
        """
        self.name = path.stem
        self.problems: list[str] = []
        (first,) = clips.read_clip(path, frames=1)
        scale = -(-max(first.shape[:2]) // longest_side)
        self._fps = clips.frame_rate(path)
        decoded = clips.read_clip(path, frames=frames, scale=scale)
        self._frames = [as_luma(frame, LumaRange.STUDIO) for frame in decoded]
        self.size = self._frames[0].shape
        self.names = tuple(f"{path.stem}-{index:02d}" for index in range(len(decoded)))
        # A coded frame depends on all frames of the clip.
        clip_digest = digest(*[frame.tobytes() for frame in self._frames], repr(self._fps).encode())
        self.digests = tuple(digest(clip_digest.encode(), name.encode()) for name in self.names)
        self._lock = threading.Lock()
        self._coded: dict[float, list[np.ndarray]] = {}

    def __len__(self) -> int:
        return len(self.names)

    def pixels(self, index: int) -> np.ndarray:
        return self._frames[index]

    def degraded(self, index: int, degradation: AnyDegradation) -> Degraded:
        """Returns a frame decoded after coding, then compressed if the degradation has a JPEG."""
        assert isinstance(degradation, VideoCoding)
        with self._lock:
            if degradation.bit_rate not in self._coded:
                self._coded[degradation.bit_rate] = transcode(
                    self._frames,
                    codec=VideoCodec.MPEG2,
                    bit_rate=degradation.bit_rate,
                    fps=self._fps,
                )
        image, quality = self._coded[degradation.bit_rate][index], 100
        if degradation.jpeg is not None:
            image, quality = degradation.jpeg.compress(image), degradation.jpeg.quality
        label = whole_image_label(quality, encoder_table(TableFamily.IJG, quality))
        return Degraded(image=image, clean=self._frames[index], **label)


ImageSet = StillImages | Clip
