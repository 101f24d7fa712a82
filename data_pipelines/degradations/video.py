"""Video frames: coded with MPEG-2 or H.264 at a given bit rate, then saved as JPEG."""

import dataclasses
import math

import numpy as np

from agarnet_jax.configs import Config, require
from agarnet_jax.jpeg_tables import MAX_QUALITY
from data_pipelines.degradations.degraded import Degraded
from data_pipelines.degradations.effective import labelled
from data_pipelines.degradations.jpeg import EncoderOptions, Jpeg
from data_pipelines.degradations.tables import Component
from data_pipelines.draws import Choices, randbelow
from data_pipelines.transcoding import BITS_PER_FRAME_MIN, VideoCodec, transcode


@dataclasses.dataclass(frozen=True)
class Video:
    """A camera pan across the image, coded as a video, of which one frame is saved as `jpeg`.

    Attributes:
      bits_per_pixel: of the video, as closely as the codec can keep to it in so few frames.
      frames: number of frames.
      frame: index of the saved frame, from 0.
      pan: motion of the window from frame to frame in whole pixels (rows, columns).
    """

    jpeg: Jpeg
    codec: VideoCodec
    bits_per_pixel: float
    frames: int = 1
    frame: int = 0
    pan: tuple[int, int] = (0, 0)

    def __post_init__(self) -> None:
        require(self, "above 0", lambda bits: bits > 0, "bits_per_pixel")
        if not 0 <= self.frame < self.frames:
            raise ValueError(f"Video.frame is {self.frame}; it must be in 0–{self.frames - 1}.")

    def input_side(self, side: int) -> int:
        return side + (self.frames - 1) * max(map(abs, self.pan))

    def apply(self, image: np.ndarray) -> Degraded:
        windows = self._windows(image)
        clean = windows[self.frame]
        bits = max(self.bits_per_pixel * math.prod(clean.shape[:2]), BITS_PER_FRAME_MIN)
        coded = transcode(windows, codec=self.codec, bit_rate=bits, fps=1)[self.frame]
        return labelled(self.jpeg.compress(coded), clean, [self.jpeg])

    def _windows(self, image: np.ndarray) -> list[np.ndarray]:
        """Crops the part of the image that each frame shows."""
        last = self.frames - 1
        height, width = (side - last * abs(step) for side, step in zip(image.shape[:2], self.pan))
        if min(height, width) < 1:
            raise ValueError(f"An image of {image.shape[:2]} is too small for {self}.")
        # A pan towards lower rows or columns starts at the far edge.
        corners = (
            tuple(step * (time if step > 0 else time - last) for step in self.pan)
            for time in range(self.frames)
        )
        return [image[top : top + height, left : left + width] for top, left in corners]


@dataclasses.dataclass(frozen=True)
class CodecWeights(Choices):
    """Relative frequency of each `VideoCodec`."""

    mpeg2: float = 0.5  # FFmpeg's `mpeg2video`
    h264: float = 0.5  # `libx264`


@dataclasses.dataclass(frozen=True)
class VideoOptions(Config):
    """The distribution of videos: a pan across the image, coded, and one frame saved as JPEG."""

    codec: CodecWeights = CodecWeights()
    bits_per_pixel_min: float = 0.04  # lowest bit rate; rates are log-uniform
    bits_per_pixel_max: float = 0.5  # highest bit rate
    pan_max: int = 4  # pixels per frame in rows and in columns, in either direction
    frames_max: int = 6  # a video has 1 to this many frames
    quality_min: int = 40  # lowest quality of the final JPEG

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.bits_per_pixel_min <= self.bits_per_pixel_max:
            raise ValueError(
                "VideoOptions needs 0 < bits_per_pixel_min <= bits_per_pixel_max, got "
                f"{self.bits_per_pixel_min} and {self.bits_per_pixel_max}."
            )
        require(self, ">= 0", lambda pixels: pixels >= 0, "pan_max")
        require(self, ">= 1", lambda count: count >= 1, "frames_max")
        require(self, "in 1–100", lambda quality: 1 <= quality <= MAX_QUALITY, "quality_min")

    def draw(
        self, rng: np.random.Generator, *, encoder: EncoderOptions, component: Component
    ) -> Video:
        quality = self.quality_min + randbelow(MAX_QUALITY + 1 - self.quality_min, rng)
        low, high = np.log([self.bits_per_pixel_min, self.bits_per_pixel_max])
        frames = 1 + randbelow(self.frames_max, rng)
        return Video(
            jpeg=dataclasses.replace(encoder.draw(rng, component), quality=quality),
            codec=VideoCodec[self.codec.draw(rng).upper()],
            bits_per_pixel=float(np.exp(rng.uniform(low, high))),
            frames=frames,
            frame=randbelow(frames, rng),
            pan=(self._step(rng), self._step(rng)),
        )

    def _step(self, rng: np.random.Generator) -> int:
        return randbelow(2 * self.pan_max + 1, rng) - self.pan_max
