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
    """Writes frames as a clip, without loss unless told, and returns its path."""

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


def test_frames_come_as_they_were_written(write, frames):
    clip = write("clip.mkv", frames, rate="24000/1001")
    for count in (1, 3, 5):
        read = read_clip(clip, frames=count)
        assert len(read) == count
        for frame, expected in zip(read, frames):
            assert frame.dtype == np.uint8
            np.testing.assert_array_equal(frame, expected)
    assert frame_rate(clip) == pytest.approx(24000 / 1001)


def test_a_clips_own_matrix_and_range_are_read(write, frames):
    reds = [np.full((32, 32, 3), (200, 40, 30), np.uint8)]
    for matrix in ("ITU601", "ITU709"):
        clip = write(f"{matrix}.mkv", reds, pixel_format="yuv444p", dst_colorspace=matrix)
        assert np.abs(read_clip(clip, frames=1)[0].astype(int) - reds[0]).max() <= 2


def test_reduced_frames_are_means_of_squares(write, frames):
    reduced = read_clip(write("clip.mkv", frames), frames=2, scale=4)
    for frame, expected in zip(reduced, frames):
        assert frame.shape == (11, 15, 3)
        means = skimage.measure.block_reduce(expected[:44, :60], (4, 4, 1), np.mean)
        assert np.abs(frame - means).max() <= 0.51  # rounded


def test_unusable_clips_are_named(write, frames, tmp_path):
    clip = write("clip.mkv", frames)
    with pytest.raises(FileNotFoundError, match=r"nowhere\.mp4' is not a file; give"):
        read_clip(tmp_path / "nowhere.mp4", frames=1)
    with pytest.raises(FileNotFoundError, match="is not a file"):
        frame_rate(tmp_path)
    with pytest.raises(
        ValueError, match=r"clip\.mkv' has 5 frames, fewer than the 6 asked for; ask"
    ):
        read_clip(clip, frames=6)
    with pytest.raises(ValueError, match=r"clip\.mkv' is 46×62, too small for scale 47; use"):
        read_clip(clip, frames=1, scale=47)
    for numbers in ({"frames": 0}, {"frames": 1, "scale": 0}):
        with pytest.raises(ValueError, match="must be 1 or more"):
            read_clip(clip, **numbers)


def test_damaged_files_are_named(write, frames, tmp_path):
    bad = [tmp_path / name for name in ("text.mp4", "empty.mp4", "cut.mp4")]
    bad[0].write_text("not a video")
    bad[1].touch()
    whole = write("whole.mp4", frames, codec="libx264", pixel_format="yuv420p")
    with open(whole, "rb") as file:
        bad[2].write_bytes(file.read()[:-200])
    for path in bad:
        for read in (lambda path: read_clip(path, frames=2), frame_rate):
            with pytest.raises(
                ValueError, match=rf"{path.name}' is no video or a damaged one"
            ) as e:
                read(path)
            assert "\n" not in str(e.value)
    with wave.open(str(tmp_path / "sound.wav"), "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        sound.writeframes(bytes(8000))
    with pytest.raises(ValueError, match=r"sound\.wav' holds no pictures"):
        read_clip(tmp_path / "sound.wav", frames=1)


def test_without_pyav_the_extra_is_named(write, frames, monkeypatch):
    clip = write("clip.mkv", frames)
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(ImportError, match=r"agarnet-jax\[video\]"):
        read_clip(clip, frames=1)
