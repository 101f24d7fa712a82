import dataclasses
import io

import numpy as np
import pytest
from PIL import Image

from agarnet_jax.jpeg_tables import quality_table
from agarnet_jax.restoration.jpeg_header import Coding
from agarnet_jax.restoration.traces import compression_history, double_quantization
from agarnet_jax.restoration.traces.compression_history import assess
from agarnet_jax.restoration.traces.earlier_grid import find_earlier_grid

SINGLE = (10, 30, 50, 75, 90, 95)
COARSER_FIRST = ((10, 30), (30, 50), (50, 75), (75, 90))


def test_single_compression_is_classified_as_single(photos, opened):
    single = []
    for quality in SINGLE:
        for photo in photos:
            luma, _, header = opened(photo, quality)
            history = assess(luma, header=header, estimated_quality=quality)
            assert history.single == (history.reasons == ())
            single.append(history.single)
    # Measured: 17 of these, 97 % of photographs (benchmarks.history).
    assert sum(single) >= 0.88 * len(single)


@pytest.mark.parametrize(("first", "last"), COARSER_FIRST)
def test_an_earlier_coarser_quantization_is_detected(photos, opened, first, last):
    for photo in photos:
        luma, _, header = opened(opened(photo, first)[1], last)
        history = assess(luma, header=header, estimated_quality=None)
        assert not history.single
        reason, quality = history.reasons[-1].split(" at quality ")
        assert reason.endswith("coarser quantization")
        assert int(quality) == pytest.approx(first, abs=1)


@pytest.mark.parametrize(
    ("first", "last", "shift"),
    [
        *((30, 70, shift) for shift in ((3, 5), (1, 0), (7, 7), (4, 6))),
        *((75, 90, shift) for shift in ((0, 4), (4, 0), (4, 4), (0, 7))),
    ],
)
def test_an_earlier_grid_is_detected(photos, opened, first, last, shift):
    _, image, _ = opened(photos[0], first)
    luma, _, header = opened(image[shift[0] :, shift[1] :], last)
    row, column = (-shift[0] % 8, -shift[1] % 8)
    assert find_earlier_grid(luma) == (row, column)
    history = assess(luma, header=header, estimated_quality=None)
    assert not history.single
    assert any(f"row {row}, column {column}" in reason for reason in history.reasons)


def test_an_estimate_far_below_the_header_counts_as_a_trace(photos, opened):
    luma, _, header = opened(photos[0], 80)
    limit = 80 - compression_history.ESTIMATE_BELOW_HEADER
    below = assess(luma, header=header, estimated_quality=limit - 1)
    assert below.reasons == (f"its pixels look like quality {limit - 1:.0f}, not 80",)
    assert assess(luma, header=header, estimated_quality=limit + 1).single


def test_only_assessed_codings_are_classified_as_single(photos, opened):
    luma, _, header = opened(photos[0], 50)
    for coding in (Coding.RGB, Coding.CMYK, Coding.YCCK):
        other = dataclasses.replace(header, coding=coding)
        history = assess(luma, header=other, estimated_quality=50)
        assert not history.single
        assert coding in history.reasons[0]


def test_nothing_is_detected_in_small_and_flat_images(encode):
    for image in (np.full((64, 64), 77, np.uint8), np.zeros((3, 5), np.uint8)):
        luma = np.asarray(Image.open(io.BytesIO(encode(image, 50))))
        assert find_earlier_grid(luma) is None
        assert double_quantization.evidence(luma, table=quality_table(50)) == 0


def test_luma_of_wrong_dtype_raises(photos, opened):
    luma, _, header = opened(photos[0], 50)
    with pytest.raises(ValueError, match="uint8, got float64"):
        assess(luma / 255, header=header, estimated_quality=None)
