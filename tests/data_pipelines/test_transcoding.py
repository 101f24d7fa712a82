import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from agarnet_jax.color import LumaRange, luma
from data_pipelines import transcoding
from data_pipelines.transcoding import VideoCodec, pixel_converter, transcode

BOTH = pytest.mark.parametrize("codec", VideoCodec)
PLENTY = 1e9  # bits a frame


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / np.mean(np.square(a.astype(float) - b))))


@pytest.fixture
def moving(gray_photo) -> list[np.ndarray]:
    """Six frames (64, 96) of a picture that moves by a row and two columns a frame."""
    return [gray_photo[time : time + 64, 2 * time : 2 * time + 96] for time in range(6)]


@BOTH
def test_gray_levels_are_the_codecs_own(codec):
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16).repeat(16, 0).repeat(16, 1)
    for decoded in transcode([levels] * 3, codec=codec, bit_rate=PLENTY, fps=1):
        assert decoded.dtype == np.uint8
        # DC is coded in steps of 1 by MPEG-2; any change of range would move levels by up to 20.
        assert np.abs(decoded.astype(int) - levels).max() <= 2


@BOTH
def test_plenty_of_bits_give_colours_back(codec, astronaut):
    # Enlarged: halved chroma and the finest steps of MPEG-2 alone cost sharp pictures as much.
    smooth = Image.fromarray(astronaut[:64, 160:224]).resize((192, 192), Image.Resampling.BICUBIC)
    frames = [np.asarray(smooth)[shift:, shift:][:160, :160] for shift in (0, 2, 4)]
    for frame, decoded in zip(frames, transcode(frames, codec=codec, bit_rate=PLENTY, fps=1)):
        assert decoded.dtype == np.uint8
        assert psnr(frame, decoded) > 40
        assert np.abs((frame.astype(float) - decoded).mean((0, 1))).max() < 0.5


def test_colours_are_studio_range_bt601():
    av = transcoding.import_av()
    convert = pixel_converter()
    for colour in ((255, 255, 255), (0, 0, 0), (255, 0, 0), (0, 255, 0), (0, 0, 255), (9, 99, 199)):
        flat = np.full((16, 16, 3), colour, np.uint8)
        picture = convert(av.VideoFrame.from_ndarray(flat, format="rgb24"), format="yuv420p")
        planes = picture.to_ndarray()
        expected = luma(np.array(colour), luma_range=LumaRange.STUDIO)
        assert np.abs(planes[:16] - expected).max() <= 0.6  # rounded, from 15-bit coefficients
        # Back from the bare planes, as a decoder gives them; a level of chroma is 2 of a colour.
        bare = av.VideoFrame.from_ndarray(planes, format="yuv420p")
        back = convert(bare, format="rgb24").to_ndarray()
        assert np.abs(back.astype(int) - flat).max() <= 2


@BOTH
@pytest.mark.parametrize("shape", [(1, 1), (7, 33), (64, 64), (50, 3, 3), (17, 16, 3)])
@pytest.mark.parametrize("count", [1, 2, 17])
def test_as_many_frames_in_order_of_any_size(codec, shape, count):
    frames = [np.full(shape, 20 + 12 * time, np.uint8) for time in range(count)]
    decoded = transcode(frames, codec=codec, bit_rate=PLENTY, fps=1)
    assert len(decoded) == count
    for frame, result in zip(frames, decoded):
        assert result.shape == shape
        assert np.abs(result.astype(int) - frame).max() <= 3


@BOTH
def test_edges_are_repeated_not_darkened(codec, gray_photo):
    odd, whole = gray_photo[:67, :91], gray_photo[:80, :96]
    cut, uncut = (
        transcode([image], codec=codec, bit_rate=PLENTY, fps=1)[0][:67, :91]
        for image in (odd, whole)
    )
    assert psnr(odd[-3:], cut[-3:]) > psnr(odd[-3:], uncut[-3:]) - 1.5


@BOTH
def test_fewer_bits_are_worse(codec, moving):
    quality = [
        np.mean([psnr(a, b) for a, b in zip(moving, decoded)])
        for decoded in (
            transcode(moving, codec=codec, bit_rate=r, fps=1) for r in (200, 1000, 9000)
        )
    ]
    assert quality[0] + 2 < quality[1] < quality[2] - 2


@BOTH
def test_bits_a_frame_count(codec, moving):
    at_30 = transcode(moving, codec=codec, bit_rate=30 * 800, fps=30)
    np.testing.assert_array_equal(at_30, transcode(moving, codec=codec, bit_rate=800, fps=1))


@BOTH
def test_long_clips_keep_to_the_bit_rate(codec, astronaut):
    frames = [astronaut[t : t + 128, 3 * t : 3 * t + 128, 1] for t in range(75)]
    bits = 0.3 * 128 * 128
    encoder = transcoding._encoder(codec, 128, 128, bits)
    packets = []
    for time, frame in enumerate(frames):
        picture = transcoding._to_yuv(frame, pixel_converter())
        picture.pts = time
        packets += encoder.encode(picture)
    packets += encoder.encode(None)
    used = sum(packet.size for packet in packets) * 8
    # The buffer lends or keeps half a second, and there are three.
    assert used == pytest.approx(bits * len(frames), rel=0.3)


@BOTH
def test_extreme_rates_end_well(codec):
    """FFmpeg aborts or refuses where its buffer runs empty or has to be stuffed."""
    noise = np.random.default_rng(0).integers(0, 256, (24, 96, 96), np.uint8)
    for rate in (40, 400, 4e12):
        assert len(transcode(noise, codec=codec, bit_rate=rate, fps=1)) == 24
    flat = np.zeros((40, 96, 96), np.uint8)
    for frame in transcode(flat, codec=codec, bit_rate=40 * 96 * 96, fps=1):
        assert frame.max() <= 1


def test_unwritten_memory_does_not_matter():
    """The result is the same whatever glibc fills fresh memory with."""
    code = """if True:
        import hashlib, numpy as np, skimage.data
        from data_pipelines.transcoding import VideoCodec, transcode
        photo = skimage.data.camera()
        frames = [photo[4 * t : 4 * t + 200, 4 * t : 4 * t + 104] for t in range(10)]
        for codec in VideoCodec:
            decoded = transcode(frames, codec=codec, bit_rate=4000, fps=1)
            print(hashlib.sha256(np.stack(decoded).tobytes()).hexdigest())
    """
    results = {
        subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"MALLOC_PERTURB_": fill},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for fill in ("0", "85", "170")
    }
    assert len(results) == 1


def test_unusable_clips_are_named():
    frame = np.zeros((16, 16), np.uint8)
    with pytest.raises(ValueError, match=r"frames of one shape, got \[\]"):
        transcode([], codec=VideoCodec.MPEG2, bit_rate=1e6, fps=25)
    with pytest.raises(ValueError, match=r"got \[\(16, 8\), \(16, 16\)\]"):
        transcode([frame, frame[:, :8]], codec=VideoCodec.MPEG2, bit_rate=1e6, fps=25)
    for rate, fps in ((999, 25), (float("nan"), 25), (1e6, 0), (1e6, -1)):
        with pytest.raises(ValueError, match="needs 40 bits or more"):
            transcode([frame], codec=VideoCodec.H264, bit_rate=rate, fps=fps)


def test_without_pyav_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(ModuleNotFoundError, match=r"PyAV: pip install 'agarnet-jax\[video\]'"):
        transcode([np.zeros((16, 16), np.uint8)], codec=VideoCodec.H264, bit_rate=1e6, fps=25)
