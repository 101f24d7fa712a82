import dataclasses

import numpy as np
import pytest
from PIL import Image

from data_pipelines.degradations.jpeg import EncoderOptions, Jpeg, QualityDensity
from data_pipelines.degradations.recompression import (
    Recompression,
    RecompressionOptions,
    Reencoding,
    double,
)
from data_pipelines.degradations.tables import Component


def test_double_jpeg_follows_the_protocol_of_the_papers(gray_photo, pillow_jpeg):
    degraded = double(30, 10, shift=(4, 4)).apply(gray_photo)
    expected = pillow_jpeg(pillow_jpeg(gray_photo, 30)[4:, 4:], 10)
    np.testing.assert_array_equal(degraded.image, expected)
    np.testing.assert_array_equal(degraded.clean, gray_photo[4:, 4:])


def test_every_step_is_applied_in_order(gray_photo, pillow_jpeg):
    chain = Recompression(
        Jpeg(70),
        (Reencoding(Jpeg(20), shift=(3, 0), scale=0.5), Reencoding(Jpeg(60), shift=(0, 5))),
    )

    def resized(image):
        height, width = image.shape
        size = round(width / 2), round(height / 2)
        return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BICUBIC))

    second = pillow_jpeg(resized(pillow_jpeg(gray_photo, 70))[3:], 20)
    degraded = chain.apply(gray_photo)
    np.testing.assert_array_equal(degraded.image, pillow_jpeg(second[:, 5:], 60))
    np.testing.assert_array_equal(degraded.clean, resized(gray_photo)[3:, 5:])


def test_the_lower_quality_determines_the_label_in_either_order(gray_photo):
    for first, second in ((10, 90), (90, 10)):
        label = double(first, second, shift=(4, 4)).apply(gray_photo)
        assert 9 <= label.quality.item() <= 10


def test_losses_of_encodings_with_similar_quality_add_up(gray_photo):
    shifted = double(50, 50, shift=(4, 4)).apply(gray_photo).quality.item()
    assert 20 < shifted < 42
    assert double(50, 50).apply(gray_photo).quality.item() >= 48  # aligned: no further loss


def test_downscaling_reduces_earlier_artifacts(gray_photo):
    halved = Recompression(Jpeg(20), (Reencoding(Jpeg(95), scale=0.5),))
    assert halved.apply(gray_photo).quality.item() > 30


def test_an_input_of_input_side_yields_a_large_enough_output():
    rng = np.random.default_rng(0)
    options = RecompressionOptions(encodings_max=4, shifted=0.8, rescaled=0.8, scale_max=1.5)
    image = rng.integers(0, 256, (900, 900), np.uint8)
    for _ in range(60):
        chain = options.draw(rng, encoder=EncoderOptions(), component=Component.LUMA)
        side = min(chain.input_side(32), 900)
        if side < 900:
            assert min(chain.apply(image[:side, :side]).image.shape) >= 32


@pytest.mark.parametrize("shift", [(0, 0), (4, 4), (7, 1), (0, 3)])
def test_a_crop_is_compressed_as_part_of_a_larger_image(gray_photo, shift):
    image = gray_photo[40:, 60:]
    second, third = Reencoding(Jpeg(60), shift), Reencoding(Jpeg(30), shift)
    for chain in (Recompression(Jpeg(20), (second,)), Recompression(Jpeg(20), (second, third))):
        side = chain.input_side(32)
        from_crop, from_image = chain.apply(image[:side, :side]), chain.apply(image)
        np.testing.assert_array_equal(from_crop.image[:32, :32], from_image.image[:32, :32])


def test_random_recompressions_follow_the_options():
    rng = np.random.default_rng(0)
    encoder = EncoderOptions(quality=QualityDensity(30, 40))
    options = RecompressionOptions(encodings_max=3, shifted=0.5, rescaled=0.25)
    chains = [options.draw(rng, encoder=encoder, component=Component.CHROMA) for _ in range(1000)]
    steps = [step for chain in chains for step in chain.then]
    assert {len(chain.then) for chain in chains} == {1, 2}
    assert 0.42 < np.mean([step.shift != (0, 0) for step in steps]) < 0.55
    assert {s for step in steps for s in step.shift} == set(range(8))
    assert 0.2 < np.mean([step.scale != 1 for step in steps]) < 0.3
    for jpeg in (chains[0].first, *(step.jpeg for step in steps)):
        assert 30 <= jpeg.quality <= 40
        assert jpeg.component is Component.CHROMA


def test_invalid_options_are_named():
    for bad, message in (
        ({"encodings_max": 1}, "encodings_max is 1; it must be >= 2"),
        ({"shifted": 1.5}, "shifted is 1.5"),
        ({"scale_min": 2.0}, "scale_max is 1.25; it must be >= 2.0"),
        ({"scale_min": 1e-4}, "scale_min is 0.0001; it must be >= 0.001"),
    ):
        with pytest.raises(ValueError, match=message):
            dataclasses.replace(RecompressionOptions(), **bad)
