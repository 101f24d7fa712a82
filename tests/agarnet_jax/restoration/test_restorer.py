import concurrent.futures
import dataclasses
import io
import multiprocessing
import pathlib
import pickle
import re
import tracemalloc

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image, ImageSequence

from agarnet_jax import jpeg_tables, weights
from agarnet_jax.metrics import as_batch, psnr
from agarnet_jax.models import AGARNet, CellPlacement
from agarnet_jax.restoration import QualitySource, Restored, Restorer
from agarnet_jax.restoration.chroma_detail import Detail
from agarnet_jax.restoration.jpeg_header import JpegHeader
from agarnet_jax.restoration.splitting import split


@pytest.fixture(scope="module")
def restorer():
    return Restorer.from_pretrained("tiny")


@pytest.fixture(scope="module")
def degraded(gray_photo, encode):
    """(128, 160) uint8 at quality 20."""
    return np.asarray(Image.open(io.BytesIO(encode(gray_photo, 20))))


@pytest.fixture(scope="module")
def color_photo(astronaut):
    """(112, 128, 3) uint8."""
    return astronaut[:112, 150:278]


@pytest.fixture(scope="module")
def color_jpeg(color_photo, encode):
    """Returns a JPEG of a quality and subsampling, opened in a Pillow mode."""

    def make(quality, *, subsampling="4:2:0", mode="RGB"):
        picture = Image.open(io.BytesIO(encode(color_photo, quality, subsampling=subsampling)))
        picture.draft(mode, None)
        picture.load()
        return picture

    return make


def color_score(image, clean):
    return float(psnr(*(as_batch(np.asarray(x)) for x in (image, clean)))[0])


def score(image, clean):
    unit = [np.asarray(x, np.float32)[None, ..., None] / 255 for x in (image, clean)]
    return float(psnr(*unit)[0])


def test_restoration_improves_psnr(restorer, degraded, gray_photo):
    jpeg = score(degraded, gray_photo)
    for quality in (20.0, None, QualitySource.MAP):
        assert score(restorer.restore(degraded, quality=quality).image, gray_photo) > jpeg + 0.5


def test_the_quality_is_estimated(restorer, gray_photo, encode):
    estimates = []
    for quality in (10, 40, 80):
        image = Image.open(io.BytesIO(encode(gray_photo, quality)))
        quality_map = restorer.restore(image).quality_map
        assert quality_map.shape == gray_photo.shape
        assert np.ptp(quality_map) == 0
        estimates.append(float(quality_map.mean()))
    assert np.abs(np.array(estimates) - [10, 40, 80]).max() < 10


def test_the_result_equals_the_network_applied_directly(restorer, degraded):
    trained = weights.load("tiny")
    out = jax.jit(AGARNet(trained.restorer_config).apply)(
        {"params": trained.restorer_params},
        jnp.asarray(degraded[None, ..., None] / 255, jnp.float32),
        quality=20.0,
    )
    expected = np.rint(np.clip(out.restored[0, ..., 0], 0, 1) * 255)
    actual = restorer.restore(degraded, quality=20).image
    assert np.abs(actual.astype(int) - expected).max() <= 1  # ties may round either way
    assert (actual == expected).mean() > 0.999


@pytest.mark.parametrize("source", [QualitySource.IMAGE, QualitySource.MAP])
def test_the_primary_plane_may_be_subsampled(restorer, astronaut, encoded, source):
    inks = Image.fromarray(astronaut[:256, 100:356]).convert("CMYK")
    picture = Image.open(io.BytesIO(encoded(inks, "JPEG", quality=30, subsampling="4:2:0")))
    assert JpegHeader.of(picture).sampling[:2] == ((2, 2), (1, 1))  # magenta is the primary plane
    restored = restorer.restore(picture, quality=source)
    assert restored.quality_map.shape == (256, 256)
    assert abs(restored.quality_map.mean() - 30) < 2


@pytest.mark.parametrize("quality", [20.0, None, QualitySource.MAP])
def test_tiles_leave_no_seams(restorer, astronaut, encode, quality):
    image = np.asarray(Image.open(io.BytesIO(encode(astronaut[:250, 60:420], 15))))
    whole = Restorer(restorer.weights, tile=None).restore(image, quality=quality)
    tiled = Restorer(restorer.weights, tile=192).restore(image, quality=quality)
    np.testing.assert_allclose(tiled.quality_map, whole.quality_map, atol=1e-3)
    assert np.abs(tiled.image.astype(int) - whole.image).max() <= 1


@pytest.mark.parametrize(("quality", "limit"), [(1, 1.7), (3, 1.7), (10, 0.5), (40, 0.04)])
def test_pixels_beyond_the_overlap_change_little(restorer, astronaut, encode, quality, limit):
    """By the amounts documented in `Restorer`, which are below the rounding to levels."""
    gray = np.asarray(Image.fromarray(astronaut[192:, 192:]).convert("L"))
    image = np.asarray(Image.open(io.BytesIO(encode(gray, quality)))) / np.float32(255)
    whole, near, far = (
        Restorer(restorer.weights, **options).restore(image, quality=quality).image
        for options in ({"tile": None}, {"tile": 192}, {"tile": 192, "overlap": 48})
    )
    assert limit / 10 < 255 * np.abs(near - whole).max() < limit
    assert 255 * np.abs(far - whole).max() < 0.005  # float32


def test_quality_estimated_in_tiles_equals_that_of_the_whole_image(restorer, astronaut, encode):
    image = np.asarray(Image.open(io.BytesIO(encode(astronaut[:70], 30))))[:, :, 0]
    image = np.tile(image, (1, 2))[:, :1000]  # wider than the estimator's tile
    whole = Restorer(restorer.weights, tile=None).restore(image, quality=QualitySource.MAP)
    tiled = restorer.restore(image, quality=QualitySource.MAP)
    assert np.ptp(whole.quality_map) > 1
    np.testing.assert_allclose(tiled.quality_map, whole.quality_map, atol=1e-3)


@pytest.mark.parametrize(
    ("tile", "overlap"),
    [
        (100, 8),
        (0, 8),
        ("big", 8),
        (512.0, 8),
        (True, 8),
        (64, 32),
        (128, 9),
        (128, -8),
        (128, 8.0),
    ],
)
def test_invalid_tiles_and_overlaps_are_refused_by_name(restorer, tile, overlap):
    with pytest.raises(ValueError, match=f"tile is {tile}|overlap is {overlap}"):
        Restorer(restorer.weights, tile=tile, overlap=overlap)


def test_a_pixelwise_quality_is_used_and_returned(restorer, degraded):
    quality = np.full(degraded.shape, 15.0)
    quality[:, 80:] = 60
    result = restorer.restore(degraded, quality=quality)
    np.testing.assert_array_equal(result.quality_map, quality.astype(np.float32))
    assert (result.image != restorer.restore(degraded, quality=15).image).any()


def test_a_given_table_replaces_the_derived_one(restorer, degraded):
    derived = restorer.restore(degraded, quality=20).image
    own = restorer.restore(degraded, quality=20, table=jpeg_tables.quality_table(20)).image
    flat = restorer.restore(degraded, quality=20, table=np.full((8, 8), 99)).image
    np.testing.assert_array_equal(own, derived)
    assert (flat != derived).any()


def test_estimate_gives_the_quality_of_every_source(restorer, degraded):
    estimated = restorer.estimate(degraded)
    assert estimated.keys() == {QualitySource.IMAGE, QualitySource.MAP}
    for source, quality in estimated.items():
        expected = restorer.restore(degraded, quality=source).quality_map
        np.testing.assert_array_equal(np.broadcast_to(quality, degraded.shape), expected)
    assert restorer.estimate(degraded, sources=[QualitySource.IMAGE]).keys() == {
        QualitySource.IMAGE
    }


def test_traces_make_estimates_exact_unless_they_are_not_used(restorer, astronaut, encode):
    picture = Image.fromarray(astronaut[:256, :320]).convert("L")
    image = np.asarray(Image.open(io.BytesIO(encode(np.asarray(picture), 30))))
    alone = Restorer(restorer.weights, use_traces=False)
    released = dataclasses.replace(restorer.weights.estimator_config, cells=CellPlacement.RELEASED)
    as_released = Restorer(dataclasses.replace(restorer.weights, estimator_config=released))
    estimates = [
        float(each.estimate(image)[QualitySource.IMAGE]) for each in (alone, as_released, restorer)
    ]
    assert estimates[0] == pytest.approx(estimates[1], abs=1e-3) != 30
    assert estimates[2] == 30
    assert restorer.restore(image).quality_map[0, 0] == 30
    maps = [each.estimate(image)[QualitySource.MAP] for each in (alone, restorer)]
    assert maps[0].std() > 0.1
    assert (maps[1] == 30).all()  # its cells are near the image's estimate


def test_restorers_of_one_device_each_run_in_parallel(restorer, degraded):
    expected = restorer.restore(degraded).image.astype(int)
    alone = [Restorer(restorer.weights, devices=[device]) for device in jax.local_devices()]
    assert len(alone) == 2
    with concurrent.futures.ThreadPoolExecutor() as pool:
        results = list(pool.map(lambda one: one.restore(degraded).image, alone))
    for result in results:
        assert np.abs(result - expected).max() <= 1  # ties may round either way


def test_bfloat16_is_computed_in_float32(restorer, degraded):
    unit = jnp.asarray(degraded / 255, jnp.bfloat16)
    restored = restorer.restore(unit, quality=20).image
    assert restored.dtype == np.float32
    expected = restorer.restore(np.asarray(unit, np.float32), quality=20).image
    np.testing.assert_array_equal(restored, expected)


@pytest.mark.parametrize("size", [(1, 1), (1, 50), (7, 9), (8, 8), (65, 3)])
def test_images_of_any_size_are_restored(restorer, degraded, size):
    image = degraded[: size[0], : size[1]]
    result = restorer.restore(image)
    assert result.image.shape == result.quality_map.shape == size
    assert result.image.dtype == np.uint8


def test_restoring_luma_only_keeps_chroma(restorer, color_jpeg):
    image = np.asarray(color_jpeg(20))
    result = restorer.restore(image, chroma=False)
    assert result.image.shape == image.shape
    before, after = (
        np.asarray(Image.fromarray(x).convert("YCbCr")).astype(int) for x in (image, result.image)
    )
    inside = (result.image > 0).all(axis=2) & (result.image < 255).all(axis=2)
    assert np.abs(after - before)[inside][:, 1:].max() <= 2  # roundings of RGB and YCbCr
    assert np.abs(after - before)[..., 0].max() > 2


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
def test_restoring_chroma_improves_psnr_further(restorer, color_jpeg, color_photo, subsampling):
    picture = color_jpeg(20, subsampling=subsampling)
    luma = color_score(restorer.restore(picture, chroma=False).image, color_photo)
    both = restorer.restore(picture).image
    assert luma > color_score(picture, color_photo) + 0.5
    assert color_score(both, color_photo) > luma + 0.2
    # For an array, subsampling is detected and chroma detail weighted by the residual of pixels.
    of_array = restorer.restore(np.asarray(picture)).image
    np.testing.assert_allclose(of_array, np.asarray(both), rtol=0, atol=1)
    assert (of_array == np.asarray(both)).mean() > 0.998


def test_chroma_is_restored_with_every_source_of_quality(restorer, color_jpeg, color_photo):
    picture = color_jpeg(20)
    as_ycbcr = color_jpeg(20, mode="YCbCr")
    assert as_ycbcr.mode == "YCbCr"
    scores = [
        color_score(restorer.restore(image, **options).image, color_photo)
        for image, options in (
            (picture, {}),
            (as_ycbcr, {}),
            (np.asarray(picture), {"header": JpegHeader.of(picture)}),
            (as_ycbcr, {"quality": QualitySource.MAP}),
            (as_ycbcr, {"quality": QualitySource.HEADER}),
        )
    ]
    assert min(scores) > color_score(picture, color_photo) + 0.8
    assert max(scores) - min(scores) < 0.1


def test_each_plane_is_restored_independently_with_its_table(restorer, color_jpeg, with_planes):
    """Compared with restoring each component as a gray image of its own."""
    picture = color_jpeg(30, mode="YCbCr")
    components = split(picture)
    tables = JpegHeader.of(picture).tables
    planes = [
        restorer.restore(np.array(plane[:, :]), quality=30, table=table).image
        for plane, table in zip(components.planes, tables, strict=True)
    ]
    expected = with_planes(components, planes, bits=16, detail=Detail(1, 30)).astype(int)
    for quality in (30.0, QualitySource.HEADER):
        actual = restorer.restore(picture, quality=quality, bits=16).image
        # A gray image is clipped to [0, 1]; another order of summation.
        near = np.abs(actual - expected) <= 65535 / 255 * 0.02
        assert near.mean() > 0.999, quality


@pytest.mark.parametrize("as_picture", [True, False])
def test_uncompressed_graphics_next_to_a_photograph_stay_as_they_are(
    restorer, astronaut, page, encode, as_picture
):
    photo = np.asarray(Image.open(io.BytesIO(encode(astronaut[:128, 128:384], 30))))
    image = np.concatenate([photo, np.stack([page(160)[:128, :256]] * 3, axis=-1)])
    image = Image.fromarray(image) if as_picture else image
    given = restorer.restore(image, quality=30)
    assert given.uncompressed == 0
    assert restorer.estimate(image)[QualitySource.IMAGE] == 30
    (batched,) = restorer.restore_many([image])
    for result in (restorer.restore(image), batched):
        difference = np.abs(np.asarray(result.image, int) - np.asarray(image))
        assert not difference[136:].any()
        photo_difference = np.asarray(result.image, int)[:112] - np.asarray(given.image)[:112]
        assert np.abs(photo_difference).max() <= 1  # rounding
        assert result.uncompressed == pytest.approx(0.5, abs=0.05)
        assert (result.quality_map[:112] == 30).all()
        assert (result.quality_map[136:] == 100).all()
        copy = pickle.loads(pickle.dumps(result))
        assert copy.uncompressed == result.uncompressed


def test_the_header_of_graphics_replaces_an_estimate_without_a_trace(restorer, encode):
    art = np.kron(np.random.default_rng(0).integers(0, 255, (32, 32)), np.ones((8, 8)))
    graphic = Image.open(io.BytesIO(encode(art.astype(np.uint8), 90)))
    estimate = restorer.estimate(graphic, sources=[QualitySource.IMAGE])[QualitySource.IMAGE]
    by_header = restorer.restore(graphic, quality=QualitySource.HEADER)
    assert by_header.overruled is None
    for source in (QualitySource.IMAGE, QualitySource.MAP):
        (batched,) = restorer.restore_many([graphic], quality=source)
        for result in (restorer.restore(graphic, quality=source), batched):
            np.testing.assert_array_equal(result.image, by_header.image)
            assert result.overruled == pytest.approx(estimate.item(), abs=0.01)
    without_header = restorer.restore(np.asarray(graphic))
    assert without_header.overruled == pytest.approx(estimate.item(), abs=0.01)
    assert without_header.quality_map.mean() == 100  # flat blocks: as if enlarged


def test_a_header_confirmed_by_steps_gives_the_quality_of_chroma(restorer, astronaut, encode):
    luma = jpeg_tables.quality_table(70)
    chroma = jpeg_tables.quality_table(95, base=jpeg_tables.ANNEX_K_CHROMINANCE)
    tables = [table.ravel().tolist() for table in (luma, chroma)]
    photo = astronaut[:256, 128:384]

    def opened(image):
        return Image.open(io.BytesIO(encode(image, -1, qtables=tables)))

    blind = restorer.restore(opened(photo))
    np.testing.assert_array_equal(blind.quality_map, 70)
    by_header = restorer.restore(opened(photo), quality=QualitySource.HEADER)
    np.testing.assert_array_equal(blind.image, by_header.image)
    given = restorer.restore(opened(photo), quality=70)
    assert color_score(blind.image, photo) > color_score(given.image, photo) + 0.1

    older = np.asarray(Image.open(io.BytesIO(encode(photo, 15))))[4:, 4:]
    older_blind = restorer.restore(opened(older))
    assert older_blind.quality_map.max() < 30
    estimate = float(older_blind.quality_map[0, 0])
    older_given = restorer.restore(opened(older), quality=estimate)
    np.testing.assert_array_equal(older_blind.image, older_given.image)


def test_gray_images_stay_gray(restorer, degraded):
    image = np.repeat(degraded[..., None], 3, axis=2)
    restored = restorer.restore(image, quality=20).image
    assert (restored == restored[..., :1]).all()
    assert (restored != image).any()


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "YCbCr", "CMYK", "P", "I;16"])
def test_pictures_come_back_in_their_mode(restorer, color_photo, mode):
    picture = Image.fromarray(color_photo[:48, :64])
    if mode == "I;16":
        picture = Image.fromarray(np.asarray(picture.convert("L")).astype(np.uint16) * 200)
    else:
        picture = picture.convert(mode)
    restored = restorer.restore(picture, quality=20).image
    assert restored.size == picture.size
    assert restored.mode == {"YCbCr": "RGB", "P": "RGB"}.get(mode, mode)
    assert restored.tobytes() != picture.tobytes()
    if mode not in ("CMYK", "I;16"):
        channels = restorer.restore(picture, quality=20, bits=16).image
        assert channels.dtype == np.uint16
        assert channels.shape[:2] == (48, 64)


def test_sixteen_bits_are_finer_than_eight(restorer, degraded):
    eight = restorer.restore(degraded, quality=20).image
    sixteen = restorer.restore(degraded, quality=20, bits=16).image
    assert np.abs(sixteen / 257 - eight).max() <= 0.51
    assert len(np.unique(sixteen)) > 4 * len(np.unique(eight))
    unit = restorer.restore(degraded.astype(np.float32) / 255, quality=20).image
    np.testing.assert_allclose(sixteen / 65535, unit, atol=1e-5)


def test_more_strength_changes_more_and_none_changes_nothing(restorer, color_jpeg):
    picture = color_jpeg(30)
    unchanged = restorer.restore(picture, strength=0)
    np.testing.assert_array_equal(np.asarray(unchanged.image), np.asarray(picture))
    as_ycbcr = restorer.restore(color_jpeg(30, mode="YCbCr"), strength=0).image
    np.testing.assert_array_equal(np.asarray(as_ycbcr), np.asarray(picture))
    image = np.asarray(picture).astype(np.float32) / 255
    options = {"header": JpegHeader.of(picture)}
    for quality in (30.0, QualitySource.MAP, QualitySource.HEADER):
        results = [
            restorer.restore(image, strength=strength, quality=quality, **options)
            for strength in (0.1, 0.4, 0.7, 1.0, 1.2, 1.5)
        ]
        changes = [float(np.abs(result.image - image).mean()) for result in results]
        assert (np.diff(changes) > 0.01 / 255).all(), changes
        neutral = restorer.restore(image, quality=quality, **options)
        np.testing.assert_array_equal(results[3].image, neutral.image)
        np.testing.assert_array_equal(results[0].quality_map, neutral.quality_map)


@pytest.mark.parametrize(
    ("tile", "subsampling"),
    [
        (128, "4:2:0"),
        *(
            pytest.param(tile, subsampling, marks=pytest.mark.slow)
            for tile in (128, 192, 256)
            for subsampling in ("4:4:4", "4:2:2", "4:2:0")
            if (tile, subsampling) != (128, "4:2:0")
        ),
    ],
)
def test_tiles_of_colour_images_leave_no_seams(restorer, astronaut, encode, tile, subsampling):
    size = (200, 264) if tile == 128 else (390, 470)
    file = encode(astronaut[: size[0], 40 : 40 + size[1]], 15, subsampling=subsampling)
    picture = Image.open(io.BytesIO(file))
    whole = Restorer(restorer.weights, tile=None).restore(picture, quality=15).image
    tiled = Restorer(restorer.weights, tile=tile).restore(picture, quality=15).image
    assert np.abs(np.asarray(tiled).astype(int) - np.asarray(whole)).max() <= 1


def test_many_images_are_restored_in_order_as_one_by_one(restorer, color_photo, gray_photo, encode):
    """Gray and colour, one of them larger than a tile."""
    other = Restorer(restorer.weights, tile=64, overlap=8)
    color = [color_photo[i : i + 64, :64] for i in range(3)]
    files = [encode(array, 20, subsampling="4:4:4") for array in color]
    large, gray = (Image.open(io.BytesIO(encode(gray_photo[:64, :w], 30))) for w in (120, 64))
    images = [*(Image.open(io.BytesIO(file)) for file in files), large, gray]
    order = [0, 4, 1, 3, 2, 4, 0]
    options = {"quality": QualitySource.HEADER}
    results = other.restore_many((images[i] for i in order), **options)
    for i, result in zip(order, results, strict=True):
        expected = other.restore(images[i], **options)
        assert result.image.mode == expected.image.mode
        difference = np.asarray(result.image).astype(int) - np.asarray(expected.image)
        assert np.abs(difference).max() <= 1  # ties may round either way
        np.testing.assert_array_equal(result.quality_map, expected.quality_map)


def test_each_of_many_images_gets_its_own_estimate(restorer, gray_photo, encode):
    qualities = (10, 40, 80)
    files = [encode(gray_photo[:64, :64], quality) for quality in qualities]
    pictures = [np.asarray(Image.open(io.BytesIO(file))) for file in files]
    for source in (QualitySource.IMAGE, QualitySource.MAP):
        results = restorer.restore_many(pictures, quality=source, strength=0)
        for picture, result in zip(pictures, results, strict=True):
            expected = restorer.estimate(picture)[source]
            np.testing.assert_allclose(
                result.quality_map, np.broadcast_to(expected, (64, 64)), atol=1e-3
            )


def test_many_small_images_are_batched(restorer, degraded, monkeypatch):
    shapes = []

    def change(planes, *_):
        shapes.append(planes.shape)
        return np.zeros_like(planes)

    monkeypatch.setattr(restorer._engine.networks, "change", change)
    tiles = [degraded[:64, i : i + 64] for i in range(0, 40, 4)]
    results = list(restorer.restore_many(iter(tiles), quality=20))
    assert shapes == [(8, 64, 64, 1), (2, 64, 64, 1)]  # 10 of them on 2 devices
    for tile, result in zip(tiles, results, strict=True):
        np.testing.assert_array_equal(result.image, tile)


def test_an_error_of_the_iterable_is_raised_after_the_results_before_it(restorer, degraded):
    def images():
        yield from 3 * [degraded[:64, :64]]
        raise OSError("the disk was removed")

    results = restorer.restore_many(images(), quality=20, strength=0)
    assert [next(results).image.shape for _ in range(3)] == 3 * [(64, 64)]
    with pytest.raises(OSError, match="removed"):
        next(results)


@pytest.mark.parametrize("quality", ["header", np.full((64, 64), 30)])
def test_an_error_of_one_image_is_raised_after_the_results_before_it(
    restorer, degraded, encode, quality
):
    first = Image.open(io.BytesIO(encode(degraded[:64, :64], 30)))
    results = restorer.restore_many([first, degraded[:40, :64]], quality=quality)
    assert next(results).image.size == (64, 64)
    with pytest.raises(ValueError, match=r"no JPEG header|shape \(40, 64\)"):
        next(results)


def pages(file):
    """Yields the same picture object for each page of a TIFF file."""
    return ImageSequence.Iterator(Image.open(file))


def buffers(file):
    """Yields the same array for each page."""
    buffer = np.empty((64, 64, 3), np.uint8)
    for page in pages(file):
        buffer[...] = page
        yield buffer


def closed(file):
    """Yields a JPEG of each page, closed when the next is requested."""
    for page in pages(file):
        jpeg = io.BytesIO()
        page.save(jpeg, "JPEG", quality=20)
        with Image.open(jpeg) as picture:
            yield picture


@pytest.mark.parametrize("images", [pages, buffers, closed])
def test_iterables_may_change_or_close_an_image_before_the_next(restorer, astronaut, images):
    first, *others = (Image.fromarray(astronaut[i : i + 64, 150:214]) for i in range(0, 192, 64))
    file = io.BytesIO()
    first.save(file, "TIFF", save_all=True, append_images=others)
    expected = [np.asarray(restorer.restore(image).image) for image in images(file)]
    results = [np.asarray(result.image) for result in restorer.restore_many(images(file))]
    assert len(results) == 3
    for result, one in zip(results, expected, strict=True):
        assert np.abs(result.astype(int) - one).max() <= 1  # ties may round either way


def test_arguments_of_restore_many_are_checked_at_the_call(restorer, degraded):
    for wrong in ({"quality": 500}, {"strength": 9}, {"ensemble": 2}, {"bits": 12}):
        with pytest.raises(
            ValueError, match=f"{next(iter(wrong))} is {next(iter(wrong.values()))}"
        ):
            restorer.restore_many([degraded], **wrong)
    with pytest.raises(TypeError, match="not iterable"):
        restorer.restore_many(Image.fromarray(degraded))


def test_a_source_of_quality_may_be_a_string(restorer, degraded):
    named = restorer.restore(degraded, quality="map").quality_map
    np.testing.assert_array_equal(
        named, restorer.restore(degraded, quality=QualitySource.MAP).quality_map
    )
    with pytest.raises(ValueError, match="quality is 'mop'; nearest: map"):
        restorer.restore(degraded, quality="mop")


class LittleMemory:
    """Runs a function on a device that runs out of memory beyond a number of `pixels`."""

    def __init__(self, function, pixels):
        self.function, self.pixels, self.sides = function, pixels, []

    def __call__(self, planes, *others):
        self.sides.append(planes.shape[1])
        if planes[..., 0].size > self.pixels:
            raise jax.errors.JaxRuntimeError(
                "RESOURCE_EXHAUSTED: Out of memory allocating 9 bytes."
            )
        return self.function(planes, *others)


def test_after_running_out_of_memory_tiles_are_smaller(restorer, astronaut, monkeypatch, caplog):
    image = astronaut[..., 0]
    other = Restorer(restorer.weights)
    limited = LittleMemory(lambda planes, *_: (planes - 0.5) / 10, 2 * 128 * 128)
    monkeypatch.setattr(other._engine.networks, "change", limited)
    restored = other.restore(image, quality=20).image
    np.testing.assert_array_equal(restored, np.rint(np.clip(image * 1.1 - 12.75, 0, 255)))
    assert limited.sides[:2] == [512, 256]
    assert set(limited.sides[2:]) == {128}
    assert "out of memory" in caplog.text
    limited.sides.clear()
    other.restore(image, quality=20)
    assert set(limited.sides) == {128}  # from the start


def test_a_batch_that_needs_too_much_memory_is_restored_one_by_one(restorer, degraded, monkeypatch):
    other = Restorer(restorer.weights)
    limited = LittleMemory(lambda planes, *_: np.zeros_like(planes), 2 * 64 * 64)
    monkeypatch.setattr(other._engine.networks, "change", limited)
    results = list(other.restore_many(4 * [degraded[:64, :64]], quality=20))
    assert len(results) == 4
    assert len(limited.sides) == 5


def test_an_estimator_out_of_memory_also_gets_smaller_tiles(restorer, gray_photo, monkeypatch):
    def means(planes):
        count, height, width, _ = planes.shape
        cells = planes.reshape(count, height // 64, 64, width // 64, 64).mean(axis=(2, 4))
        return 100 * cells[..., None]

    image = np.tile(gray_photo, (4, 4))  # 512×640
    other = Restorer(restorer.weights)
    monkeypatch.setattr(other._engine.networks, "cells", means)
    options = {"quality": QualitySource.MAP, "strength": 0}
    expected = other.restore(image, **options).quality_map
    limited = LittleMemory(means, 2 * 400 * 400)
    monkeypatch.setattr(other._engine.networks, "cells", limited)
    actual = other.restore(image, **options).quality_map
    np.testing.assert_allclose(actual, expected, atol=1e-4)
    assert limited.sides[0] > limited.sides[1]


def test_insufficient_memory_and_other_failures_are_raised(restorer, degraded, monkeypatch):
    other = Restorer(restorer.weights)
    monkeypatch.setattr(other._engine.networks, "change", LittleMemory(None, 0))
    with pytest.raises(jax.errors.JaxRuntimeError, match="Out of memory"):
        other.restore(degraded, quality=20)

    calls = []

    def broken(*_):
        calls.append(None)
        raise jax.errors.JaxRuntimeError("INTERNAL: something else")

    large = np.tile(degraded, (3, 3))  # smaller tiles would be possible
    for name, quality in (("change", 20), ("cells", None)):
        monkeypatch.setattr(other._engine.networks, name, broken)
        with pytest.raises(jax.errors.JaxRuntimeError, match="something else"):
            other.restore(large, quality=quality)
        with pytest.raises(jax.errors.JaxRuntimeError, match="something else"):
            list(other.restore_many([large], quality=quality))
    assert len(calls) == 4  # without retries


def test_memory_does_not_grow_with_the_image(restorer, monkeypatch):
    """What NumPy allocates besides the image and its result, with networks that do nothing."""
    other = Restorer(restorer.weights, tile=128)
    networks = other._engine.networks
    monkeypatch.setattr(networks, "change", lambda planes, *_: np.zeros_like(planes))
    monkeypatch.setattr(
        networks,
        "cells",
        lambda planes: np.full((2, *(s // 64 for s in planes.shape[1:3]), 1), 50.0),
    )

    def peak(height):
        image = np.random.default_rng(0).integers(0, 256, (height, 512, 3), np.uint8)
        tracemalloc.start()
        result = other.restore(image).image
        _, peak_bytes = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        np.testing.assert_array_equal(result, image)
        return peak_bytes - result.nbytes

    assert peak(4096) < 1.1 * peak(1024)


@pytest.mark.parametrize(
    ("image", "name"),
    [
        ("photo.jpg", "'photo.jpg'"),
        (pathlib.Path("photo.jpg"), "Path('photo.jpg')"),
        (None, "None"),
        (bytes(10**6), "of type bytes;"),
        (io.BytesIO(b"\xff\xd8"), "of type BytesIO;"),
    ],
)
def test_objects_that_are_not_images_are_refused_with_a_remedy(restorer, image, name):
    for use in (
        restorer.restore,
        restorer.estimate,
        lambda image: [*restorer.restore_many([image])],
    ):
        with pytest.raises(ValueError, match=rf"{re.escape(name)}.*PIL\.Image\.open") as raised:
            use(image)
        assert len(str(raised.value)) < 200


def test_invalid_devices_are_refused(restorer):
    with pytest.raises(ValueError, match="devices is empty"):
        Restorer(restorer.weights, devices=[])
    for wrong in ("cpu", jax.devices()[0], [0]):
        with pytest.raises(TypeError, match=r"devices is .*; pass a list, such as jax\.local_dev"):
            Restorer(restorer.weights, devices=wrong)


@pytest.mark.parametrize("wrong", ["tiny", pathlib.Path("tiny"), None])
def test_names_of_weights_are_refused_in_favour_of_from_pretrained(wrong):
    with pytest.raises(TypeError, match=rf"{type(wrong).__name__}; use Restorer\.from_pretrained"):
        Restorer(wrong)


def test_a_picture_is_refused_as_a_header(restorer, degraded, color_jpeg):
    with pytest.raises(TypeError, match=r"header is a JpegImageFile; pass JpegHeader\.of\("):
        restorer.restore(degraded, header=color_jpeg(20))


def test_sources_of_an_estimate_may_be_a_single_one_and_strings(restorer, degraded):
    expected = restorer.estimate(degraded)
    for sources in ("map", QualitySource.MAP, ["map"]):
        ((source, quality),) = restorer.estimate(degraded, sources=sources).items()
        assert source is QualitySource.MAP
        np.testing.assert_array_equal(quality, expected[source])
    with pytest.raises(ValueError, match="sources is 'mop'; nearest: map"):
        restorer.estimate(degraded, sources="mop")
    with pytest.raises(ValueError, match="HEADER, which is read, not estimated"):
        restorer.estimate(degraded, sources=["header"])


def test_a_pickled_restorer_gives_the_same_result(restorer, degraded):
    other = pickle.loads(pickle.dumps(Restorer(restorer.weights, tile=128, overlap=16)))
    expected = Restorer(restorer.weights, tile=128, overlap=16).restore(degraded).image
    np.testing.assert_array_equal(other.restore(degraded).image, expected)
    assert repr(other) == "Restorer(tile=128, overlap=16, devices=None, use_traces=True)"
    with pytest.raises(TypeError, match="devices belong to one process; create a Restorer in each"):
        pickle.dumps(Restorer(restorer.weights, devices=jax.local_devices()))


@pytest.mark.slow
def test_a_process_of_a_pool_gives_the_same_result(restorer, degraded):
    with concurrent.futures.ProcessPoolExecutor(
        1, mp_context=multiprocessing.get_context("spawn")
    ) as pool:
        result = pool.submit(restorer.restore, degraded).result()
    expected = restorer.restore(degraded)
    assert np.abs(result.image.astype(int) - expected.image).max() <= 1  # it may have one device
    np.testing.assert_array_equal(result.quality_map, expected.quality_map)


def test_results_have_a_small_pickle_and_a_short_repr(degraded):
    large = np.zeros((1000, 1000, 3), np.uint8)
    maps = np.broadcast_to(np.float32(30), (1000, 1000)), np.linspace(1, 2, 12).reshape(3, 4)
    for image, quality_map in zip((large[:2], degraded), maps, strict=True):
        result = Restored(image, quality_map)
        pickled = pickle.dumps(result)
        assert len(pickled) < 100_000
        again = pickle.loads(pickled)
        np.testing.assert_array_equal(again.image, image)
        np.testing.assert_array_equal(again.quality_map, quality_map)
        assert again.quality_map.strides == quality_map.strides
        assert len(repr(result)) < 200
        assert (result == again) is False


def test_pictures_keep_their_info(restorer, photo_bytes, extras):
    picture = Image.open(io.BytesIO(photo_bytes))
    restored = restorer.restore(picture).image
    assert restored.size == picture.size
    assert restored.getexif()[0x0112] == 6  # orientation is not applied
    file = io.BytesIO()
    restored.save(file, "PNG")
    assert Image.open(file).info["icc_profile"] == extras.icc_profile
    (many,) = restorer.restore_many([picture])
    assert many.image.info == restored.info == picture.info


def test_info_that_does_not_hold_for_the_result_is_dropped(restorer, astronaut, extras):
    """A transparent colour becomes alpha, LAB becomes RGB."""
    photo = Image.fromarray(astronaut[:32, :48])
    gray, lab = photo.convert("L"), photo.convert("LAB")
    gray.info = {"transparency": 3, "compression": "jpeg", "dpi": (72, 72)}
    lab.info = {"icc_profile": extras.icc_profile, "comment": b"by"}
    for picture, mode, kept in ((gray, "LA", {"dpi": (72, 72)}), (lab, "RGB", {"comment": b"by"})):
        restored = restorer.restore(picture, quality=30).image
        assert restored.mode == mode
        assert restored.info == kept


def test_results_of_all_dtypes_agree_within_half_a_level(restorer, degraded):
    expected = restorer.restore(degraded).image.astype(float)
    wide = restorer.restore(degraded.astype(np.uint16) * 257).image
    unit = restorer.restore(degraded.astype(np.float32) / 255).image
    picture = restorer.restore(Image.fromarray(degraded)).image
    assert wide.dtype == np.uint16
    assert unit.dtype == np.float32
    assert isinstance(picture, Image.Image)
    for other in (wide / 257, unit * 255, np.asarray(picture)):
        assert np.abs(other - expected).max() <= 0.51
