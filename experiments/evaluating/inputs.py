"""What is evaluated on: sets of clean pictures, and clips."""

import dataclasses
import functools
import os
import pathlib
import threading
from collections.abc import Sequence

import numpy as np

from agarnet_jax.color import LumaRange
from data_pipelines import clips
from data_pipelines.decoding import UnusableImageError, as_luma, image_size
from data_pipelines.degradations.degraded import Degradation, Degraded, whole_image_label
from data_pipelines.degradations.jpeg import Jpeg
from data_pipelines.degradations.tables import TableFamily, encoder_table
from data_pipelines.sources.folder import FolderRecords, find_images
from data_pipelines.sources.opening import open_images
from data_pipelines.sources.records import Records
from data_pipelines.transcoding import VideoCodec, transcode
from experiments.evaluating.cache import digest
from experiments.evaluating.names import image_names

_IN_MEMORY = 64  # pictures of each set


@dataclasses.dataclass(frozen=True)
class VideoCoding:
    """Coding of a clip as MPEG-2 at a constant bit rate (bits a second), perhaps then as JPEGs."""

    bit_rate: float
    jpeg: Jpeg | None = None


Course = Degradation | VideoCoding  # what happens to an image


class Pictures:
    """Clean images of a folder: their luma in `luma_range`, or with None, as they are.

    names, digests: of every image that can be used: what it is called, and the SHA-256 of its
      pixels. problems: one line for each that cannot.
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
        self._numbers, names, digests = [], [], []
        for number in range(len(records)):
            try:
                pixels = self._read(number)
            except UnusableImageError as error:
                self.problems.append(f"{name}: {records.name(number)} is left out: {error}.")
                continue
            self._numbers.append(number)
            names.append(record_names[number])
            digests.append(digest(repr(pixels.shape).encode(), pixels.tobytes()))
        self.names, self.digests = tuple(names), tuple(digests)
        self.pixels = functools.lru_cache(_IN_MEMORY)(lambda i: self._read(self._numbers[i]))

    def __len__(self) -> int:
        return len(self.names)

    def _read(self, number: int) -> np.ndarray:
        image = self._records.read(number)
        return image if self._luma_range is None else as_luma(image, self._luma_range)

    def degraded(self, index: int, course: Course) -> Degraded:
        """Degrades an image by its course."""
        assert not isinstance(course, VideoCoding)
        return course.apply(self.pixels(index))


def open_pictures(
    name: str, place: str | os.PathLike[str], *, luma_range: LumaRange | None
) -> Pictures:
    """Opens a folder, prepared shards or a TFDS dataset; `problems` name each file left out.

    Raises:
      FileNotFoundError, ValueError, ModuleNotFoundError: there is nothing usable.
    """
    records = open_images(place).records
    if isinstance(records, FolderRecords):
        record_names = image_names(records.paths, folder=records.folder)
        unusable = sorted(set(find_images(records.folder)) - set(records.paths))
    else:
        record_names, unusable = [f"record-{number:05d}" for number in range(len(records))], []
    pictures = Pictures(name, records, record_names, luma_range=luma_range)
    pictures.problems += [f"{name}: {path} is left out: {_why(path)}." for path in unusable]
    if not pictures.names:
        raise ValueError(f"{name}: none of the images in {os.fspath(place)!r} can be used.")
    return pictures


def _why(path: str) -> str:
    try:
        image_size(path)
    except UnusableImageError as error:
        return f"{error}"
    except OSError as error:
        return f"unreadable: {error.strerror}"
    return "it cannot be used"


class Clip:
    """The first frames of a video: clean gray images (studio-range luma), and as codecs leave them.

    Attributes are those of `Pictures`; `size` is (height, width).
    """

    def __init__(self, path: pathlib.Path, *, frames: int, longest_side: int):
        """
        Raises:
          ValueError, OSError: no video, or not one frame.
          ImportError: PyAV is not installed.
        """
        self.name = path.stem
        self.problems: list[str] = []
        (first,) = clips.read_clip(path, frames=1)
        scale = -(-max(first.shape[:2]) // longest_side)
        self._fps = clips.frame_rate(path)
        read = clips.read_clip(path, frames=frames, scale=scale)
        self._frames = [as_luma(frame, LumaRange.STUDIO) for frame in read]
        self.size = self._frames[0].shape
        self.names = tuple(f"{path.stem}-{number:02d}" for number in range(len(read)))
        # A coded frame depends on all the others.
        whole = digest(*[frame.tobytes() for frame in self._frames], repr(self._fps).encode())
        self.digests = tuple(digest(whole.encode(), name.encode()) for name in self.names)
        self._coding = threading.Lock()
        self._coded: dict[float, list[np.ndarray]] = {}

    def __len__(self) -> int:
        return len(self.names)

    def pixels(self, index: int) -> np.ndarray:
        return self._frames[index]

    def degraded(self, index: int, course: Course) -> Degraded:
        """Returns a frame as the codec leaves it, saved as a JPEG if the course says so."""
        assert isinstance(course, VideoCoding)
        with self._coding:
            if course.bit_rate not in self._coded:
                self._coded[course.bit_rate] = transcode(
                    self._frames, codec=VideoCodec.MPEG2, bit_rate=course.bit_rate, fps=self._fps
                )
        image, quality = self._coded[course.bit_rate][index], 100
        if course.jpeg is not None:
            image, quality = course.jpeg.compress(image), course.jpeg.quality
        label = whole_image_label(quality, encoder_table(TableFamily.IJG, quality))
        return Degraded(image=image, clean=self._frames[index], **label)


ImageSet = Pictures | Clip
