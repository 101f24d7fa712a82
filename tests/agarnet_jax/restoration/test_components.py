"""Splitting into components and merging, compared with independent decodes of the components.

A JPEG with one scan per component is assembled from gray JPEGs. Decoding a gray JPEG by itself
gives its component before upsampling.
"""

import io
import struct

import numpy as np
import pytest
from PIL import Image

from agarnet_jax import jpeg_tables
from agarnet_jax.jpeg_tables import ANNEX_K_CHROMINANCE, ZIGZAG
from agarnet_jax.restoration.jpeg_header import Coding, JpegHeader
from agarnet_jax.restoration.merging import merge, merge_to_pillow
from agarnet_jax.restoration.splitting import Subsampling, split

LUMA, CHROMA = (
    jpeg_tables.quality_table(30, base=base)
    for base in (jpeg_tables.ANNEX_K_LUMINANCE, ANNEX_K_CHROMINANCE)
)
# Sampling factors (horizontal, vertical) of luma; chroma has (1, 1).
SAMPLINGS = {"4:4:4": (1, 1), "4:2:2": (2, 1), "4:4:0": (1, 2), "4:2:0": (2, 2), "4:1:1": (4, 1)}


def gray_jpeg(plane, table):
    buffer = io.BytesIO()
    Image.fromarray(plane).save(buffer, "JPEG", qtables=[table.ravel().tolist()])
    return buffer.getvalue()


def segment(marker, content):
    return struct.pack(">BBH", 0xFF, marker, 2 + len(content)) + content


def assembled(planes, *, size, sampling, transform=None):
    """Returns a JPEG file of given components, and each component decoded by itself.

    transform: that of an Adobe marker; without it, a JFIF marker is written.
    """
    tables = [CHROMA if len(planes) > 1 and i in (1, 2) else LUMA for i in range(len(planes))]
    grays = [gray_jpeg(plane, table) for plane, table in zip(planes, tables)]
    file = b"\xff\xd8"
    if transform is None:
        file += segment(0xE0, b"JFIF\0\1\1\0\0\1\0\1\0\0")
    else:
        file += segment(0xEE, b"Adobe\0\x64\0\0\0\0" + bytes([transform]))
    for i, table in enumerate(tables):
        file += segment(0xDB, bytes([i]) + table.ravel()[ZIGZAG].astype(np.uint8).tobytes())
    entries = b"".join(
        bytes([i + 1, horizontal << 4 | vertical, i])
        for i, (horizontal, vertical) in enumerate(sampling)
    )
    file += segment(0xC0, struct.pack(">BHHB", 8, *size, len(planes)) + entries)
    first, scan = grays[0].index(b"\xff\xc4"), grays[0].index(b"\xff\xda")
    file += grays[0][first:scan]  # Huffman tables, those of the standard in every file
    for i, gray in enumerate(grays):
        start = gray.index(b"\xff\xda") + 10
        file += segment(0xDA, bytes([1, i + 1, 0, 0, 63, 0])) + gray[start:-2]
    decoded = [np.asarray(Image.open(io.BytesIO(gray))) for gray in grays]
    return file + b"\xff\xd9", decoded


def opened(file, *, as_ycbcr=False):
    picture = Image.open(io.BytesIO(file))
    if as_ycbcr:
        picture.draft("YCbCr", None)
    picture.load()
    return picture


@pytest.fixture(scope="module")
def color_jpeg(astronaut):
    """Returns the file and decoded components of a photograph for a sampling and a size.

    slope: the increase of chroma from each sample to the next, in levels.
    """

    def make(name, size, slope=0):
        horizontal, vertical = SAMPLINGS[name]
        picture = Image.fromarray(astronaut[: size[0], 100 : 100 + size[1]]).convert("YCbCr")
        planes = [np.array(plane) for plane in picture.split()]
        planes[0] = planes[0] // 2 + 60  # all colors are inside of RGB: nothing is clipped
        coded = (-(-size[1] // horizontal), -(-size[0] // vertical))
        for i in (1, 2):
            small = Image.fromarray(planes[i] // 2 + 64).resize(coded, Image.Resampling.BOX)
            planes[i] = (np.asarray(small) + slope * np.arange(coded[0])).astype(np.uint8)
        sampling = [(horizontal, vertical), (1, 1), (1, 1)]
        return assembled(planes, size=size, sampling=sampling)

    return make


@pytest.mark.parametrize("name", SAMPLINGS)
@pytest.mark.parametrize("size", [(64, 96), (61, 97), (50, 17)])
@pytest.mark.parametrize("as_ycbcr", [True, False])
def test_planes_equal_the_components_of_the_file(color_jpeg, name, size, as_ycbcr):
    file, decoded = color_jpeg(name, size)
    components = split(opened(file, as_ycbcr=as_ycbcr))
    assert [plane.chroma for plane in components.planes] == [False, True, True]
    assert components.primary is components.planes[0]
    for plane, table, expected in zip(
        components.planes, (LUMA, CHROMA, CHROMA), decoded, strict=True
    ):
        assert plane.shape == expected.shape
        np.testing.assert_array_equal(plane.table, table)
        error = 255 * plane[:, :] - expected
        smooth = name in ("4:2:2", "4:4:0", "4:2:0") and plane.chroma
        # Rounding: of 4 pixels per sample (1 at odd sides), or of YCbCr to RGB.
        assert np.sqrt(np.mean(error**2)) < (0.35 if smooth or not as_ycbcr else 1e-4)
        assert np.abs(error).max() < 2.1
        if not smooth and name != "4:1:1":
            np.testing.assert_allclose(error, np.rint(error), atol=1e-4)  # whole levels


@pytest.mark.parametrize("name", SAMPLINGS)
@pytest.mark.parametrize(("size", "slope"), [((61, 97), 0), ((16, 5), 20), ((5, 3), 60)])
def test_planes_are_upsampled_as_in_libjpeg(color_jpeg, name, size, slope):
    file, decoded = color_jpeg(name, size, slope)
    expected = np.asarray(opened(file, as_ycbcr=True))
    components = split(opened(file, as_ycbcr=True))
    for i, (plane, coded) in enumerate(zip(components.planes, decoded)):
        rows = plane.upsampling.apply(lambda a, b, coded=coded: coded[a:b], slice(0, size[0]))
        # libjpeg rounds halves up and down alternately
        assert np.abs(rows[..., : size[1]] - expected[..., i]).max() <= 0.5


@pytest.mark.parametrize("name", SAMPLINGS)
def test_merging_unchanged_planes_gives_the_decoded_image(color_jpeg, name, with_planes):
    file, _ = color_jpeg(name, (61, 97))
    expected = np.asarray(opened(file))
    for as_ycbcr in (True, False):
        components = split(opened(file, as_ycbcr=as_ycbcr))
        for planes in ([None] * 3, [plane[:, :] for plane in components.planes]):
            np.testing.assert_array_equal(with_planes(components, planes), expected)


@pytest.mark.parametrize("as_picture", [True, False])
def test_unchanged_blocks_keep_their_pixels(astronaut, as_picture):
    image = astronaut[:61, :97]
    components = split(Image.fromarray(image) if as_picture else image)
    change = lambda first, last: np.full((1, last - first, 97), 0.1, np.float32)  # noqa: E731
    changes = [(components.planes[:1], change)]
    unchanged = np.random.default_rng(0).random((8, 13)) < 0.5
    mask = unchanged.repeat(8, 0).repeat(8, 1)[:61, :97]
    function = merge_to_pillow if as_picture else merge
    result = np.asarray(function(components, changes, unchanged=unchanged))
    everywhere = np.asarray(function(components, changes))
    np.testing.assert_array_equal(result[mask], image[mask])
    np.testing.assert_array_equal(result[~mask], everywhere[~mask])


def test_splitting_a_merged_image_gives_its_changed_planes(color_jpeg, with_planes):
    file, _ = color_jpeg("4:2:0", (64, 96))
    components = split(opened(file, as_ycbcr=True))
    wanted = [np.array(plane[:, :]) for plane in components.planes]
    wanted[1] += np.float32(0.03) * np.sin(np.arange(48) / 4).astype(np.float32)
    merged = with_planes(components, wanted, bits=16)
    assert merged.dtype == np.uint16
    again = split(merged, header=JpegHeader.of(opened(file)))
    for plane, expected in zip(again.planes, wanted):
        np.testing.assert_allclose(plane[:, :], expected, atol=2e-4)  # clipped nowhere
    eight = with_planes(components, wanted, bits=8).astype(float)
    assert np.abs(merged / 257 - eight).max() <= 0.51


@pytest.mark.parametrize("transform", [0, 2])
def test_cmyk_and_ycck_are_split_and_merged(astronaut, transform, with_planes):
    """As Adobe stores them; Pillow inverts inks, so results are compared with its channels."""
    size = (40, 56)
    photo = astronaut[100 : 100 + size[0], 200 : 200 + size[1]] // 2 + 50
    planes = [*np.moveaxis(photo, 2, 0), photo[::-1, :, 1]]
    if transform == 2:
        planes[1:3] = [128 + (plane.astype(int) - 128) // 6 for plane in planes[1:3]]
    planes = [np.ascontiguousarray(plane.astype(np.uint8)) for plane in planes]
    file, decoded = assembled(planes, size=size, sampling=[(1, 1)] * 4, transform=transform)
    picture = opened(file)
    assert picture.mode == "CMYK"
    components = split(picture)
    is_ycck = transform == 2
    assert [plane.chroma for plane in components.planes] == [False, is_ycck, is_ycck, False]
    for plane, expected in zip(components.planes, decoded, strict=True):
        assert np.abs(255 * plane[:, :] - expected).max() <= (1.01 if transform else 1e-4)
    np.testing.assert_array_equal(with_planes(components, [None] * 4), np.asarray(picture))
    darker = with_planes(
        components, [None, None, None, components.planes[3][:, :] + np.float32(10 / 255)]
    )
    change = darker.astype(int) - np.asarray(picture)
    assert np.unique(change[..., 3]).tolist() == [-10]
    assert not change[..., :3].any()
    with pytest.raises(ValueError, match="CMYK"):
        with_planes(components, [None] * 4, bits=16)


def test_rgb_coded_files_are_split_into_their_channels(astronaut):
    photo = astronaut[:40, :56]
    planes = [np.ascontiguousarray(plane) for plane in np.moveaxis(photo, 2, 0)]
    file, decoded = assembled(planes, size=(40, 56), sampling=[(1, 1)] * 3, transform=0)
    picture = opened(file)
    components = split(picture)
    assert components.primary is components.planes[1]
    for plane, expected in zip(components.planes, decoded, strict=True):
        np.testing.assert_allclose(255 * plane[:, :], expected, atol=1e-4)
        assert not plane.chroma


def test_planes_equal_those_that_ffmpeg_decodes(astronaut, encode):
    av = pytest.importorskip("av")
    file = encode(astronaut[:161, :203], 60, subsampling="4:2:0")
    with av.open(io.BytesIO(file)) as container:
        frame = next(container.decode(video=0))
    assert frame.format.name == "yuvj420p"
    components = split(opened(file, as_ycbcr=True))
    for plane, ours in zip(frame.planes, components.planes, strict=True):
        theirs = np.frombuffer(plane, np.uint8).reshape(plane.height, -1)[:, : plane.width]
        error = 255 * ours[:, :] - theirs
        assert np.abs(error).max() < 3  # some values of its inverse DCT differ by a level
        assert np.sqrt(np.mean(error**2)) < 0.5


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
@pytest.mark.parametrize("channels", [None, 1, 2, 3, 4])
def test_any_array_is_merged_unchanged(dtype, channels, with_planes):
    shape = (21, 30) if channels is None else (21, 30, channels)
    image = np.random.default_rng(0).random(shape)
    peak = np.iinfo(dtype).max if np.dtype(dtype).kind == "u" else 1
    image = (image * peak).astype(dtype)
    components = split(image)
    assert components.planes[0].shape == (21, 30)
    assert components.planes[0][:, :].dtype == np.float32
    for planes in ([None] * len(components.planes), [plane[:, :] for plane in components.planes]):
        merged = with_planes(components, planes)
        assert merged.shape == image.shape
        assert merged.dtype == image.dtype
        # float64 is converted to float32 and back if there are changes
        np.testing.assert_allclose(merged, image, atol=1e-7 if dtype == np.float64 else 0)


def test_alpha_is_kept_and_scaled_to_16_bits(with_planes):
    image = np.random.default_rng(0).integers(0, 256, (9, 9, 4), np.uint8)
    components = split(image)
    brighter = with_planes(components, [components.planes[0][:, :] + 1, None, None], bits=16)
    np.testing.assert_array_equal(brighter[..., 3], image[..., 3].astype(np.uint16) * 257)
    assert (brighter[..., :3] == 65535).all()


def test_without_a_header_the_given_subsampling_is_used(astronaut):
    for subsampling in Subsampling:
        vertical, horizontal = subsampling.value
        luma, cb, cr = split(astronaut[:33, :47], subsampling=subsampling).planes
        assert luma.shape == (33, 47)
        assert cb.shape == cr.shape == (-(-33 // vertical), -(-47 // horizontal))


def test_planes_of_one_value_are_flat(astronaut):
    gray = np.repeat(astronaut[:64, :64, :1], 3, axis=2)
    for image in (gray, np.random.default_rng(0).random((64, 64, 1)).repeat(3, axis=2)):
        assert [plane.is_flat() for plane in split(image).planes] == [False, True, True]
    below_a_border = astronaut[:64, :64].copy()
    below_a_border[:16] = 255
    for image in (astronaut[:64, :64], below_a_border):
        assert not any(plane.is_flat() for plane in split(image).planes)


def test_headers_and_bits_that_do_not_fit_are_refused_by_name(color_jpeg):
    file, _ = color_jpeg("4:2:0", (64, 96))
    picture = opened(file)
    header = JpegHeader.of(picture)
    assert header.coding is Coding.YCBCR
    with pytest.raises(ValueError, match=r"YCbCr.*mode is L"):
        split(np.zeros((4, 4), np.uint8), header=header)
    with pytest.raises(ValueError, match="bits is 12"):
        merge(split(picture), [], bits=12)
