"""Writing files: exact pixels in lossless formats, complete files or none."""

import errno
import os
import resource
import stat

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms

from agarnet_jax.restoration.files import formats, png16_writing, reading, tiff_writing, writing
from agarnet_jax.restoration.files.errors import InputError
from agarnet_jax.restoration.files.metadata import Metadata

NOTHING = Metadata()


@pytest.fixture(scope="module")
def rgb(astronaut):
    return astronaut[:40, 200:264]


def opened(path):
    with Image.open(path) as image:
        image.load()
        return image


def written(pixels, path, metadata=NOTHING):
    return writing.write(pixels, path, metadata=metadata)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("suffix", ["png", "tif", "webp"])
def test_lossless_formats_reproduce_8_bit_pixels(tmp_path, rgb, suffix, channels):
    pixels = np.concatenate([rgb, rgb[..., :1]], axis=-1)[..., -channels:]
    path = tmp_path / f"a.{suffix}"
    assert written(pixels, path) == []
    read = np.asarray(opened(path))
    if suffix == "webp" and channels < 3:
        gray = pixels if channels == 1 else pixels[..., :1]
        pixels = np.concatenate(
            [gray, gray, gray, *([pixels[..., 1:]] if channels == 2 else [])], -1
        )
    np.testing.assert_array_equal(read.reshape(pixels.shape), pixels)


@pytest.mark.parametrize(
    ("format", "suffix"), [(format, s) for format in formats.FORMATS for s in format.suffixes]
)
def test_every_format_is_written_and_read_back(tmp_path, rgb, format, suffix):
    path = tmp_path / f"a{suffix}"
    assert written(rgb, path) == []
    assert opened(path).format == format.name  # Pillow's name
    file = reading.read(path)
    assert (file.kind, file.warnings) == (format.name, ())
    error = np.asarray(file.pixels.convert("RGB")).astype(float) - rgb
    # JPEG of quality 95 has steps of at most 10, errors of 10 / √12; blue takes 1.8 of Cb's.
    assert np.sqrt((error**2).mean()) <= (6 if format.name == "JPEG" else 0)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_16_bit_pixels_are_reproduced(tmp_path, rgb, channels, monkeypatch):
    for module in (png16_writing, tiff_writing):
        monkeypatch.setattr(module, "_STRIP_BYTES", 3000)
    noise = np.random.default_rng(0).integers(0, 256, (*rgb.shape[:2], channels), dtype=np.uint16)
    smooth = np.concatenate([rgb, rgb[..., :1]], axis=-1)[..., :channels].astype(np.uint16) << 8
    pixels = smooth + noise
    for suffix in ("tif", "png"):
        path = tmp_path / f"a.{suffix}"
        written(pixels, path)
        if (suffix, channels) != ("tif", 2):  # which Pillow cannot read
            read = np.asarray(reading.read(path).pixels)
            np.testing.assert_array_equal(read.reshape(pixels.shape), pixels)
        if suffix == "tif":
            np.testing.assert_array_equal(tifffile.imread(path).reshape(pixels.shape), pixels)
        else:  # high bytes, by Pillow's own decoder
            high = np.asarray(opened(path).convert("RGBA"))[..., 0] if channels > 1 else None
            assert high is None or (high == pixels[..., 0] >> 8).all()


def test_16_bit_png_is_compressed(tmp_path):
    slope = np.add.outer(np.arange(200), np.arange(300))[..., None] * np.array([50, 60, 70])
    path = tmp_path / "a.png"
    written(slope.astype(np.uint16), path)
    assert path.stat().st_size < slope.size * 2 / 3


def test_rounding_to_8_bits_is_reported(tmp_path):
    deep = np.array([[[0, 128, 129], [65535, 65535 - 128, 65535 - 129]]], np.uint16)
    for suffix in ("webp", "bmp"):
        path = tmp_path / f"a.{suffix}"
        assert "16 were rounded to 8" in written(deep, path)[0]
        assert np.asarray(opened(path)).tolist() == [[[0, 0, 1], [255, 255, 254]]]


def test_cmyk_is_kept_or_its_conversion_reported(tmp_path, rgb):
    inks = Image.fromarray(rgb).convert("CMYK")
    assert written(inks, tmp_path / "a.tif") == []
    np.testing.assert_array_equal(np.asarray(opened(tmp_path / "a.tif")), np.asarray(inks))
    assert written(inks, tmp_path / "a.jpg") == []
    jpeg = opened(tmp_path / "a.jpg")
    assert jpeg.mode == "CMYK"
    assert np.abs(np.asarray(jpeg).astype(int) - np.asarray(inks)).mean() < 2
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for suffix in ("png", "webp", "bmp"):
        path = tmp_path / f"a.{suffix}"
        notes = written(inks, path, Metadata(icc_profile=profile))
        assert "--format tiff keeps it" in notes[0]
        image = opened(path)
        assert "icc_profile" not in image.info  # the profile would describe inks
        np.testing.assert_array_equal(np.asarray(image), np.asarray(inks.convert("RGB")))


def test_dropped_alpha_is_reported(tmp_path, rgb):
    picture = Image.fromarray(rgb).convert("RGBA")
    for suffix in ("jpg", "bmp"):
        assert "no transparency" in written(picture, tmp_path / f"a.{suffix}")[0]


def test_jpeg_is_nearly_lossless_at_full_chroma(tmp_path, rgb):
    written(rgb, tmp_path / "a.jpg")
    image = opened(tmp_path / "a.jpg")
    assert [part[1:3] for part in image.layer] == [(1, 1)] * 3
    assert np.abs(np.asarray(image).astype(int) - rgb).mean() < 2.5


def test_noise_can_be_written_as_jpeg(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (256, 256, 3), np.uint8)
    assert written(noise, tmp_path / "a.jpg") == []
    assert np.abs(np.asarray(opened(tmp_path / "a.jpg")).astype(int) - noise).mean() < 5


def test_formats_check_size_and_bits():
    with pytest.raises(InputError, match="at most 16383"):
        formats.BY_NAME["webp"].check("a.webp", size=(65500, 3), bits=None)
    with pytest.raises(InputError, match="JPEG has 8 bits"):
        formats.BY_NAME["jpeg"].check("a.jpg", size=(3, 3), bits=16)
    formats.BY_NAME["png"].check("a.png", size=(65500, 3), bits=16)


def test_wide_images_can_be_written(tmp_path):
    for suffix in ("png", "tif", "jpg", "bmp"):
        written(np.zeros((2, 65500, 3), np.uint8), tmp_path / f"a.{suffix}")
    written(np.zeros((2, 65500, 3), np.uint16), tmp_path / "deep.png")


def test_new_files_respect_the_umask(tmp_path):
    earlier = os.umask(0o027)
    try:
        written(np.zeros((2, 2), np.uint8), tmp_path / "a.png")
    finally:
        os.umask(earlier)
    assert stat.S_IMODE((tmp_path / "a.png").stat().st_mode) == 0o640


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "webp", "bmp"])
def test_a_full_disk_leaves_the_existing_file(tmp_path, monkeypatch, rgb, suffix):
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(b"old")

    class Full:
        """A file on a disk with 100 bytes of free space."""

        def __init__(self, descriptor, _mode):
            self._file, self._room = open_file(descriptor, "wb"), 100

        def write(self, data):
            self._room -= len(data)
            if self._room < 0:
                raise OSError(errno.ENOSPC, "No space left on device")
            return self._file.write(data)

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self._file.close()

        def __getattr__(self, name):
            return getattr(self._file, name)

    open_file = os.fdopen
    monkeypatch.setattr(os, "fdopen", Full)
    with pytest.raises(InputError, match=rf"a\.{suffix}.*No space left on device"):
        written(rgb, path)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == [f"a.{suffix}"]


def test_exceeding_the_file_size_limit_is_reported(tmp_path, rgb):
    earlier = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, earlier[1]))
    try:
        for suffix in ("png", "jpg", "bmp"):
            with pytest.raises(InputError, match="File too large"):
                written(rgb, tmp_path / f"a.{suffix}")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, earlier)
    assert os.listdir(tmp_path) == []


def test_unwritable_paths_are_reported(tmp_path, monkeypatch):
    with pytest.raises(InputError, match="No such file or directory"):
        written(np.zeros((2, 2), np.uint8), tmp_path / "no" / "a.png")

    def denied(*_args, **_kwargs):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "open", denied)
    with pytest.raises(InputError, match=r"a\.png.*Permission denied"):
        written(np.zeros((2, 2), np.uint8), tmp_path / "a.png")


def test_16_bit_png_filters_use_the_row_above_across_strips(tmp_path, monkeypatch):
    monkeypatch.setattr(png16_writing, "_STRIP_BYTES", 1)  # one row per strip
    pixels = np.random.default_rng(0).integers(0, 2**16, (200, 7, 3), dtype=np.uint16)
    path = tmp_path / "a.png"
    written(pixels, path)
    np.testing.assert_array_equal(np.asarray(opened(path)), pixels >> 8)  # by Pillow's own decoder


@pytest.mark.parametrize("suffix", ["png", "tif", "webp"])
def test_colours_of_transparent_pixels_are_kept(tmp_path, rgb, suffix):
    pixels = np.dstack([rgb, np.zeros(rgb.shape[:2], np.uint8)])
    written(pixels, tmp_path / f"a.{suffix}")
    np.testing.assert_array_equal(np.asarray(opened(tmp_path / f"a.{suffix}")), pixels)
