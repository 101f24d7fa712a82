import sys
import wave
from fractions import Fraction

import numpy as np
import pytest
import skimage.measure

from data_pipelines.clips import frame_rate, read_clip
from data_pipelines.transcoding import import_av


@pytest.fixture
def frames(astronaut) -> list[np.ndarray]:
    """Five different frames (46, 62, 3)."""
    return [astronaut[100 + t : 146 + t, 200 + 3 * t : 262 + 3 * t] for t in range(5)]


@pytest.fixture
def write(tmp_path):
    """Returns a function that writes a clip, by default losslessly, and returns its path."""

    def write(name, frames, *, codec="ffv1", pixel_format="bgr0", rate=25, **conversion) -> str:
        av = import_av()
        with av.open(str(tmp_path / name), "w") as container:
            stream = container.add_stream(codec, rate=Fraction(rate))
            stream.height, stream.width = frames[0].shape[:2]
            stream.pix_fmt = pixel_format
            for frame in frames:
                picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
                picture = picture.reformat(format=pixel_format, **conversion)
                if not stream.codec_context.is_open:
                    stream.codec_context.colorspace = picture.colorspace
                container.mux(stream.encode(picture))
            container.mux(stream.encode(None))
        return str(tmp_path / name)

    return write


def test_frames_are_read_as_written(write, frames):
    clip = write("clip.mkv", frames, rate="24000/1001")
    for count in (1, 3, 5):
        read = read_clip(clip, frames=count)
        assert len(read) == count
        for frame, expected in zip(read, frames):
            assert frame.dtype == np.uint8
            np.testing.assert_array_equal(frame, expected)
    assert frame_rate(clip) == pytest.approx(24000 / 1001)


def test_the_colour_matrix_and_range_of_a_clip_are_respected(write, frames):
    reds = [np.full((32, 32, 3), (200, 40, 30), np.uint8)]
    for matrix in ("ITU601", "ITU709"):
        clip = write(f"{matrix}.mkv", reds, pixel_format="yuv444p", dst_colorspace=matrix)
        assert np.abs(read_clip(clip, frames=1)[0].astype(int) - reds[0]).max() <= 2


def test_downscaled_pixels_are_means_of_squares(write, frames):
    reduced = read_clip(write("clip.mkv", frames), frames=2, scale=4)
    for frame, expected in zip(reduced, frames):
        assert frame.shape == (11, 15, 3)
        means = skimage.measure.block_reduce(expected[:44, :60], (4, 4, 1), np.mean)
        assert np.abs(frame - means).max() <= 0.51  # rounded


def test_clips_that_do_not_meet_the_request_are_named(write, frames, tmp_path):
    clip = write("clip.mkv", frames)
    with pytest.raises(FileNotFoundError, match=r"nowhere\.mp4' is not a file; give"):
        read_clip(tmp_path / "nowhere.mp4", frames=1)
    with pytest.raises(FileNotFoundError, match="is not a file"):
        frame_rate(tmp_path)
    with pytest.raises(
        ValueError, match=r"clip\.mkv' has 5 frames, fewer than the 6 requested; request"
    ):
        read_clip(clip, frames=6)
    with pytest.raises(ValueError, match=r"clip\.mkv' is 46×62, too small for scale 47; use"):
        read_clip(clip, frames=1, scale=47)
    for options in ({"frames": 0}, {"frames": 1, "scale": 0}):
        with pytest.raises(ValueError, match="must be 1 or more"):
            read_clip(clip, **options)


def test_damaged_files_are_named(write, frames, tmp_path):
    bad = [tmp_path / name for name in ("text.mp4", "empty.mp4", "truncated.mp4")]
    bad[0].write_text("not a video")
    bad[1].touch()
    whole = write("whole.mp4", frames, codec="libx264", pixel_format="yuv420p")
    with open(whole, "rb") as file:
        bad[2].write_bytes(file.read()[:-200])
    for path in bad:
        for read in (lambda path: read_clip(path, frames=2), frame_rate):
            with pytest.raises(
                ValueError, match=rf"{path.name}' is not a video or is damaged"
            ) as error:
                read(path)
            assert "\n" not in str(error.value)
    with wave.open(str(tmp_path / "sound.wav"), "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        sound.writeframes(bytes(8000))
    with pytest.raises(ValueError, match=r"sound\.wav' has no video stream"):
        read_clip(tmp_path / "sound.wav", frames=1)


def test_a_missing_pyav_is_reported_with_its_extra(write, frames, monkeypatch):
    clip = write("clip.mkv", frames)
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(ImportError, match=r"agarnet-jax\[video\]"):
        read_clip(clip, frames=1)
