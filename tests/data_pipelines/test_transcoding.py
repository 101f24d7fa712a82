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
HIGH_RATE = 1e9  # bits per frame


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / np.mean(np.square(a.astype(float) - b))))


@pytest.fixture
def moving(gray_photo) -> list[np.ndarray]:
    """Six frames (64, 96) of an image that moves by one row and two columns per frame."""
    return [gray_photo[time : time + 64, 2 * time : 2 * time + 96] for time in range(6)]


@BOTH
def test_gray_levels_are_coded_without_range_conversion(codec):
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16).repeat(16, 0).repeat(16, 1)
    for decoded in transcode([levels] * 3, codec=codec, bit_rate=HIGH_RATE, fps=1):
        assert decoded.dtype == np.uint8
        # MPEG-2 codes DC in steps of 1; a conversion of range would change levels by up to 20.
        assert np.abs(decoded.astype(int) - levels).max() <= 2


@BOTH
def test_colours_survive_a_high_bit_rate(codec, astronaut):
    # Enlarged, since chroma subsampling and MPEG-2's finest steps alone degrade sharp images.
    smooth = Image.fromarray(astronaut[:64, 160:224]).resize((192, 192), Image.Resampling.BICUBIC)
    frames = [np.asarray(smooth)[shift:, shift:][:160, :160] for shift in (0, 2, 4)]
    for frame, decoded in zip(frames, transcode(frames, codec=codec, bit_rate=HIGH_RATE, fps=1)):
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
        # Back from undeclared planes, as decoders return them; a chroma level is 2 levels of RGB.
        undeclared = av.VideoFrame.from_ndarray(planes, format="yuv420p")
        back = convert(undeclared, format="rgb24").to_ndarray()
        assert np.abs(back.astype(int) - flat).max() <= 2


@BOTH
@pytest.mark.parametrize("shape", [(1, 1), (7, 33), (64, 64), (50, 3, 3), (17, 16, 3)])
@pytest.mark.parametrize("count", [1, 2, 17])
def test_all_frames_of_any_size_are_returned_in_order(codec, shape, count):
    frames = [np.full(shape, 20 + 12 * time, np.uint8) for time in range(count)]
    decoded = transcode(frames, codec=codec, bit_rate=HIGH_RATE, fps=1)
    assert len(decoded) == count
    for frame, result in zip(frames, decoded):
        assert result.shape == shape
        assert np.abs(result.astype(int) - frame).max() <= 3


@BOTH
def test_partial_macroblocks_at_the_edges_do_not_cost_quality(codec, gray_photo):
    odd, whole = gray_photo[:67, :91], gray_photo[:80, :96]
    from_odd, from_whole = (
        transcode([image], codec=codec, bit_rate=HIGH_RATE, fps=1)[0][:67, :91]
        for image in (odd, whole)
    )
    assert psnr(odd[-3:], from_odd[-3:]) > psnr(odd[-3:], from_whole[-3:]) - 1.5


@BOTH
def test_quality_rises_with_the_bit_rate(codec, moving):
    quality = [
        np.mean([psnr(a, b) for a, b in zip(moving, decoded)])
        for decoded in (
            transcode(moving, codec=codec, bit_rate=r, fps=1) for r in (200, 1000, 9000)
        )
    ]
    assert quality[0] + 2 < quality[1] < quality[2] - 2


@BOTH
def test_only_the_bits_per_frame_matter(codec, moving):
    at_30 = transcode(moving, codec=codec, bit_rate=30 * 800, fps=30)
    np.testing.assert_array_equal(at_30, transcode(moving, codec=codec, bit_rate=800, fps=1))


@BOTH
def test_long_clips_keep_to_the_bit_rate(codec, astronaut):
    frames = [astronaut[t : t + 128, 3 * t : 3 * t + 128, 1] for t in range(75)]
    bits = 0.3 * 128 * 128
    encoder = transcoding._make_encoder(codec, 128, 128, bits)
    packets = []
    for time, frame in enumerate(frames):
        picture = transcoding._to_yuv(frame, pixel_converter())
        picture.pts = time
        packets += encoder.encode(picture)
    packets += encoder.encode(None)
    used = sum(packet.size for packet in packets) * 8
    # The buffer may add or withhold half a second of bits, and the clip lasts three.
    assert used == pytest.approx(bits * len(frames), rel=0.3)


@BOTH
def test_extreme_bit_rates_are_encoded(codec):
    """FFmpeg could abort or fail when its buffer underflows or needs stuffing."""
    noise = np.random.default_rng(0).integers(0, 256, (24, 96, 96), np.uint8)
    for rate in (40, 400, 4e12):
        assert len(transcode(noise, codec=codec, bit_rate=rate, fps=1)) == 24
    flat = np.zeros((40, 96, 96), np.uint8)
    for frame in transcode(flat, codec=codec, bit_rate=40 * 96 * 96, fps=1):
        assert frame.max() <= 1


def test_results_do_not_depend_on_uninitialized_memory():
    """glibc fills new memory with different values here."""
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


def test_invalid_clips_and_rates_are_rejected():
    frame = np.zeros((16, 16), np.uint8)
    with pytest.raises(ValueError, match=r"frames of one shape, got \[\]"):
        transcode([], codec=VideoCodec.MPEG2, bit_rate=1e6, fps=25)
    with pytest.raises(ValueError, match=r"got \[\(16, 8\), \(16, 16\)\]"):
        transcode([frame, frame[:, :8]], codec=VideoCodec.MPEG2, bit_rate=1e6, fps=25)
    for rate, fps in ((999, 25), (float("nan"), 25), (1e6, 0), (1e6, -1)):
        with pytest.raises(ValueError, match="needs 40 bits or more"):
            transcode([frame], codec=VideoCodec.H264, bit_rate=rate, fps=fps)


def test_a_missing_pyav_is_reported_with_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(ModuleNotFoundError, match=r"PyAV: pip install 'agarnet-jax\[video\]'"):
        transcode([np.zeros((16, 16), np.uint8)], codec=VideoCodec.H264, bit_rate=1e6, fps=25)
