import io

import numpy as np
import pytest
from PIL import Image, ImageDraw

from agarnet_jax.jpeg_tables import ZIGZAG, quality_table
from agarnet_jax.restoration.traces import quantization_steps
from agarnet_jax.restoration.traces.block_sample import LOW_FREQUENCIES


@pytest.mark.parametrize("quality", [5, 10, 20, 35, 50, 65, 80, 90, 95])
def test_detected_steps_equal_those_in_the_file(photo, decoded, encode, quality):
    file = Image.open(io.BytesIO(encode(photo, quality)))
    in_file = np.array(file.quantization[0])[ZIGZAG][1:21]  # Pillow returns raster order
    found = quantization_steps.detect_steps(decoded(photo, quality))
    known = found > 0
    assert known.sum() >= 3
    np.testing.assert_array_equal(found[known], in_file[known])


def text_on(*backgrounds):
    """Rows of letters, 96 pixels high for each gray level."""
    rows = []
    for background in backgrounds:
        row = Image.new("L", (384, 96), background)
        for top in range(4, 90, 13):
            ImageDraw.Draw(row).text((5, top), "Pack my box with five dozen jugs. " * 2, 30)
        rows.append(np.asarray(row))
    return np.concatenate(rows)


@pytest.mark.parametrize("negative", [False, True])
def test_unclipped_blocks_reveal_steps_that_others_hide(decoded, negative):
    in_file = quality_table(75).ravel()[LOW_FREQUENCIES]
    for backgrounds, least, most in (((255, 255, 255, 210), 15, 20), ((255, 255), 0, 2)):
        text = text_on(*backgrounds)
        steps = quantization_steps.detect_steps(decoded(255 - text if negative else text, 75))
        assert least <= np.count_nonzero(steps == in_file) <= most


def test_noise_that_hides_fine_steps_is_tolerated(photo, decoded):
    """As much noise as rounding to RGB and back adds."""
    noise = np.random.default_rng(0).normal(0, 0.4, photo.shape)
    plane = np.clip(np.rint(255 * decoded(photo, 90) + noise), 0, 255) / 255
    found = quantization_steps.detect_steps(plane)
    assert 1 <= (found == 1).sum() <= 17
    exact = quantization_steps.detect_steps(decoded(photo, 90))
    np.testing.assert_array_equal(found[found > 1], exact[found > 1])


def test_quality_99_is_told_from_others_and_from_edited_images(photo, decoded):
    gray = np.arange(256) / 255
    brighter = np.float32(np.rint(255 * gray**0.8) / 255)
    assert quantization_steps.has_steps_of_99(decoded(photo, 99))
    for quality in (80, 90, 95, 100):
        plane = decoded(photo, quality)
        assert not quantization_steps.has_steps_of_99(plane)
        assert not quantization_steps.has_steps_of_99(brighter[np.uint8(np.rint(255 * plane))])
    assert not quantization_steps.has_steps_of_99(photo)
    assert not quantization_steps.has_steps_of_99(np.full((64, 64), 0.5, np.float32))


def test_of_ones_and_coarse_steps_the_fewer_are_unknown(monkeypatch):
    found = iter([1] * 18 + [233, 92] + [1] * 4 + [24] * 16)
    monkeypatch.setattr(quantization_steps, "_detect_step", lambda *_: next(found))
    plane = np.full((8, 8), 0.5, np.float32)
    assert quantization_steps.detect_steps(plane).tolist() == [1] * 18 + [0, 0]
    assert quantization_steps.detect_steps(plane).tolist() == [0] * 4 + [24] * 16
