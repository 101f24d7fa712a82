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
from experiments.evaluating.inputs import Clip, VideoCoding, open_still_images


def test_unusable_files_are_reported_and_not_replaced(folder, photos):
    (folder / "a2.png").write_text("no image")
    content = (folder / "b.png").read_bytes()
    (folder / "b.png").write_bytes(content[: len(content) // 2])  # with an intact header
    images = open_still_images("mine", folder, luma_range=LumaRange.STUDIO)
    assert images.names == ("a", "c")
    np.testing.assert_array_equal(images.pixels(1), photos["c"])
    truncated, text = sorted(images.problems, key=lambda line: "a2" in line)
    assert truncated.startswith(f"mine: {folder}/b.png skipped: broken")
    assert text == f"mine: {folder}/a2.png skipped: not an image."


def test_images_with_equal_stems_get_longer_names(tmp_path, photos, save):
    for path in ("x/1.png", "y/1.png", "y/2.png", "y/3.png", "y/3.bmp"):
        save(tmp_path / path, photos["a"])
    images = open_still_images("mine", tmp_path, luma_range=None)
    assert images.names == ("x/1", "y/1", "2", "y/3.bmp", "y/3.png")


def test_records_are_named_by_index(monkeypatch, photos):
    source = SimpleNamespace(records=MemoryRecords(list(photos.values())))
    monkeypatch.setattr(inputs, "open_images", lambda path: source)
    images = open_still_images("mine", "tfds:mine", luma_range=LumaRange.FULL)
    assert images.names == ("record-00000", "record-00001", "record-00002")


def test_a_folder_without_usable_images_raises_an_error(folder):
    for path in folder.iterdir():
        path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ValueError, match=r"mine: none of the images in .* can be used"):
        open_still_images("mine", folder, luma_range=None)


def test_luma_has_the_requested_range(tmp_path, astronaut, save):
    save(tmp_path / "one.png", astronaut[:20, :30])
    kinds = (None, *LumaRange)
    found = {kind: open_still_images("set", tmp_path, luma_range=kind) for kind in kinds}
    np.testing.assert_array_equal(found[None].pixels(0), astronaut[:20, :30])
    for kind in LumaRange:
        expected = np.rint(luma(astronaut[:20, :30], luma_range=kind))
        np.testing.assert_array_equal(found[kind].pixels(0), expected)
    assert len({images.digests for images in found.values()}) == 3


def test_digests_depend_on_pixels_not_on_files(folder, photos, tmp_path, save):
    save(tmp_path / "other" / "z.bmp", photos["a"])
    save(tmp_path / "other" / "y.png", photos["a"].reshape(64, 48))
    first = open_still_images("x", folder, luma_range=None).digests[0]
    y, z = open_still_images("x", tmp_path / "other", luma_range=None).digests
    assert z == first != y


def test_clips_are_coded_according_to_the_protocol(clip, astronaut, encode):
    frames = Clip(clip, frames=4, longest_side=48)
    assert frames.size == (32, 48)
    assert frames.names == ("pan-00", "pan-01", "pan-02", "pan-03")
    reduced = [Image.fromarray(astronaut[i : 64 + i, 100:196]).reduce(2) for i in range(4)]
    clean = [as_luma(np.asarray(frame), LumaRange.STUDIO) for frame in reduced]
    expected = transcode(clean, codec=VideoCodec.MPEG2, bit_rate=1e5, fps=25)
    for index, coded in enumerate(expected):
        mpeg2 = frames.degraded(index, VideoCoding(1e5))
        jpeg = frames.degraded(index, VideoCoding(1e5, Jpeg(60)))
        np.testing.assert_array_equal(mpeg2.clean, clean[index])
        np.testing.assert_array_equal(mpeg2.image, coded)
        libjpeg = np.asarray(Image.open(io.BytesIO(encode(coded, 60))))
        np.testing.assert_array_equal(jpeg.image, libjpeg)
        np.testing.assert_array_equal(jpeg.clean, clean[index])


def test_psnr_falls_with_the_bit_rate_and_with_jpeg(clip, astronaut):
    frames = Clip(clip, frames=5, longest_side=96)
    means = {}
    for rate in (8e3, 500e3):
        values = []
        for index in range(5):
            mpeg2, with_jpeg = (
                frames.degraded(index, VideoCoding(rate, jpeg)) for jpeg in (None, Jpeg(60))
            )
            luma = skimage.color.rgb2ycbcr(astronaut[index : 64 + index, 100:196])[..., 0]
            assert np.abs(mpeg2.clean - luma).max() <= 0.51  # rounded
            assert {plane.dtype for plane in (mpeg2.clean, mpeg2.image, with_jpeg.image)} == {
                np.dtype(np.uint8)
            }
            psnr = functools.partial(
                skimage.metrics.peak_signal_noise_ratio, mpeg2.clean, data_range=255
            )
            values.append([psnr(mpeg2.image), psnr(with_jpeg.image)])
        means[rate] = np.mean(values, axis=0)
    # JPEG lowers PSNR, and a lower bit rate more so.
    assert means[500e3][0] > 40  # the codec keeps the range of luma
    assert means[500e3][0] > means[500e3][1] > means[8e3][0] > means[8e3][1]


def test_a_short_clip_raises_an_error(clip):
    with pytest.raises(ValueError, match="has 10 frames, fewer than the 30"):
        Clip(clip, frames=30, longest_side=320)


def test_digests_of_frames_depend_on_the_whole_clip(clip):
    long, short = (Clip(clip, frames=n, longest_side=96) for n in (4, 3))
    np.testing.assert_array_equal(long.pixels(0), short.pixels(0))
    assert not set(long.digests) & set(short.digests)  # codecs use all frames
