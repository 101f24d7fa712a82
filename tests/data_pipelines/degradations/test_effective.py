import itertools

import numpy as np
import pytest
from PIL import Image, ImageFilter

from data_pipelines.degradations import effective
from data_pipelines.degradations.effective import effective_quality_of, labelled
from data_pipelines.degradations.jpeg import Jpeg
from data_pipelines.degradations.tables import Component, TableFamily


@pytest.mark.parametrize("quality", [2, 10, 33, 50, 77, 95])
def test_a_single_jpeg_has_its_own_quality(gray_photo, pillow_jpeg, quality):
    assert effective_quality_of(gray_photo, pillow_jpeg(gray_photo, quality)) == quality


def test_the_effective_quality_has_the_closest_squared_error(gray_photo, pillow_jpeg):
    degraded = pillow_jpeg(pillow_jpeg(gray_photo, 50)[4:, 4:], 50)
    clean = gray_photo[4:, 4:]

    def error(image):
        return np.square(image.astype(float) - clean).mean()

    errors = [error(pillow_jpeg(clean, q)) for q in range(1, 101)]
    closest = 1 + int(np.argmin(np.abs(np.array(errors) - error(degraded))))
    found = effective_quality_of(clean, degraded, at_most=50)
    assert abs(found - closest) <= 1  # the error is not quite monotonic in quality
    assert found < 45


def test_the_effective_quality_never_exceeds_its_limit(gray_photo):
    assert effective_quality_of(gray_photo, gray_photo) == 100
    assert effective_quality_of(gray_photo, gray_photo, at_most=30) == 30
    flat = np.full((16, 16), 128, np.uint8)
    assert effective_quality_of(flat, flat, at_most=40) == 40
    assert effective_quality_of(gray_photo, 255 - gray_photo) == 1


def test_the_table_is_that_of_the_encoding_that_determines_the_label(gray_photo):
    worst, best = Jpeg(30, TableFamily.CAMERA), Jpeg(100)
    image = best.compress(worst.compress(gray_photo))
    label = labelled(image, gray_photo, (worst, best))
    assert label.quality.item() == worst.effective_quality
    np.testing.assert_array_equal(label.table[0, 0], worst.table)


@pytest.fixture(scope="module")
def patches(astronaut):
    """Eight patches of 64×64 from dark and bright, smooth and detailed parts of an image."""
    gray = np.asarray(Image.fromarray(astronaut).convert("L"))
    return [gray[k : k + 64, left : left + 64] for k in range(0, 256, 64) for left in (k, 256)]


def test_the_search_returns_the_best_of_the_qualities_tried(patches, pillow_jpeg, monkeypatch):
    """Errors do not always decrease with quality, so the search may miss the global optimum."""
    tried = []

    def recording_jpeg(quality, **options):
        tried.append(quality)
        return Jpeg(quality, **options)

    monkeypatch.setattr(effective, "Jpeg", recording_jpeg)
    for patch, first, second in itertools.product(patches, (15, 20, 35, 65), (15, 30, 50)):
        degraded = pillow_jpeg(pillow_jpeg(patch, first), second)
        tried.clear()
        found = effective_quality_of(patch, degraded, at_most=min(first, second))
        target, *errors = (
            np.square(image.astype(float) - patch).sum()
            for image in (degraded, *(pillow_jpeg(patch, quality) for quality in tried))
        )
        distances = np.abs(np.array(errors) - target)
        if found < min(first, second):
            assert distances[tried.index(found)] == distances.min()


@pytest.mark.parametrize("family", TableFamily)
def test_an_aligned_recompression_with_the_same_table_keeps_label_and_table(patches, family):
    """It changes hardly a pixel, however far the table model is off for this image."""
    changes = []
    for patch, quality in itertools.product(patches, (20, 50, 80)):
        jpeg = Jpeg(quality, family)
        twice = labelled(jpeg.compress(jpeg.compress(patch)), patch, (jpeg, jpeg))
        changes.append(jpeg.effective_quality - twice.quality.item())
        assert changes[-1] or (twice.table == jpeg.table).all()
    assert np.mean(changes) < 0.5  # 0.33 for IJG encodings, whose labels need no model


@pytest.mark.parametrize("family", TableFamily)
def test_losses_of_other_steps_are_measured_for_every_table_family(patches, family):
    jpeg = Jpeg(80, family)
    differences = []
    for patch in patches:
        image = jpeg.compress(np.asarray(Image.fromarray(patch).filter(ImageFilter.BoxBlur(1))))
        measured = effective_quality_of(patch, image, at_most=jpeg.effective_quality)
        differences.append(abs(labelled(image, patch, [jpeg]).quality.item() - measured))
    assert np.median(differences) <= 1  # in the smoothest patch, the blur loses little


def test_chroma_is_measured_with_chroma_tables(gray_photo):
    jpeg = Jpeg(40, component=Component.CHROMA)
    image = jpeg.compress(gray_photo)
    assert effective_quality_of(gray_photo, image, component=Component.CHROMA) == 40
    assert effective_quality_of(gray_photo, image) < 40
