"""How a file's compression history affects its restoration, with the real restorer."""

import io
import types

import numpy as np
import pytest
import scipy.fft
from PIL import Image

from agarnet_jax.jpeg_tables import quality_table
from agarnet_jax.restoration import Restorer
from agarnet_jax.restoration.files import file_restoring, inspection, reading
from agarnet_jax.restoration.files.options import GridChoice, RestoreOptions
from agarnet_jax.restoration.request import QualitySource
from agarnet_jax.restoration.restored import Restored


@pytest.fixture(scope="module")
def restorer():
    return Restorer.from_pretrained("tiny")


@pytest.fixture
def restore(restorer, tmp_path):
    """Restores a file's contents with options; returns the outcome."""

    def restore(contents, **options):
        path = tmp_path / "picture"
        path.write_bytes(contents)
        file = reading.read(path)
        return file_restoring.restore(file, restorer=restorer, options=RestoreOptions(**options))

    return restore


def recompressed(contents, quality):
    buffer = io.BytesIO()
    Image.open(io.BytesIO(contents)).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def error(outcome, clean):
    return np.square(np.asarray(outcome.image).astype(float) - clean).mean()


@pytest.mark.parametrize(("first", "slope", "uses_header"), [(16, 6, True), (30, 0, False)])
def test_inspection_reports_the_quality_that_restoration_assumes(
    restore, restorer, tmp_path, astronaut, encode, first, slope, uses_header
):
    table = [first + slope * (row + column) for row in range(8) for column in range(8)]
    contents = encode(astronaut[:256, :256], 75, qtables=[table] * 2)
    (tmp_path / "own.jpg").write_bytes(contents)
    found = inspection.inspect(reading.read(tmp_path / "own.jpg"), restorer)
    assert (found.quality == found.header.quality) == uses_header
    assert found.quality == pytest.approx(restore(contents).quality_map.mean(), abs=0.01)


def test_consistency_improves_a_file_compressed_once(restore, gray_photo, encode):
    contents = encode(gray_photo, 60)
    plain = restore(contents)
    consistent = restore(contents, consistent=True)
    assert (plain.consistent, consistent.consistent, consistent.notes) == (False, True, ())
    assert isinstance(consistent.image, Image.Image)
    assert error(consistent, gray_photo) < error(plain, gray_photo)
    np.testing.assert_allclose(consistent.quality_map, plain.quality_map, atol=0.01)
    deep = restore(contents, consistent=True, bits=16, quality=QualitySource.HEADER)
    assert np.asarray(deep.image).dtype == np.uint16
    assert error(consistent, np.asarray(deep.image) / 257) < 1


def test_recompressing_a_consistent_result_reproduces_most_coefficients(
    restore, gray_photo, encode
):
    """Not all: projected ones lie at the ends of their intervals, where rounding pixels decides."""
    contents = encode(gray_photo, 60)

    def quantized(contents):
        levels = np.asarray(Image.open(io.BytesIO(contents))).reshape(16, 8, 20, 8) - 128.0
        table = quality_table(60)[:, None, :]
        return np.rint(scipy.fft.dctn(levels, axes=(1, 3), norm="ortho") / table)

    def fraction_reproduced(**options):
        recoded = encode(np.asarray(restore(contents, strength=1.5, **options).image), 60)
        return (quantized(recoded) == quantized(contents)).mean()

    assert max(0.99, fraction_reproduced()) < fraction_reproduced(consistent=True) < 1


def test_consistency_is_not_applied_to_recompressed_and_non_jpeg_files(
    restore, gray_photo, encode, encoded
):
    twice = recompressed(encode(gray_photo, 20), 90)
    outcome = restore(twice, consistent=True)
    assert not outcome.consistent
    assert "--consistent was not applied: " in outcome.notes[0]
    np.testing.assert_array_equal(outcome.image, restore(twice).image)
    picture = Image.open(io.BytesIO(encode(gray_photo, 20)))
    outcome = restore(encoded(picture, "PNG"), consistent=True)
    assert not outcome.consistent
    assert "requires a JPEG file" in " ".join(outcome.notes)


def test_a_cropped_screenshot_of_a_jpeg_is_aligned(restore, gray_photo, encode, encoded):
    decoded = np.asarray(Image.open(io.BytesIO(encode(gray_photo, 25))))
    crop, clean = decoded[3:, 5:], gray_photo[3:, 5:].astype(float)
    aligned = restore(encoded(crop, "PNG"))
    assert aligned.grid == (5, 3)
    assert aligned.image.size == (155, 125)
    assert aligned.quality_map.shape == (125, 155)
    at_corner = restore(encoded(crop, "PNG"), grid=GridChoice.NONE)
    assert error(aligned, clean) < 0.99 * error(at_corner, clean)


def test_text_around_the_photograph_of_a_screenshot_stays_as_it_is(
    restore, restorer, tmp_path, page, gray_photo, encode, encoded
):
    screenshot, clean = page(272).copy(), page(272).copy()
    screenshot[51:179, 101:261] = Image.open(io.BytesIO(encode(gray_photo, 40)))
    clean[51:179, 101:261] = gray_photo
    outcome = restore(encoded(screenshot, "PNG"))
    assert outcome.grid == (3, 5)
    before, after = (np.asarray(image).astype(int) for image in (screenshot, outcome.image))
    np.testing.assert_array_equal(after[:44], before[:44])
    photo = slice(51, 179), slice(101, 261)
    errors = [np.square(image[photo] - clean[photo]).mean() for image in (before, after)]
    assert errors[1] < 0.9 * errors[0]
    assert outcome.uncompressed == pytest.approx(0.7, abs=0.1)
    (note,) = outcome.notes
    assert "uncompressed text or graphics and stays as it is" in note
    assert inspection.inspect(reading.read(tmp_path / "picture"), restorer).quality == 40


def test_notes_tell_the_quality_that_was_assumed_for_what_was_compressed(
    tmp_path, gray_photo, encoded
):
    path = tmp_path / "picture.png"
    path.write_bytes(encoded(gray_photo, "PNG"))
    quality_map = np.full(gray_photo.shape, 100, np.float32)
    quality_map[:8] = 75
    restorer = types.SimpleNamespace(
        restore=lambda image, **_: Restored(image, quality_map, overruled=20, uncompressed=0.002)
    )
    outcome = file_restoring.restore(
        reading.read(path), restorer=restorer, options=RestoreOptions(grid=GridChoice.NONE)
    )
    of_quality, of_graphics = outcome.notes
    assert "quality 75 was assumed" in of_quality
    assert of_graphics.startswith("1 % of the image")


def test_strength_0_changes_nothing(restore, astronaut, encode):
    contents = encode(astronaut[:48, 200:264], 30)
    outcome = restore(contents, strength=0)
    decoded = np.asarray(Image.open(io.BytesIO(contents)))
    np.testing.assert_array_equal(np.asarray(outcome.image.convert("RGB")), decoded)


@pytest.mark.parametrize("choice", [QualitySource.IMAGE, QualitySource.MAP])
def test_pixel_art_is_restored_with_the_quality_of_its_header(restore, encode, choice):
    art = np.kron(np.random.default_rng(0).integers(0, 255, (32, 32)), np.ones((8, 8)))
    contents = encode(art.astype(np.uint8), 90)
    outcome = restore(contents, quality=choice)
    by_header = restore(contents, quality=QualitySource.HEADER)
    np.testing.assert_array_equal(outcome.image, by_header.image)
    (note,) = outcome.notes
    assert "show no trace of such a compression" in note
    assert error(restore(contents, quality=1), art) > 10 * error(outcome, art)
