"""Reading files of all formats, written by Pillow, tifffile and this test's own encoders."""

import base64
import itertools
import os
import pathlib
import re
import struct
import threading
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image, features

from agarnet_jax.restoration.files import reading
from agarnet_jax.restoration.files.errors import InputError

# A gradient of 16×24 pixels by `cjpeg -arithmetic -quality 60`, which Pillow cannot write.
ARITHMETIC = base64.b85decode(
    "|JeWF01!$>Nk#wx0RR9200961|JwjV01XKW3knDg3knMk4h;_zAQcl55)&sJ9v2`kDKRiEDJ?8BI!Zn>HbyrrEkIX6Modm"
    "pQ&KWMT47pHU`kO^PyfjP3kU!Z02l!Q5di<p00saM5C#9*00;pA002J#{{W?b$w3~$jo~k8?YD%J-J<%DRHc~z*#"
)

# 10- and 16-bit colour gradients of 16×16 pixels by imagecodecs 2026, which Pillow cannot write.
AVIF_10 = base64.b85decode(
    "0000WW^{RQVRmU|00000VRmU|ZE0pPZE0a<O+hh10002%ZDn*}000000000XXk=`10000000000aA{+700000000000000"
    "0000004sdC7Z2$lO000310016oY;R)#0000)000310RR910RR926951JG5`PoC~0YKW&i*H00031000_kZf0cy000000RR"
    "ADb}%tRZ)|UJ00000YH4tCZ~y=ROKEUpZvX%Q6lrsCWdHyG000005C8xG5C8xG5O8UDX#fBK00RmN3IG5A3}JRLLxCVb00"
    "0006Ju{|a&BX6cmM(b0ssbp0000NX>e^}0000000001009I60)qqq0025|WMOm?015~=4FB4|fPthkBo~5X1j7t4&maH*b"
    "%Kh%TVle$X@@2J{mS(df7vRii%lq*Oa"
)
JPEG_2000_16 = base64.b85decode(
    "|4;u>051Rl0000G0000G00000000000000G0000G000000000000R#J0S^HI4*>!HQUDGC0ssL40R#j90EmeHTmTC~h$NT"
    "Om(!PG|6~9q00BdCWnpw>WFTUBAWv{*Zc0!^M<8}(a&u{KZXhx)H7+#&kN^q*00000JOBazlh25VIlZn~vh^1tEn6?}F|n"
    "rHCdY{qjMJ|C9u&Ek$BGc#LOmXVMOTbAfPjGi*#"
)


@pytest.fixture
def file(tmp_path):
    """Writes contents to a file of the given name; returns its path."""

    def file(contents, name="picture"):
        path = tmp_path / name
        path.write_bytes(contents)
        return path

    return file


@pytest.fixture(scope="module")
def rgb(astronaut):
    return astronaut[:40, 200:264]


def refused(path, **limits):
    with pytest.raises(InputError) as caught:
        reading.read(path, **limits)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"progressive": True},
        {"subsampling": "4:2:2"},
        {"subsampling": "4:4:4"},
        {"keep_rgb": True},
    ],
)
def test_jpeg_pixels_match_pillow(file, rgb, encoded, options):
    path = file(encoded(rgb, "JPEG", quality=40, **options))
    read = reading.read(path)
    assert (read.kind, read.size, read.warnings) == ("JPEG", (64, 40), ())
    assert read.pixels.mode == ("RGB" if "keep_rgb" in options else "YCbCr")
    expected = np.asarray(Image.open(path)).astype(int)
    # Pillow's own conversion from YCbCr differs from libjpeg's by rounding.
    assert np.abs(np.asarray(read.pixels.convert("RGB")) - expected).max() <= 2
    assert read.pixels.quantization
    assert read.header.sampling[0] == (read.pixels.layer[0][1], read.pixels.layer[0][2])


def test_gray_cmyk_and_arithmetic_jpegs_are_read(file, rgb, encoded):
    assert reading.read(file(encoded(rgb[..., 0], "JPEG"))).pixels.mode == "L"
    cmyk = Image.fromarray(rgb).convert("CMYK")
    read = reading.read(file(encoded(cmyk, "JPEG", quality=100)))
    assert read.pixels.mode == "CMYK"
    assert np.abs(np.asarray(read.pixels).astype(int) - np.asarray(cmyk)).mean() < 1
    gradient = (np.add.outer(np.arange(16), np.arange(24)) * 6).astype(np.uint8)
    same = reading.read(file(encoded(gradient, "JPEG", quality=60)))
    arithmetic = reading.read(file(ARITHMETIC, "arithmetic"))
    np.testing.assert_array_equal(np.asarray(arithmetic.pixels), np.asarray(same.pixels))


@pytest.mark.parametrize(
    ("format", "mode"),
    [
        *itertools.product(["PNG", "TIFF"], ["L", "LA", "RGB", "RGBA"]),
        *itertools.product(["WEBP"], ["RGB", "RGBA"]),
        *itertools.product(["BMP"], ["L", "RGB"]),
    ],
)
def test_other_formats_keep_pixels_and_alpha(file, rgb, encoded, format, mode):
    alpha = Image.fromarray(rgb[..., 0])
    picture = Image.fromarray(rgb).convert(mode)
    if mode.endswith("A"):
        picture.putalpha(alpha)
    options = {"lossless": True, "exact": True} if format == "WEBP" else {}
    read = reading.read(file(encoded(picture, format, **options)))
    assert (read.kind, read.pixels.mode, read.header) == (format, picture.mode, None)
    np.testing.assert_array_equal(np.asarray(read.pixels), np.asarray(picture))


def test_conversions_are_reported(file, rgb, encoded):
    palette = Image.fromarray(rgb).quantize(16)
    read = reading.read(file(encoded(palette, "PNG")))
    assert read.warnings == ("its palette was converted to RGB",)
    np.testing.assert_array_equal(np.asarray(read.pixels), np.asarray(palette.convert("RGB")))
    transparent = reading.read(file(encoded(palette, "PNG", transparency=3)))
    expected = np.where(np.asarray(palette) == 3, 0, 255)
    np.testing.assert_array_equal(np.asarray(transparent.pixels)[..., 3], expected)
    bilevel = reading.read(file(encoded(Image.new("1", (9, 9), 1), "PNG")))
    assert bilevel.pixels.mode == "L"
    assert "black-and-white" in bilevel.warnings[0]
    assert "of mode 'F'" in refused(file(encoded(Image.new("F", (9, 9)), "TIFF")))


def png16(pixels, color_type, **chunks):
    """Encodes 16-bit pixels as PNG."""
    rows = pixels.astype(">u2").reshape(len(pixels), -1).view(np.uint8)
    return png(rows, width=pixels.shape[1], depth=16, color_type=color_type, **chunks)


def png(rows, *, width, depth, color_type, **chunks):
    """Encodes rows of packed bytes as PNG, with filter 0 throughout."""
    parts = {
        "IHDR": struct.pack(">IIBBBBB", width, len(rows), depth, color_type, 0, 0, 0),
        **chunks,
        "IDAT": zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows)),
        "IEND": b"",
    }
    contents = b"\x89PNG\r\n\x1a\n"
    for name, data in parts.items():
        kind = name.encode()
        contents += struct.pack(">I", len(data)) + kind + data
        contents += struct.pack(">I", zlib.crc32(kind + data))
    return contents


@pytest.mark.parametrize(("channels", "color_type"), [(1, 0), (2, 4), (3, 2), (4, 6)])
def test_16_bit_png_pixels_are_kept(file, channels, color_type):
    pixels = np.random.default_rng(0).integers(0, 65536, (9, 13, channels), dtype=np.uint16)
    read = reading.read(file(png16(pixels, color_type)))
    assert np.asarray(read.pixels).dtype == np.uint16
    np.testing.assert_array_equal(np.asarray(read.pixels).reshape(pixels.shape), pixels)
    assert read.size == (13, 9)


def netpbm(pixels, highest):
    head = f"P{5 if pixels.ndim == 2 else 6} {pixels.shape[1]} {pixels.shape[0]} {highest}\n"
    return head.encode() + pixels.astype(">u2" if highest > 255 else "u1").tobytes()


def test_netpbm_gray_is_kept_and_16_bit_colour_reported(file):
    levels = np.random.default_rng(0).integers(0, 65536, (9, 13, 3))
    gray = reading.read(file(netpbm(levels[..., 0], 65535)))
    assert (gray.kind, gray.pixels.mode, gray.warnings) == ("PPM", "I;16", ())
    np.testing.assert_array_equal(np.asarray(gray.pixels), levels[..., 0])
    colour = reading.read(file(netpbm(levels, 65535)))
    assert colour.warnings == ("its 16-bit colours were converted to 8 bits",)
    np.testing.assert_allclose(np.asarray(colour.pixels), levels / 257, atol=0.5)
    for highest in (255, 100):
        assert reading.read(file(netpbm(levels % (highest + 1), highest))).warnings == ()


@pytest.mark.skipif(not features.check("avif"), reason="Pillow lacks AVIF")
def test_lost_bits_of_avif_are_reported(file, rgb, encoded):
    read = reading.read(file(AVIF_10))
    assert (read.size, read.warnings) == (
        (16, 16),
        ("its 10-bit colours were converted to 8 bits",),
    )
    assert reading.read(file(encoded(rgb, "AVIF"))).warnings == ()


def test_lost_bits_of_jpeg_2000_and_sgi_are_reported(file, rgb, encoded):
    expected = ("its 16-bit colours were converted to 8 bits",)
    assert reading.read(file(JPEG_2000_16)).warnings == expected
    assert reading.read(file(encoded(rgb, "SGI", bpc=2))).warnings == expected
    for format in ("JPEG2000", "SGI"):
        assert reading.read(file(encoded(rgb, format))).warnings == ()
    gray = rgb[..., 0].astype(np.uint16) * 257
    assert reading.read(file(encoded(gray, "JPEG2000"))).warnings == ()  # all 16 are kept


def test_16_bit_images_beyond_pillows_pixel_limit_are_read(file, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    pixels = np.full((9, 13, 3), 0x1234, np.uint16)
    read = reading.read(file(png16(pixels, 2)))
    np.testing.assert_array_equal(read.pixels, pixels)


def test_a_transparent_16_bit_colour_becomes_alpha(file):
    pixels = np.full((4, 5, 3), 0x1234, np.uint16)
    pixels[1, 2] = 0x1235
    read = reading.read(file(png16(pixels, 2, tRNS=b"\x12\x35" * 3)))
    assert read.pixels.shape == (4, 5, 4)
    assert [tuple(index) for index in np.argwhere(read.pixels[..., 3] == 0)] == [(1, 2)]


@pytest.mark.parametrize("depth", [1, 2, 4, 8, 16])
def test_a_transparent_gray_level_becomes_alpha(file, depth):
    levels = np.arange(64).reshape(8, 8) % 2**depth
    bits = np.unpackbits(levels.astype(">u2")[..., None].view(np.uint8), axis=2)
    rows = np.packbits(bits[..., 16 - depth :].reshape(8, -1), axis=1)
    contents = png(rows, width=8, depth=depth, color_type=0, tRNS=b"\0\1")
    pixels = np.asarray(reading.read(file(contents)).pixels)
    assert pixels.dtype == (np.uint16 if depth == 16 else np.uint8)
    np.testing.assert_array_equal(pixels[..., 1], np.where(levels == 1, 0, pixels.max()))
    peak = np.iinfo(pixels.dtype).max
    np.testing.assert_array_equal(pixels[..., 0], levels * (peak // (2**depth - 1)))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_tiff_with_white_as_zero_is_inverted(tmp_path, dtype):
    pixels = np.random.default_rng(0).integers(0, np.iinfo(dtype).max, (9, 13), dtype=dtype)
    tifffile.imwrite(tmp_path / "negative.tif", pixels, photometric="miniswhite", byteorder="<")
    read = np.asarray(reading.read(tmp_path / "negative.tif").pixels)
    np.testing.assert_array_equal(read, np.iinfo(dtype).max - pixels)


def tiff(tags, strip):
    """Encodes a little-endian TIFF from numbers by tag."""
    count = len(tags) + 2
    tags = {**tags, 273: 8 + 2 + 12 * count + 4, 279: len(strip)}
    entries = (struct.pack("<HHII", tag, 4, 1, number) for tag, number in sorted(tags.items()))
    return struct.pack("<2sHIH", b"II", 42, 8, count) + b"".join(entries) + bytes(4) + strip


@pytest.mark.parametrize("compression", [1, 8])
def test_12_bit_tiff_is_scaled_to_16_bits(file, compression):
    levels = np.random.default_rng(0).integers(0, 4096, (9, 13))
    levels[0, :3] = 0, 2048, 4095
    bits = (levels[..., None] >> np.arange(11, -1, -1)) & 1
    data = np.packbits(bits.reshape(9, -1), axis=1).tobytes()
    if compression == 8:
        data = zlib.compress(data)
    tags = {256: 13, 257: 9, 258: 12, 259: compression, 262: 1, 277: 1, 278: 9}
    read = reading.read(file(tiff(tags, data)))
    assert read.pixels.mode == "I;16"
    np.testing.assert_allclose(np.asarray(read.pixels), levels * (65535 / 4095), atol=0.5)


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"byteorder": ">"},
        {"compression": "zlib", "predictor": True},
        {"compression": "zlib", "byteorder": ">", "rowsperstrip": 4},
        {"tile": (16, 16)},
    ],
)
def test_16_bit_tiff_pixels_are_kept(tmp_path, channels, options):
    pixels = np.random.default_rng(0).integers(0, 65536, (33, 47, channels), dtype=np.uint16)
    kind = {"photometric": "minisblack" if channels == 1 else "rgb"}
    if channels == 4:
        kind["extrasamples"] = ["unassalpha"]
    shaped = pixels[..., 0] if channels == 1 else pixels
    tifffile.imwrite(tmp_path / "deep.tif", shaped, **kind, **options)
    read = reading.read(tmp_path / "deep.tif")
    np.testing.assert_array_equal(np.asarray(read.pixels), shaped)


def test_16_bit_tiff_with_separate_planes_is_refused(tmp_path):
    pixels = np.zeros((3, 20, 20), np.uint16)
    path = tmp_path / "planes.tif"
    for compression in (None, "zlib"):
        options = {"photometric": "rgb", "planarconfig": "separate", "compression": compression}
        tifffile.imwrite(path, pixels, **options)
        assert "contiguous" in refused(path)


def test_orientation_is_not_applied_to_pixels(file, rgb, encoded):
    for format, options in (("TIFF", {}), ("PNG", {}), ("JPEG", {"quality": 95})):
        for orientation in range(1, 9):
            exif = Image.Exif()
            exif[0x0112] = orientation
            read = reading.read(file(encoded(rgb, format, exif=exif, **options)))
            assert read.metadata.orientation == orientation
            assert read.size == (64, 40)
            if format != "JPEG":
                np.testing.assert_array_equal(np.asarray(read.pixels), rgb)


def test_a_truncated_jpeg_is_decoded_as_far_as_possible(file, astronaut, encoded):
    whole = encoded(astronaut[:160, :200], "JPEG", quality=80)
    path = file(whole[: len(whole) // 2])
    read = reading.read(path)
    (warning,) = read.warnings
    first, last, height = (int(s) for s in warning.split() if s.isdigit())
    assert (last, height) == (160, 160)
    pixels = np.asarray(read.pixels)
    expected = np.asarray(reading.read(file(whole, "whole")).pixels)
    assert 40 < first < 120
    np.testing.assert_array_equal(pixels[: first - 24], expected[: first - 24])
    assert (pixels[first - 1 :] == 128).all()
    assert "truncated" in refused(path, strict=True)


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("options", [{}, {"restart_marker_rows": 1}, {"subsampling": "4:4:4"}])
def test_missing_data_before_an_end_of_image_is_detected(file, astronaut, encoded, mode, options):
    picture = Image.fromarray(astronaut[:160, :200]).convert(mode)
    whole = encoded(picture, "JPEG", quality=80, **options)
    expected = np.asarray(reading.read(file(whole)).pixels)
    for part in (0.3, 0.5, 0.7):
        path = file(whole[: int(len(whole) * part)] + b"\xff\xd9", "cut")
        read = reading.read(path)
        (warning,) = read.warnings
        first, last, height = (int(s) for s in warning.split() if s.isdigit())
        assert (last, height) == (160, 160)
        pixels = np.asarray(read.pixels)
        np.testing.assert_array_equal(pixels[: first - 24], expected[: first - 24])
        assert (pixels[first - 1 :] == 128).all()
        assert "truncated" in refused(path, strict=True)


def test_an_interrupted_download_is_detected(file, astronaut, encoded):
    """Some programs allocate the file at its full length; the zeros decode without error."""
    whole = encoded(astronaut[:160, :200], "JPEG", quality=80)
    kept = len(whole) * 2 // 3
    path = file(whole[:kept] + bytes(len(whole) - kept))
    read = reading.read(path)
    assert read.warnings[0].startswith("it is truncated: rows ")
    assert (np.asarray(read.pixels)[-1] == 128).all()
    assert "truncated" in refused(path, strict=True)


def test_missing_scans_are_detected(file, astronaut, encoded):
    whole = encoded(astronaut[:160, :200], "JPEG", quality=80, progressive=True)
    scans = [match.start() for match in re.finditer(b"\xff\xda", whole)]
    for scan in scans[1:]:
        path = file(whole[:scan] + b"\xff\xd9")
        assert "fine details are missing" in reading.read(path).warnings[0]
        assert "truncated" in refused(path, strict=True)


@pytest.mark.parametrize("padding", [b"", bytes(5000)])
@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize(
    "options",
    [{}, {"optimize": True}, {"progressive": True}, {"subsampling": "4:4:4"}, {"quality": 5}],
)
@pytest.mark.parametrize("size", [(512, 512), (200, 160), (64, 48), (8, 32), (9, 300)])
def test_complete_images_with_gray_rows_at_the_end_are_not_called_truncated(
    file, astronaut, encoded, size, options, mode, padding
):
    width, height = size
    pixels = astronaut[:height, :width].copy()
    for gray_rows in (0, 8, 16, 17, 20, height - 8, height):
        pixels[height - gray_rows :] = 128
        contents = encoded(Image.fromarray(pixels).convert(mode), "JPEG", **options)
        assert reading.read(file(contents + padding), strict=True).warnings == ()


def test_truncated_progressive_files_are_decoded_and_fragments_refused(file, rgb, encoded):
    whole = encoded(rgb, "JPEG", progressive=True)
    read = reading.read(file(whole[:-200]))
    assert "fine details are missing" in read.warnings[0]
    scan = whole.index(b"\xff\xda")
    assert "before the first row" in refused(file(whole[: scan + 14]))
    for length in (2, 3, 20, 200, scan - 5):
        assert "picture" in refused(file(whole[:length]))


def test_uniform_rows_at_the_end_are_not_called_missing(file, astronaut, encoded):
    barred = astronaut[:160, :200].copy()
    barred[100:] = 0
    for image in (barred, np.full((8, 8, 3), (200, 30, 30), np.uint8), barred[..., 0]):
        for options in ({}, {"progressive": True}):
            whole = encoded(image, "JPEG", **options)
            read = reading.read(file(whole[:-2]))  # lacks only the end of image
            assert read.warnings[0].startswith("it is truncated: the last rows or, if it is prog")
            expected = np.asarray(reading.read(file(whole, "whole")).pixels)
            np.testing.assert_array_equal(np.asarray(read.pixels), expected)


def test_damaged_files_are_refused_by_name(file, rgb, encoded):
    assert "is empty (0 bytes)" in refused(file(b""))
    for size in (3, 20):  # within its signature, and its header
        cut = encoded(rgb, "JPEG")[:size]
        assert "is damaged or truncated" in refused(file(cut))
    assert "not an image" in refused(file(b"only a text", "text.jpg"))
    for format in ("PNG", "TIFF", "WEBP", "BMP"):
        contents = encoded(rgb, format)
        message = refused(file(contents[: len(contents) // 2], f"cut.{format.lower()}"))
        assert f"cut.{format.lower()}' " in message
        assert "copy it again" in message


def test_a_misleading_suffix_is_reported_only(file, rgb, encoded):
    read = reading.read(file(encoded(rgb, "PNG"), "photo.jpg"))
    assert read.kind == "PNG"
    assert read.warnings == ("it is a PNG file despite its suffix '.jpg'",)
    assert reading.read(file(encoded(rgb, "JPEG"), "photo.JPEG")).warnings == ()
    for suffix, is_reported in ((".jpg", True), (".png", True), (".gif", False)):
        read = reading.read(file(encoded(rgb, "GIF"), f"drawing{suffix}"))
        assert any("it is a GIF file" in warning for warning in read.warnings) is is_reported


@pytest.mark.parametrize("format", ["PNG", "WEBP", "TIFF", "GIF"])
def test_animations_and_multi_page_files_are_refused(file, rgb, encoded, format):
    frames = [Image.fromarray(np.roll(rgb, n, axis=1)) for n in range(3)]
    contents = encoded(frames[0], format, save_all=True, append_images=frames[1:])
    assert "animated or has several pages (3 images)" in refused(file(contents))


def test_data_after_a_jpeg_is_reported(file, rgb, encoded):
    whole = encoded(rgb, "JPEG")
    for trailing in (b"\0\0\0\x18ftypmp42" + bytes(50) + b"moov", whole):
        (warning,) = reading.read(file(whole + trailing)).warnings
        assert warning == (
            f"{len(trailing):,} bytes after the end of the image, such as a video or another "
            "image, are not kept"
        )
    for padding in (bytes(100), b"\r\n", b"\xff\xff\xff", b"\xff\xd9"):
        assert reading.read(file(whole + padding)).warnings == ()


def test_further_images_of_a_photo_are_reported(file, rgb, encoded):
    frames = [Image.fromarray(rgb)] * 2
    read = reading.read(file(encoded(frames[0], "MPO", save_all=True, append_images=frames[1:])))
    assert read.kind == "JPEG"
    (warning,) = read.warnings
    assert "further images" in warning


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (5000, 1), (65500, 2)])
def test_images_of_extreme_sizes_are_read(file, encoded, size):
    for format in ("JPEG", "PNG"):
        read = reading.read(file(encoded(Image.new("RGB", size, "red"), format)))
        assert read.size == size


def test_decompression_bombs_are_refused_before_decoding(file):
    bomb = png16(np.zeros((1, 1, 3), np.uint16), 2)
    header = struct.pack(">4sIIBBBBB", b"IHDR", 60000, 60000, 8, 2, 0, 0, 0)
    bomb = bomb[:12] + header + struct.pack(">I", zlib.crc32(header)) + bomb[33:]
    message = refused(file(bomb))
    assert "60000×60000 = 3,600,000,000 pixels, more than the limit of 250,000,000" in message
    assert "--max-pixels 3600000000" in message


def test_max_pixels_is_applied_and_pillows_limit_restored(file, encoded, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 50)
    for format in ("TIFF", "JPEG", "PNG", "WEBP"):
        path = file(encoded(Image.new("L", (20, 20)), format))
        assert "--max-pixels 400" in refused(path, max_pixels=399)
        assert reading.read(path, max_pixels=400).size == (20, 20)
    assert Image.MAX_IMAGE_PIXELS == 50


def test_paths_that_are_not_files_are_refused(tmp_path, monkeypatch):
    assert "does not exist" in refused(tmp_path / "none.jpg")
    assert "is a folder" in refused(tmp_path)
    loop = tmp_path / "loop.jpg"
    loop.symlink_to(loop)
    assert "symbolic links" in refused(loop)
    assert "too long" in refused(tmp_path / ("x" * 300))
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    assert "device or pipe" in refused(pipe)
    locked = tmp_path / "locked.png"
    locked.write_bytes(b"1")

    def denied(*_args, **_kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", denied)
    assert "permission denied" in refused(locked)


def test_file_names_that_are_not_utf8_are_supported(tmp_path, encoded, rgb):
    path = pathlib.Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.png"))
    path.write_bytes(encoded(rgb, "PNG"))
    assert reading.read(path).size == (64, 40)
    path.write_bytes(b"x")
    assert "caf\\xe9.png' is not an image" in refused(path)


def test_files_can_be_read_from_threads(file, rgb, encoded):
    path = file(encoded(rgb, "PNG"))
    sizes = []
    threads = [
        threading.Thread(target=lambda: sizes.append(reading.read(path).size)) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sizes == [(64, 40)] * 8


def test_a_truncated_jpeg_with_restart_markers_keeps_what_follows_the_last(
    file, astronaut, encoded
):
    whole = encoded(astronaut[:256, :256], "JPEG", quality=80, restart_marker_rows=4)
    assert b"\xff\xd0" in whole  # as written by cameras; here after every fourth row of blocks
    (warning,) = reading.read(file(whole[: int(0.7 * len(whole))])).warnings
    first = int(next(word for word in warning.split() if word.isdigit()))
    assert first > 0.7 * 256  # rows take about the same number of bytes


# 137×82 pixels by `jpegtran -arithmetic`, which codes gray blocks in less than a bit each.
GRAY_BELOW = base64.b64decode(
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDACgcHiMeGSgjISMtKygwPGRBPDc3PHtYXUlkkYCZlo+AjIqgtObDoKra"
    "rYqMyP/L2u71////m8H////6/+b9//j/yQALCABSAIkBAREA/8wABgAQEAX/2gAIAQEAAD8A0YGYeXDI/9k="
)


def test_gray_rows_in_arithmetic_coding_are_not_called_missing(file):
    read = reading.read(file(GRAY_BELOW), strict=True)
    assert read.warnings == ()
    assert (np.asarray(read.pixels)[-8:] == np.asarray(read.pixels)[-1, -1]).all()


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_formats_decoded_from_the_current_position_are_read(file, astronaut, encoded, mode):
    picture = Image.fromarray(astronaut[:16, :24]).convert(mode)
    read = reading.read(file(encoded(picture, "DDS")))
    np.testing.assert_array_equal(np.asarray(read.pixels), np.asarray(picture))
