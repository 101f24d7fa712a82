import functools
import io
from types import SimpleNamespace

import numpy as np
import pytest
import skimage.color
import skimage.metrics
from PIL import Image

from agarnet_jax.color import LumaRange, luma
from data_pipelines.decoding import as_luma
from data_pipelines.degradations.jpeg import Jpeg
from data_pipelines.sources.records import MemoryRecords
from data_pipelines.transcoding import VideoCodec, transcode
from experiments.evaluating import inputs
from experiments.evaluating.inputs import Clip, VideoCoding, open_pictures


def test_unusable_files_are_named_and_have_no_stand_in(folder, photos):
    (folder / "a2.png").write_text("no image")
    whole = (folder / "b.png").read_bytes()
    (folder / "b.png").write_bytes(whole[: len(whole) // 2])  # its header is in order
    pictures = open_pictures("mine", folder, luma_range=LumaRange.STUDIO)
    assert pictures.names == ("a", "c")
    np.testing.assert_array_equal(pictures.pixels(1), photos["c"])
    cut, text = sorted(pictures.problems, key=lambda line: "a2" in line)
    assert cut.startswith(f"mine: {folder}/b.png is left out: broken")
    assert text == f"mine: {folder}/a2.png is left out: not an image."


def test_images_of_one_name_are_kept_apart(tmp_path, photos, save):
    for path in ("x/1.png", "y/1.png", "y/2.png", "y/3.png", "y/3.bmp"):
        save(tmp_path / path, photos["a"])
    pictures = open_pictures("mine", tmp_path, luma_range=None)
    assert pictures.names == ("x/1", "y/1", "2", "y/3.bmp", "y/3.png")


def test_records_are_called_by_their_numbers(monkeypatch, photos):
    source = SimpleNamespace(records=MemoryRecords(list(photos.values())))
    monkeypatch.setattr(inputs, "open_images", lambda place: source)
    pictures = open_pictures("mine", "tfds:mine", luma_range=LumaRange.FULL)
    assert pictures.names == ("record-00000", "record-00001", "record-00002")


def test_a_folder_without_usable_images_is_refused(folder):
    for path in folder.iterdir():
        path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ValueError, match=r"mine: none of the images in .* can be used"):
        open_pictures("mine", folder, luma_range=None)


def test_luma_is_of_the_range_asked_for(tmp_path, astronaut, save):
    save(tmp_path / "one.png", astronaut[:20, :30])
    found = {kind: open_pictures("set", tmp_path, luma_range=kind) for kind in (None, *LumaRange)}
    np.testing.assert_array_equal(found[None].pixels(0), astronaut[:20, :30])
    for kind in LumaRange:
        expected = np.rint(luma(astronaut[:20, :30], luma_range=kind))
        np.testing.assert_array_equal(found[kind].pixels(0), expected)
    assert len({pictures.digests for pictures in found.values()}) == 3


def test_digests_are_of_pixels_not_of_files(folder, photos, tmp_path, save):
    save(tmp_path / "other" / "z.bmp", photos["a"])
    save(tmp_path / "other" / "y.png", photos["a"].reshape(64, 48))
    first = open_pictures("x", folder, luma_range=None).digests[0]
    y, z = open_pictures("x", tmp_path / "other", luma_range=None).digests
    assert z == first != y


def test_a_clip_is_coded_as_the_protocol_says(clip, astronaut, encode):
    frames = Clip(clip, frames=4, longest_side=48)
    assert frames.size == (32, 48)
    assert frames.names == ("pan-00", "pan-01", "pan-02", "pan-03")
    reduced = [Image.fromarray(astronaut[i : 64 + i, 100:196]).reduce(2) for i in range(4)]
    clean = [as_luma(np.asarray(frame), LumaRange.STUDIO) for frame in reduced]
    expected = transcode(clean, codec=VideoCodec.MPEG2, bit_rate=1e5, fps=25)
    for index, coded in enumerate(expected):
        alone = frames.degraded(index, VideoCoding(1e5))
        jpeg = frames.degraded(index, VideoCoding(1e5, Jpeg(60)))
        np.testing.assert_array_equal(alone.clean, clean[index])
        np.testing.assert_array_equal(alone.image, coded)
        libjpeg = np.asarray(Image.open(io.BytesIO(encode(coded, 60))))
        np.testing.assert_array_equal(jpeg.image, libjpeg)
        np.testing.assert_array_equal(jpeg.clean, clean[index])


def test_video_loses_by_its_rate_and_jpeg_once_more(clip, astronaut):
    frames = Clip(clip, frames=5, longest_side=96)
    means = {}
    for rate in (8e3, 500e3):
        values = []
        for index in range(5):
            alone, saved = (
                frames.degraded(index, VideoCoding(rate, jpeg)) for jpeg in (None, Jpeg(60))
            )
            luma = skimage.color.rgb2ycbcr(astronaut[index : 64 + index, 100:196])[..., 0]
            assert np.abs(alone.clean - luma).max() <= 0.51  # rounded
            assert {plane.dtype for plane in (alone.clean, alone.image, saved.image)} == {
                np.dtype(np.uint8)
            }
            psnr = functools.partial(
                skimage.metrics.peak_signal_noise_ratio, alone.clean, data_range=255
            )
            values.append([psnr(alone.image), psnr(saved.image)])
        means[rate] = np.mean(values, axis=0)
    # JPEG costs something, fewer bits more.
    assert means[500e3][0] > 40  # the codec has the luma's own levels
    assert means[500e3][0] > means[500e3][1] > means[8e3][0] > means[8e3][1]


def test_a_short_clip_is_refused(clip):
    with pytest.raises(ValueError, match="has 10 frames, fewer than the 30"):
        Clip(clip, frames=30, longest_side=320)


def test_frames_of_another_clip_are_others(clip):
    long, short = (Clip(clip, frames=n, longest_side=96) for n in (4, 3))
    np.testing.assert_array_equal(long.pixels(0), short.pixels(0))
    assert not set(long.digests) & set(short.digests)  # codecs see all frames
