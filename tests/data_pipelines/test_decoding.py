import contextlib
import io
import os
import struct
import tracemalloc

import numpy as np
import pytest
import tifffile
from PIL import Image

from agarnet_jax.color import LumaRange, luma
from data_pipelines.decoding import (
    UnreachableImageError,
    UnusableImageError,
    as_luma,
    decode,
    image_size,
)

REASONS = {
    "truncated.jpg": "broken",
    "truncated.png": "broken",
    "empty.png": "empty file",
    "text.jpg": "not an image",
    "animated.gif": "several frames",
}


@pytest.mark.parametrize("name", REASONS)
def test_unusable_files_are_rejected_with_a_reason(bad_files, tmp_path, name):
    path = tmp_path / name
    path.write_bytes(bad_files[name])
    for file in (path, bad_files[name]):
        with pytest.raises(UnusableImageError, match=REASONS[name]):
            decode(file)


@pytest.mark.parametrize("kind", ["TIFF", "GIF"])
def test_truncated_multi_frame_files_never_crash_the_decoder(astronaut, encoded, kind):
    """Wherever the file ends, it decodes or raises UnusableImageError."""
    frames = [Image.fromarray(astronaut[:16, :16]).rotate(angle) for angle in (0, 90, 180)]
    whole = encoded(frames[0], kind, save_all=True, append_images=frames[1:])
    for length in range(0, len(whole), 3):
        with contextlib.suppress(UnusableImageError):
            decode(whole[:length])
        with contextlib.suppress(UnusableImageError):
            image_size(whole[:length])
    with pytest.raises(UnusableImageError, match="several frames"):
        decode(whole)


def test_a_missing_file_is_unusable(tmp_path):
    with pytest.raises(UnusableImageError, match=r"unreadable: .*No such file"):
        decode(tmp_path / "gone.png")


def test_reading_a_pipe_does_not_block(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "link.png").symlink_to("pipe.png")
    for name in ("pipe.png", "link.png"):
        for read in (decode, image_size):
            with pytest.raises(UnusableImageError, match="unreadable: not a regular file"):
                read(tmp_path / name)


def test_a_decompression_bomb_is_rejected(odd_files, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(UnusableImageError, match=r"unreadable: .*decompression bomb"):
        decode(odd_files["wide.png"])


@pytest.mark.parametrize("dtype", [np.float32, np.int32])
def test_gray_values_of_unknown_range_are_rejected(gray_photo, encoded, dtype):
    """Otherwise a scan in [0, 1] would decode to black, and one of 32 bits to white."""
    contents = encoded(gray_photo.astype(dtype), "TIFF")
    for read in (decode, image_size):
        with pytest.raises(UnusableImageError, match="gray values of unknown range"):
            read(contents)


def test_running_out_of_memory_is_not_blamed_on_the_file(odd_files, monkeypatch):
    def convert(self, mode):
        raise MemoryError

    monkeypatch.setattr(Image.Image, "convert", convert)
    with pytest.raises(UnreachableImageError, match="out of memory"):
        decode(odd_files["wide.png"])


def test_unusual_files_are_decoded_to_8_bit_gray_or_rgb(odd_files):
    images = {name: decode(data) for name, data in odd_files.items()}
    for name, data in odd_files.items():
        assert images[name].dtype == np.uint8
        assert images[name].shape[:2] == image_size(data) == (64, images[name].shape[1])
    assert images["wide.png"].shape == (64, 20_000, 3)
    deep = np.arange(64 * 96).reshape(64, 96) * 10
    assert np.abs(images["deep.png"] - deep / 257).max() <= 0.5
    for name in ("cmyk.jpg", "two_views.jpg", "still.gif"):
        reference = Image.open(io.BytesIO(odd_files[name])).convert("RGB")
        np.testing.assert_array_equal(images[name], np.asarray(reference))


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "LA", "1", "CMYK"])
def test_all_pillow_modes_are_decoded_to_gray_or_rgb(astronaut, encoded, mode):
    image = Image.fromarray(astronaut[:40, :48]).convert(mode)
    gray = mode in ("L", "LA", "1")
    expected = np.asarray(image.convert("L" if gray else "RGB"))
    np.testing.assert_array_equal(decode(encoded(image, "TIFF")), expected)


def test_12_bit_tiff_uses_the_whole_range():
    """Built by hand, since tifffile cannot write 12 bits: levels 0, 2048, 4095, 16 in 6 bytes."""
    strip = bytes.fromhex("000800fff010")
    tags = {256: 4, 257: 1, 258: 12, 259: 1, 262: 1, 273: 8, 277: 1, 278: 1, 279: len(strip)}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    header = struct.pack("<2sHI6sxxH", b"II", 42, 16, strip, len(tags))
    assert decode(header + entries + bytes(4)).tolist() == [[0, 128, 255, 1]]


def test_white_is_zero_16_bit_tiff_is_inverted(gray_photo):
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, (255 - gray_photo).astype(np.uint16) * 257, photometric="miniswhite")
    np.testing.assert_array_equal(decode(buffer.getvalue()), gray_photo)


@pytest.mark.parametrize("luma_range", LumaRange)
def test_luma_of_strips_equals_luma_of_the_whole_image(astronaut, luma_range):
    expected = np.rint(luma(astronaut, luma_range=luma_range))
    np.testing.assert_array_equal(as_luma(astronaut, luma_range), expected)
    np.testing.assert_array_equal(as_luma(astronaut[:101], luma_range), expected[:101])
    gray = astronaut[..., 0]
    assert as_luma(gray, luma_range) is gray


def test_luma_takes_little_memory(astronaut):
    image = np.tile(astronaut, (4, 4, 1))
    tracemalloc.start()
    as_luma(image, LumaRange.FULL)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * image.shape[0] * image.shape[1]
