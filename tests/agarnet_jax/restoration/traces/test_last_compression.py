import numpy as np
import pytest

from agarnet_jax.jpeg_tables import effective_quality, quality_table
from agarnet_jax.restoration.traces import last_compression, quantization_steps, requantization


def detect(plane):
    return last_compression.detect_quality(plane, table=requantization.find_table(plane))


@pytest.mark.parametrize("quality", [5, 10, 20, 35, 50, 65, 80, 90, 95, 97, 98])
def test_quality_is_exact_in_gray_and_colour(photo, astronaut, decoded, quality):
    assert detect(decoded(photo, quality)) == quality
    assert detect(decoded(astronaut, quality)) == quality


def test_the_finest_steps_are_indistinguishable(photo, decoded):
    for image in (decoded(photo, 99), decoded(photo, 100), photo.astype(np.float32) / 255):
        assert detect(image) == 99.5


@pytest.mark.parametrize(("count", "expected"), [(2, None), (3, 99.5)])
def test_few_steps_tell_nothing(monkeypatch, count, expected):
    steps = np.repeat([1, 0], [count, 20 - count])
    monkeypatch.setattr(quantization_steps, "detect_steps", lambda _: steps)
    assert last_compression.detect_quality(None, table=None) == expected


# A flat table, and two like those of cameras and editors.
OTHER_TABLES = {
    "flat": np.full((8, 8), 5),
    "smooth": np.rint(3 + 1.5 * np.hypot(*np.mgrid[:8, :8])).astype(int),
    "steep": np.maximum(quality_table(75) ** 1.25 / 8, 1).astype(int),
}


@pytest.mark.parametrize("name", OTHER_TABLES)
def test_fine_tables_of_other_encoders_have_their_effective_quality_detected(
    photo, astronaut, decoded, name
):
    table = OTHER_TABLES[name]
    for image in (photo, astronaut):
        plane = decoded(image, qtables=[table.ravel().tolist()] * 2)
        assert detect(plane) == pytest.approx(effective_quality(table), abs=2)


def test_coarse_tables_of_other_encoders_are_not_detected(photo, decoded):
    table = 3 * OTHER_TABLES["smooth"]
    assert detect(decoded(photo, qtables=[table.ravel().tolist()])) is None


@pytest.mark.parametrize("shape", [(1, 1), (7, 100), (100, 7), (8, 8), (64, 64)])
def test_no_quality_is_detected_in_flat_images(shape):
    assert detect(np.full(shape, 0.5, np.float32)) is None


def test_estimates_near_the_detected_quality_become_exact():
    for estimate, expected in ((60, 60), (49, 60), (74, 60), (47, 47), (76, 76), (10, 10)):
        assert last_compression.refine_estimate(estimate, 60) == expected
    assert last_compression.refine_estimate(33.3, None) == 33.3


def test_an_earlier_jpeg_with_a_shifted_grid_keeps_its_estimate(photo, decoded):
    old = np.uint8(np.rint(255 * decoded(photo, 10)))
    detected = detect(decoded(old[4:-4, 4:-4], 90))
    assert detected == 90
    assert last_compression.refine_estimate(12.5, detected) == 12.5


def test_nearly_lossless_quality_replaces_more_distant_estimates():
    refined = [last_compression.refine_estimate(estimate, 97) for estimate in (76, 78, 85, 99)]
    assert refined == [76, 97, 97, 97]


def test_cells_of_a_map_become_exact_at_high_quality():
    cells = np.array([[97, 85], [78, 30]], np.float32)
    fine = last_compression.refine_cells(cells, 97)
    np.testing.assert_array_equal(fine, [[97, 97], [97, 30]])
    assert fine.dtype == np.float32
    np.testing.assert_array_equal(last_compression.refine_cells(cells, 80), cells)
