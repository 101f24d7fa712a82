import io

import numpy as np
import pytest
from PIL import Image, ImageDraw

from agarnet_jax.jpeg_tables import ZIGZAG, effective_quality, quality_table
from agarnet_jax.restoration.traces import quantization_steps, table_fit
from agarnet_jax.restoration.traces.coefficient_sample import LOW_FREQUENCIES


@pytest.fixture(scope="module")
def photo(astronaut):
    return np.asarray(Image.fromarray(astronaut).convert("L"))


@pytest.fixture
def decoded(encode):
    """(array, quality, options) → its decoded JPEG, (H, W) in [0, 1]."""

    def decoded(image, quality=-1, **options):
        file = Image.open(io.BytesIO(encode(image, quality, **options)))
        return np.asarray(file.convert("L"), np.float32) / 255

    return decoded


@pytest.mark.parametrize("quality", [5, 10, 20, 35, 50, 65, 80, 90, 95])
def test_detected_steps_equal_those_in_the_file(photo, decoded, encode, quality):
    file = Image.open(io.BytesIO(encode(photo, quality)))
    in_file = np.array(file.quantization[0])[ZIGZAG][1:21]  # Pillow returns raster order
    found = quantization_steps.detect_steps(decoded(photo, quality))
    known = found > 0
    assert known.sum() >= 3
    np.testing.assert_array_equal(found[known], in_file[known])


@pytest.mark.parametrize("quality", [5, 10, 20, 35, 50, 65, 80, 90, 95, 97])
def test_quality_is_exact_in_gray_and_colour(photo, astronaut, decoded, quality):
    assert quantization_steps.detect_quality(decoded(photo, quality)) == quality
    assert quantization_steps.detect_quality(decoded(astronaut, quality)) == pytest.approx(
        quality, abs=1
    )


def test_the_finest_steps_are_indistinguishable(photo, decoded):
    for image in (decoded(photo, 99), decoded(photo, 100), photo.astype(np.float32) / 255):
        assert quantization_steps.detect_quality(image) == 99.5


# A flat table, and two like those of cameras and editors.
OTHER_TABLES = {
    "flat": np.full((8, 8), 5),
    "smooth": np.rint(3 + 1.5 * np.hypot(*np.mgrid[:8, :8])).astype(int),
    "steep": np.maximum(quality_table(75) ** 1.25 / 8, 1).astype(int),
}


@pytest.mark.parametrize("name", OTHER_TABLES)
def test_other_tables_have_their_effective_quality_detected(photo, astronaut, decoded, name):
    table = OTHER_TABLES[name]
    for image in (photo, astronaut):
        plane = decoded(image, qtables=[table.ravel().tolist()] * 2)
        found = quantization_steps.detect_quality(plane)
        assert found == pytest.approx(effective_quality(table), abs=2)
        assert quantization_steps.detect_quality(plane, table=table) == effective_quality(table)


def test_coarse_tables_of_other_encoders_need_a_header(photo, decoded):
    table = 3 * OTHER_TABLES["smooth"]
    plane = decoded(photo, qtables=[table.ravel().tolist()])
    assert quantization_steps.detect_quality(plane) is None
    assert quantization_steps.detect_quality(plane, table=table) == effective_quality(table) < 90


def test_steps_of_the_header_are_candidates_too(photo, decoded):
    table = np.full((8, 8), 45)  # in IJG's tables at 6 of these frequencies only
    found = quantization_steps.detect_steps(decoded(photo, qtables=[[45] * 64]), table=table)
    assert (found == 45).all()


def test_misread_steps_are_tolerated_in_coarse_tables_only(monkeypatch):
    for quality, expected in ((40, 40), (90, None)):
        steps = quality_table(quality).ravel()[LOW_FREQUENCIES]
        steps[[2, 9, 17]] *= 2
        monkeypatch.setattr(quantization_steps, "detect_steps", lambda *_, table: steps)  # noqa: B023
        monkeypatch.setattr(table_fit, "quality", lambda _: None)
        assert quantization_steps.detect_quality(None) == expected


def test_a_table_is_used_only_if_steps_agree_with_it(photo, decoded):
    plane = decoded(photo, 75)
    for table in (*OTHER_TABLES.values(), quality_table(50), quality_table(96)):
        assert quantization_steps.detect_quality(plane, table=table) == 75
    for fine in (decoded(photo, 100), photo.astype(np.float32) / 255):  # no step is detected
        assert quantization_steps.detect_quality(fine, table=quality_table(50)) == 99.5


def text_on(*backgrounds):
    """Rows of letters, 96 pixels high for each gray level."""
    rows = []
    for background in backgrounds:
        row = Image.new("L", (384, 96), background)
        for top in range(4, 90, 13):
            ImageDraw.Draw(row).text((5, top), "Pack my box with five dozen jugs. " * 2, 30)
        rows.append(np.asarray(row))
    return np.concatenate(rows)


@pytest.mark.parametrize("quality", [60, 75, 90])
def test_unclipped_blocks_reveal_steps_that_others_hide(decoded, quality):
    assert (
        quantization_steps.detect_quality(decoded(text_on(255, 255, 255, 210), quality)) == quality
    )
    assert quantization_steps.detect_quality(decoded(text_on(255, 255), quality)) is None


def test_noise_that_hides_fine_steps_is_tolerated(photo, decoded):
    """As much noise as rounding to RGB and back adds."""
    noise = np.random.default_rng(0).normal(0, 0.4, photo.shape)
    plane = np.clip(np.rint(255 * decoded(photo, 90) + noise), 0, 255) / 255
    found = quantization_steps.detect_steps(plane)
    assert 1 <= (found == 1).sum() <= 17
    assert quantization_steps.detect_quality(plane) == 90


@pytest.mark.parametrize("shape", [(1, 1), (7, 100), (100, 7), (8, 8), (64, 64)])
def test_no_quality_is_detected_in_flat_images(shape):
    assert quantization_steps.detect_quality(np.full(shape, 0.5, np.float32)) is None


def test_only_a_part_of_a_large_image_is_read(decoded, photo):
    image = np.tile(decoded(photo, 30), (6, 2))
    read = 0

    class CountingPlane:
        shape = image.shape

        def __getitem__(self, region):
            nonlocal read
            read += image[region].size
            return image[region]

    assert quantization_steps.detect_quality(CountingPlane()) == 30
    assert read <= 2**17


def test_estimates_near_the_detected_quality_become_exact(photo, decoded):
    detected = quantization_steps.detect_quality(decoded(photo, 60))
    for estimate, expected in ((60, 60), (49, 60), (74, 60), (47, 47), (76, 76), (10, 10)):
        assert quantization_steps.refine_estimate(estimate, detected) == expected
    flat = np.zeros((64, 64), np.float32)
    assert quantization_steps.refine_estimate(33.3, quantization_steps.detect_quality(flat)) == 33.3


def test_an_earlier_jpeg_with_a_shifted_grid_keeps_its_estimate(photo, decoded):
    old = np.uint8(np.rint(255 * decoded(photo, 10)))
    image = decoded(old[4:-4, 4:-4], 90)
    detected = quantization_steps.detect_quality(image)
    assert detected == 90
    assert quantization_steps.refine_estimate(12.5, detected) == 12.5


def test_nearly_lossless_steps_replace_more_distant_estimates(photo, decoded):
    detected = quantization_steps.detect_quality(decoded(photo, 97))
    refined = [
        quantization_steps.refine_estimate(estimate, detected) for estimate in (76, 78, 85, 99)
    ]
    assert refined == [76, 97, 97, 97]


def test_cells_of_a_map_become_exact_at_high_quality(photo, decoded):
    cells = np.array([[97, 85], [78, 30]], np.float32)
    fine = quantization_steps.refine_cells(
        cells, quantization_steps.detect_quality(decoded(photo, 97))
    )
    np.testing.assert_array_equal(fine, [[97, 97], [97, 30]])
    assert fine.dtype == np.float32
    coarse = quantization_steps.detect_quality(decoded(photo, 80))
    assert coarse == 80
    np.testing.assert_array_equal(quantization_steps.refine_cells(cells, coarse), cells)


@pytest.mark.parametrize(
    "qualities", [(10,), (30,), (60,), (90,), (40, 60), (55, 65), (40, 60, 80)]
)
def test_the_fitting_quality_is_that_of_the_last_compression(
    photo, astronaut, encode, decoded, qualities
):
    for image in (photo, astronaut):
        for quality in qualities[:-1]:
            image = np.asarray(Image.open(io.BytesIO(encode(image, quality))))
        assert quantization_steps.fitting_quality(decoded(image, qualities[-1])) == qualities[-1]


def test_no_quality_fits_without_an_aligned_ijg_compression(photo, decoded):
    reduced = np.asarray(Image.fromarray(photo).reduce(2), np.float32) / 255
    resized = Image.fromarray(np.rint(255 * decoded(photo, 60)).astype(np.uint8)).resize((400, 400))
    for plane in (
        reduced,
        np.asarray(resized, np.float32) / 255,
        decoded(photo, 99),
        decoded(photo, qtables=[[9] * 64]),
        np.full((64, 64), 0.5, np.float32),
    ):
        assert quantization_steps.fitting_quality(plane) is None


def test_blocks_are_sampled_from_all_of_a_large_image(photo, decoded):
    plane = np.concatenate([np.ones((512, 512), np.float32), decoded(photo, 60)])
    assert quantization_steps.detect_quality(plane) == 60
