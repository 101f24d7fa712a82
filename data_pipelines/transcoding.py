"""Clips through a video codec and back: FFmpeg's, by PyAV (the extra `video`)."""

import enum
import functools
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

_MACROBLOCK = 16
# Streams say 25 frames a second whatever the clip's rate: the picture depends on the bits that a
# frame gets, and MPEG-2 knows few rates.
_STREAM_FPS = 25
BITS_PER_FRAME_MIN = 40  # 1000 bits a second, the unit that x264 counts in
_RATE_MAX = 2**31 - 1  # FFmpeg's int


class VideoCodec(enum.Enum):
    """FFmpeg's encoders, by its names."""

    MPEG2 = "mpeg2video"
    H264 = "libx264"


_DECODERS = {VideoCodec.MPEG2: "mpeg2video", VideoCodec.H264: "h264"}


def import_av() -> Any:
    """Imports PyAV; where it is missing, raises a ModuleNotFoundError that says what to install."""
    try:
        import av
    except ImportError as error:
        raise ModuleNotFoundError("Video needs PyAV: pip install 'agarnet-jax[video]'.") from error
    return av


def transcode(
    frames: Sequence[np.ndarray], *, codec: VideoCodec, bit_rate: float, fps: float
) -> list[np.ndarray]:
    """Encodes a clip in 4:2:0 at `bit_rate` bits a second and decodes it: frames as they went in.

    Gray levels are the codec's luma as they are, 0–255; RGB passes through studio-range BT.601.
    The bit rate is constant, with a buffer of a second. MPEG-2 has groups of 15 pictures (IBBP…),
    H.264 is x264 as it comes. One thread: the same frames give the same result.

    Args:
      frames: gray (H, W) or RGB (H, W, 3) uint8, all of one shape, of any size.
      fps: frames a second; what matters is bit_rate / fps.

    Raises:
      ValueError: no frames, unequal ones, or fewer than 40 bits a frame.
      ModuleNotFoundError: PyAV is not installed.
    """
    shapes = {frame.shape for frame in frames}
    if len(shapes) != 1:
        raise ValueError(f"A clip is frames of one shape, got {sorted(shapes)}.")
    if not bit_rate >= BITS_PER_FRAME_MIN * fps > 0:
        raise ValueError(
            f"bit_rate {bit_rate:g} at {fps:g} frames a second is too low; a frame needs "
            f"{BITS_PER_FRAME_MIN} bits or more."
        )
    convert = pixel_converter()
    pictures = [_to_yuv(frame, convert) for frame in frames]
    encoder = _encoder(codec, pictures[0].width, pictures[0].height, bit_rate / fps)
    encoder.open()
    decoder = import_av().CodecContext.create(_DECODERS[codec], "r")
    decoder.extradata = encoder.extradata
    decoder.thread_count = 1
    decoded = []
    for time, picture in enumerate([*pictures, None]):
        if picture:
            picture.pts = time
        for packet in encoder.encode(picture):
            decoded += decoder.decode(packet)
    decoded += decoder.decode(None)
    if len(decoded) != len(frames):
        raise RuntimeError(f"{codec.name} gave {len(decoded)} frames back of {len(frames)}.")
    return [_from_yuv(picture, frames[0].shape, convert) for picture in decoded]


def _encoder(codec: VideoCodec, width: int, height: int, bits_per_frame: float) -> Any:
    pixels = width * height
    rate = round(min(bits_per_frame * _STREAM_FPS, _RATE_MAX))
    encoder = import_av().CodecContext.create(codec.value, "w")
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
    encoder.framerate = Fraction(_STREAM_FPS)
    encoder.time_base = Fraction(1, _STREAM_FPS)
    encoder.bit_rate = rate
    encoder.thread_count = 1
    # A buffer of one second. Below 0.73 s FFmpeg aborts the process when MPEG-2 runs it empty.
    options = {"maxrate": str(rate), "bufsize": str(rate)}
    if codec is VideoCodec.H264:
        options |= {
            # x264 counts its headers, 5 kbit, as the first picture's unless they are sent apart.
            "flags": "+global_header",
            # With B pictures, x264's macroblock tree reads memory that it never wrote: the same
            # frames gave different results.
            "mbtree": "0",
        }
    else:
        encoder.gop_size, encoder.max_b_frames = 15, 2
        options |= {
            # Stuffing fills what pictures leave of the rate; FFmpeg has room for 2 bits a pixel.
            "minrate": str(min(rate, pixels * _STREAM_FPS)),
            "rc_init_occupancy": str(rate // 2),  # short clips keep nearer to the rate than by ¾
        }
    encoder.options = options
    return encoder


def _to_yuv(image: np.ndarray, convert: Callable[..., Any]) -> Any:
    """Makes a 4:2:0 picture of an image, its edges repeated to whole macroblocks."""
    av = import_av()
    height, width = image.shape[:2]
    missing = [(0, -height % _MACROBLOCK), (0, -width % _MACROBLOCK), (0, 0)]
    if any(after for _, after in missing):
        image = np.pad(image, missing[: image.ndim], mode="edge")
    if image.ndim == 3:
        rgb = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
        return convert(rgb, format="yuv420p")
    neutral = np.full((image.shape[0] // 2, image.shape[1]), 128, np.uint8)
    return av.VideoFrame.from_ndarray(np.concatenate([image, neutral]), format="yuv420p")


def _from_yuv(picture: Any, shape: tuple[int, ...], convert: Callable[..., Any]) -> np.ndarray:
    if len(shape) == 3:
        picture = convert(picture, format="rgb24")
    return np.ascontiguousarray(picture.to_ndarray()[: shape[0], : shape[1]])


def pixel_converter() -> Callable[..., Any]:
    """Makes a function that turns the `VideoFrame`s of a clip into another pixel `format`.

    Frames that name no matrix or range are BT.601 in studio range. Nearer than PyAV's default by up
    to 3 dB, the same on every processor, and set up once instead of for each frame.
    """
    reformatter = import_av().video.reformatter
    flags = reformatter.Interpolation
    exact = flags.FULL_CHR_H_INT | flags.FULL_CHR_H_INP | flags.ACCURATE_RND | flags.BITEXACT
    return functools.partial(
        reformatter.VideoReformatter().reformat, interpolation=flags.BICUBIC | exact, threads=1
    )
