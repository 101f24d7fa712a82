"""Metadata copied between all formats, read back by Pillow and tifffile."""

import struct

import numpy as np
import pytest
import tifffile
from PIL import ExifTags, Image, ImageOps, PngImagePlugin

from agarnet_jax.restoration.files import exif, exif_transpose, reading, writing
from agarnet_jax.restoration.files.metadata import Metadata

MAKER_NOTE, ORIENTATION, MAKER = 0x927C, 0x0112, 0x010F


@pytest.fixture
def photo(tmp_path, photo_bytes):
    path = tmp_path / "photo.jpg"
    path.write_bytes(photo_bytes)
    return reading.read(path)


def opened(path):
    with Image.open(path) as image:
        image.load()
        return image


def copied(file, path, pixels=None):
    warnings = writing.write(
        file.pixels if pixels is None else pixels, path, metadata=file.metadata
    )
    return opened(path), warnings


def deep(picture):
    return np.asarray(picture.convert("RGB")).astype(np.uint16) * 257


def test_all_metadata_of_a_jpeg_is_read(photo, extras):
    metadata = photo.metadata
    assert (metadata.exif, metadata.icc_profile) == (extras.exif, extras.icc_profile)
    assert (metadata.xmp, metadata.density) == (extras.xmp, (300, 150))
    assert metadata.texts == {"Comment": "by café"}
    assert metadata.orientation == 6


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("name", ["out.png", "out.tif", "out.webp", "out.jpg"])
def test_formats_keep_the_metadata_they_support(photo, extras, tmp_path, name, bits):
    pixels = deep(photo.pixels) if bits == 16 else photo.pixels
    image, _ = copied(photo, tmp_path / name, pixels)
    found = image.getexif()
    assert found.get(ORIENTATION, 1) == 1
    assert found[MAKER].rstrip("\0") == "Maker"
    assert found.get_ifd(0x8769)[MAKER_NOTE] == b"NOTE\0\0\x10\0secret"
    assert found.get_ifd(0x8825)[2] == (48.0, 8.0, 3.0)
    assert image.info["icc_profile"] == extras.icc_profile
    xmp = image.info["xmp"]
    xmp = xmp if isinstance(xmp, bytes) else xmp.encode()
    assert xmp == extras.xmp.replace(b'Orientation="6"', b'Orientation="1"')
    if name != "out.webp":  # WebP has no density
        assert [round(float(x)) for x in image.info["dpi"]] == [150, 300]
    if name == "out.png":
        assert image.text["Comment"] == "by café"
    elif name == "out.jpg":
        assert image.info["comment"].decode() == "by café"


def test_dropped_metadata_is_reported(photo, tmp_path):
    assert copied(photo, tmp_path / "a.webp")[1] == [
        "WebP has no comments, so its comment was dropped"
    ]
    kinds = ("EXIF data", "ICC profile", "XMP data", "comment")
    expected = [f"BMP cannot hold its {kind}, which was dropped" for kind in kinds]
    assert copied(photo, tmp_path / "a.bmp")[1] == expected
    for name in ("a.png", "a.tif", "a.jpg"):
        assert copied(photo, tmp_path / name)[1] == []
    large = Metadata(xmp=b"x" * 70000, exif=photo.metadata.exif)
    (warning,) = writing.write(photo.pixels, tmp_path / "a.jpg", metadata=large)
    assert "64 KB of XMP data" in warning
    assert opened(tmp_path / "a.jpg").getexif()[MAKER]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied_once(tmp_path, encoded, astronaut, orientation):
    data = Image.Exif()
    data[ORIENTATION] = orientation
    data.get_ifd(0x8769).update({0xA002: 48, 0xA003: 32})
    source = tmp_path / "in.png"
    source.write_bytes(encoded(astronaut[:32, 200:248], "PNG", exif=data))
    expected = ImageOps.exif_transpose(opened(source))
    file = reading.read(source)
    for name, pixels in (("a.png", None), ("b.tif", None), ("c.png", deep(file.pixels))):
        image, _ = copied(file, tmp_path / name, pixels)
        assert image.size == expected.size
        np.testing.assert_array_equal(np.asarray(image), np.asarray(expected))
        assert reading.read(tmp_path / name).metadata.orientation == 1
        sides = image.getexif().get_ifd(0x8769)
        assert (sides[0xA002], sides[0xA003]) == expected.size
    assert (
        exif_transpose.as_stored(expected, orientation=orientation).tobytes()
        == file.pixels.tobytes()
    )
    array = np.asarray(file.pixels)
    turned = exif_transpose.upright(array, orientation=orientation)
    np.testing.assert_array_equal(turned, np.asarray(expected))
    np.testing.assert_array_equal(exif_transpose.as_stored(turned, orientation=orientation), array)


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp", "a.tif", "deep.tif"])
def test_the_orientation_in_xmp_is_ignored(tmp_path, astronaut, name):
    """XMP at most repeats it, and most viewers honour EXIF only."""
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><a tiff:Orientation="6"/></x:xmpmeta>'
    pixels = astronaut[:32, 200:248]
    if name == "deep.tif":
        pixels = pixels.astype(np.uint16) * 257
    path = tmp_path / name
    writing.write(pixels, path, metadata=Metadata(xmp=xmp))
    file = reading.read(path)
    assert (file.size, file.metadata.orientation, file.metadata.xmp) == ((48, 32), 1, xmp)
    if name != "a.jpg":
        np.testing.assert_array_equal(np.asarray(file.pixels), pixels)


def test_the_tiff_tag_takes_precedence_over_xmp(tmp_path, encoded, astronaut):
    xmp = b'<a tiff:Orientation="3"/>'
    path = tmp_path / "a.tif"
    path.write_bytes(encoded(astronaut[:32, 200:248], "TIFF", tiffinfo={ORIENTATION: 6, 700: xmp}))
    file = reading.read(path)
    assert (file.size, file.metadata.orientation) == ((48, 32), 6)
    np.testing.assert_array_equal(np.asarray(file.pixels), astronaut[:32, 200:248])


def test_exif_stored_as_png_text_by_imagemagick_is_read(tmp_path, extras):
    info = PngImagePlugin.PngInfo()
    data = b"Exif\0\0" + extras.exif
    info.add_text("Raw profile type exif", f"\nexif\n{len(data):8}\n{data.hex()}\n")
    path = tmp_path / "a.png"
    Image.new("L", (3, 3)).save(path, pnginfo=info)
    assert reading.read(path).metadata.exif == extras.exif


def with_thumbnail(data):
    """Adds a thumbnail IFD that states its compression to big-endian EXIF data."""
    data = bytearray(data)
    (entries,) = struct.unpack_from(">H", data, 8)
    struct.pack_into(">I", data, 10 + 12 * entries, len(data))
    return bytes(data) + struct.pack(">HHHIHHI", 1, 0x0103, 3, 1, 6, 0, 0)


def test_the_thumbnail_is_dropped_when_the_orientation_is_applied(extras):
    def thumbnail_of(data):
        read = Image.Exif()
        read.load(data)
        return read.get_ifd(ExifTags.IFD.IFD1)

    data = with_thumbnail(extras.exif)
    assert thumbnail_of(data) == {0x0103: 6}
    assert thumbnail_of(exif.reset_orientation(data)) == {}


def test_a_thumbnail_or_comment_that_tiff_cannot_hold_is_reported(tmp_path):
    described = Image.Exif()
    described[270] = "what it shows"
    data = with_thumbnail(described.tobytes()[6:])
    path = tmp_path / "a.tif"

    def notes(**metadata):
        return writing.write(Image.new("L", (3, 3)), path, metadata=Metadata(**metadata))

    thumbnail, comment = notes(exif=data, texts={"Comment": "by me"})
    assert (thumbnail, "comment" in comment) == (
        "TIFF cannot hold its EXIF thumbnail, which was dropped",
        True,
    )
    assert opened(path).getexif()[270] == "what it shows"
    assert notes(exif=data, texts={"Comment": "what it shows"}) == [thumbnail]
    assert notes(exif=described.tobytes()[6:]) == []


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")  # raised when this test reads the file back
@pytest.mark.parametrize("length", [0, 3, 8, 9, 20, 60])
def test_damaged_exif_does_not_prevent_writing(tmp_path, extras, length):
    data = extras.exif[:length]
    assert exif.orientation(data) in range(1, 9)
    metadata = Metadata(exif=data)
    for suffix in ("png", "tif", "jpg", "webp"):
        path = tmp_path / f"a.{suffix}"
        writing.write(np.zeros((8, 9, 3), np.uint8), path, metadata=metadata)
        assert opened(path).size in ((8, 9), (9, 8))


@pytest.mark.parametrize(
    ("tag", "kind", "count", "value"),
    [
        (ExifTags.GPS.GPSVersionID, 2, 8, b"2.3.0.0\0"),  # as text, not four bytes
        (ExifTags.GPS.GPSLatitude, 10, 3, struct.pack("<6i", -48, 1, 0, 1, 0, 1)),  # signed
    ],
)
def test_exif_that_pillow_reads_but_cannot_write_is_dropped(tmp_path, tag, kind, count, value):
    pointer = struct.pack("<HHHIII", 1, ExifTags.IFD.GPSInfo, 4, 1, 26, 0)
    entry = struct.pack("<HHHIII", 1, tag, kind, count, 26 + 18, 0)
    metadata = Metadata(exif=b"II*\0" + struct.pack("<I", 8) + pointer + entry + value)
    path = tmp_path / "a.tif"
    (warning,) = writing.write(np.zeros((8, 9, 3), np.uint8), path, metadata=metadata)
    assert "EXIF data is damaged and was dropped" in warning
    assert opened(path).size == (9, 8)


@pytest.mark.parametrize("density", [float("nan"), 0.5, 4294967295.0])
def test_implausible_densities_are_ignored(density):
    picture = Image.new("L", (2, 2))
    picture.info["dpi"] = (72.0, density)
    assert Metadata.of(picture).density is None


def test_the_orientation_in_a_truncated_ifd_is_reset():
    entry = struct.pack("<HHIHH", ORIENTATION, 3, 1, 6, 0)
    data = b"II*\0" + struct.pack("<IH", 8, 9) + entry  # states nine entries, has one
    turned = exif.reset_orientation(data)
    assert (exif.orientation(data), exif.orientation(turned)) == (6, 1)
    assert len(turned) == len(data)
    assert exif.orientation(data[:-3]) == 1  # its value is truncated, too
    assert exif.reset_orientation(data[:-3]) == data[:-3]


def test_tiff_tags_are_read(tmp_path, encoded):
    picture = Image.new("RGB", (5, 4))
    path = tmp_path / "a.tif"
    info = {270: "what it shows", 315: "who made it", 700: b"<x/>"}
    path.write_bytes(encoded(picture, "TIFF", tiffinfo=info, dpi=(72, 144)))
    metadata = reading.read(path).metadata
    again = Image.Exif()
    again.load(metadata.exif)
    assert (again[270], again[315]) == ("what it shows", "who made it")
    assert 256 not in again
    assert (metadata.density, metadata.xmp) == ((72, 144), b"<x/>")
    path.write_bytes(encoded(picture, "TIFF"))
    assert reading.read(path).metadata == Metadata()


def test_png_texts_are_kept_in_png_only(tmp_path, encoded):
    source, copy = tmp_path / "a.png", tmp_path / "b.png"
    writing.write(
        Image.new("L", (3, 3)), source, metadata=Metadata(texts={"Author": "A", "Title": "Ω"})
    )
    copied(reading.read(source), copy)
    assert opened(copy).text == {"Author": "A", "Title": "Ω"}
    for suffix in ("tif", "webp", "jpg", "bmp"):
        (note,) = copied(reading.read(source), tmp_path / f"a.{suffix}")[1]
        assert "its texts Author, Title, which were dropped" in note


def test_non_ascii_comments_are_kept_in_tiff(tmp_path):
    metadata = Metadata(texts={"Comment": "hällo Ω"})
    writing.write(Image.new("L", (3, 3)), tmp_path / "a.tif", metadata=metadata)
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        assert file.pages[0].tags[270].value == "hällo Ω"


def test_a_gray_profile_is_dropped_when_gray_becomes_rgb(tmp_path):
    path, picture = tmp_path / "a.webp", Image.new("L", (3, 3))
    (note,) = writing.write(picture, path, metadata=Metadata(icc_profile=bytes(16) + b"GRAY"))
    assert "gray ICC profile was dropped" in note
    assert "icc_profile" not in opened(path).info
    profile = bytes(16) + b"RGB "
    assert writing.write(picture, path, metadata=Metadata(icc_profile=profile)) == []
    assert opened(path).info["icc_profile"] == profile


def test_dropped_iptc_data_is_reported(tmp_path, photo_bytes):
    resource = b"8BIM" + struct.pack(">HBxI", 0x0404, 0, 4) + b"IPTC"
    segment = b"Photoshop 3.0\0" + resource
    contents = photo_bytes[:2] + b"\xff\xed" + struct.pack(">H", len(segment) + 2) + segment
    path = tmp_path / "iptc.jpg"
    path.write_bytes(contents + photo_bytes[2:])
    assert "its IPTC data is not kept" in reading.read(path).warnings


def test_dropped_tiff_data_is_reported(tmp_path):
    path = tmp_path / "a.tif"
    tags = [
        (33550, "d", 3, (1.0, 1.0, 0.0), True),
        (33922, "d", 6, (0.0,) * 6, True),
        (34735, "H", 4, (1, 1, 0, 0), True),
        (33723, "B", 4, b"IPTC", True),
        (34377, "B", 4, b"8BIM", True),
    ]
    for count, names in ((3, "GeoTIFF"), (4, "GeoTIFF, IPTC"), (5, "GeoTIFF, IPTC, Photoshop")):
        tifffile.imwrite(path, np.zeros((9, 9), np.uint8), extratags=tags[:count])
        assert reading.read(path).warnings == (f"its {names} data is not kept",)


def test_all_comments_of_a_jpeg_are_read(photo_bytes, tmp_path):
    second = b"\xff\xfe\x00\x08latin\xe9"[:10]
    path = tmp_path / "a.jpg"
    path.write_bytes(photo_bytes[:2] + second + photo_bytes[2:])
    assert reading.read(path).metadata.texts == {"Comment": "latiné\nby café"}


def test_tifffile_reads_the_tags_of_written_tiff_files(photo, tmp_path):
    for bits, pixels in ((8, None), (16, deep(photo.pixels))):
        path = tmp_path / f"{bits}.tif"
        copied(photo, path, pixels)
        with tifffile.TiffFile(path) as file:
            tags = file.pages[0].tags
            assert tags["Compression"].value == 8
            assert tags["BitsPerSample"].value == (bits,) * 3
            assert tags["XResolution"].value == (150, 1)
            assert tags["ExifTag"].value["MakerNote"] == b"NOTE\0\0\x10\0secret"


def test_jpeg_without_units_has_no_density(tmp_path, encoded):
    path = tmp_path / "a.jpg"
    exif = Image.Exif()
    exif[MAKER] = "states no density, so Pillow defaults to 72"
    path.write_bytes(encoded(Image.new("L", (3, 3)), "JPEG", exif=exif))
    assert reading.read(path).metadata.density is None
    assert "dpi" not in copied(reading.read(path), tmp_path / "b.png")[0].info


def test_an_icc_profile_in_many_segments_is_kept(tmp_path, encoded):
    profile = np.random.default_rng(0).bytes(150_000)
    path = tmp_path / "a.jpg"
    path.write_bytes(encoded(Image.new("RGB", (3, 3)), "JPEG", icc_profile=profile))
    for suffix in ("png", "webp", "tif", "jpg"):
        image, _ = copied(reading.read(path), tmp_path / f"b.{suffix}")
        assert image.info["icc_profile"] == profile


@pytest.mark.parametrize(("length", "is_kept"), [(65504, True), (65505, False), (65533, False)])
def test_the_xmp_prefix_counts_towards_the_jpeg_segment_limit(tmp_path, length, is_kept):
    metadata = Metadata(xmp=b"x" * length)
    warnings = writing.write(Image.new("L", (3, 3)), tmp_path / "a.jpg", metadata=metadata)
    assert any("64 KB of XMP data" in warning for warning in warnings) is not is_kept
    assert opened(tmp_path / "a.jpg").info.get("xmp", b"") == (metadata.xmp if is_kept else b"")


@pytest.mark.parametrize("orientation", range(1, 9))
def test_densities_are_swapped_when_rows_become_columns(orientation):
    data = Image.Exif()
    data[ORIENTATION] = orientation
    stored = Metadata(exif=data.tobytes().removeprefix(b"Exif\0\0"), density=(300, 150))
    picture = Image.new("L", (3, 2))
    picture.getexif()[ORIENTATION] = orientation
    is_transposed = ImageOps.exif_transpose(picture).size != picture.size
    assert stored.reset_orientation().density == ((150, 300) if is_transposed else (300, 150))
