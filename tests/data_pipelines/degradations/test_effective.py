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


def test_it_is_the_quality_of_nearest_squared_error(gray_photo, pillow_jpeg):
    degraded = pillow_jpeg(pillow_jpeg(gray_photo, 50)[4:, 4:], 50)
    clean = gray_photo[4:, 4:]

    def error(image):
        return np.square(image.astype(float) - clean).mean()

    errors = [error(pillow_jpeg(clean, q)) for q in range(1, 101)]
    nearest = 1 + int(np.argmin(np.abs(np.array(errors) - error(degraded))))
    found = effective_quality_of(clean, degraded, at_most=50)
    assert abs(found - nearest) <= 1  # the error is not quite monotone in quality
    assert found < 45


def test_it_never_exceeds_the_given_limit(gray_photo):
    assert effective_quality_of(gray_photo, gray_photo) == 100
    assert effective_quality_of(gray_photo, gray_photo, at_most=30) == 30
    flat = np.full((16, 16), 128, np.uint8)
    assert effective_quality_of(flat, flat, at_most=40) == 40
    assert effective_quality_of(gray_photo, 255 - gray_photo) == 1


def test_the_label_names_the_encoding_that_decides(gray_photo):
    worst, fine = Jpeg(30, TableFamily.CAMERA), Jpeg(100)
    image = fine.compress(worst.compress(gray_photo))
    label = labelled(image, gray_photo, (worst, fine))
    assert label.quality.item() <= worst.effective_quality
    if label.quality.item() == worst.effective_quality:
        assert (label.table[0, 0] == worst.table).all()


@pytest.fixture(scope="module")
def patches(astronaut):
    """Eight of 64×64 from dark and light, smooth and rich parts of a picture."""
    gray = np.asarray(Image.fromarray(astronaut).convert("L"))
    return [gray[k : k + 64, left : left + 64] for k in range(0, 256, 64) for left in (k, 256)]


def test_of_the_qualities_met_the_nearest_is_taken(patches, pillow_jpeg, monkeypatch):
    """Errors do not always fall with quality, so the search may pass by what it looks for."""
    met = []

    def noted(quality, **options):
        met.append(quality)
        return Jpeg(quality, **options)

    monkeypatch.setattr(effective, "Jpeg", noted)
    for patch, first, second in itertools.product(patches, (15, 20, 35, 65), (15, 30, 50)):
        degraded = pillow_jpeg(pillow_jpeg(patch, first), second)
        met.clear()
        found = effective_quality_of(patch, degraded, at_most=min(first, second))
        target, *errors = (
            np.square(image.astype(float) - patch).sum()
            for image in (degraded, *(pillow_jpeg(patch, quality) for quality in met))
        )
        distances = np.abs(np.array(errors) - target)
        if found < min(first, second):
            assert distances[met.index(found)] == distances.min()


@pytest.mark.parametrize("family", TableFamily)
def test_an_encoding_repeated_on_the_grid_keeps_label_and_table(patches, family):
    """It changes hardly a pixel, however far the table model is off in the picture."""
    changes = []
    for patch, quality in itertools.product(patches, (20, 50, 80)):
        jpeg = Jpeg(quality, family)
        twice = labelled(jpeg.compress(jpeg.compress(patch)), patch, (jpeg, jpeg))
        changes.append(jpeg.effective_quality - twice.quality.item())
        assert changes[-1] or (twice.table == jpeg.table).all()
    assert np.mean(changes) < 0.5  # of IJG encodings, whose labels need no model, 0.33


@pytest.mark.parametrize("family", TableFamily)
def test_what_others_lose_is_measured_whatever_table_the_encoding_has(patches, family):
    jpeg = Jpeg(80, family)
    differences = []
    for patch in patches:
        image = jpeg.compress(np.asarray(Image.fromarray(patch).filter(ImageFilter.BoxBlur(1))))
        measured = effective_quality_of(patch, image, at_most=jpeg.effective_quality)
        differences.append(abs(labelled(image, patch, [jpeg]).quality.item() - measured))
    assert np.median(differences) <= 1  # in the smoothest one, the blur loses little


def test_chroma_is_measured_by_chroma_tables(gray_photo):
    jpeg = Jpeg(40, component=Component.CHROMA)
    image = jpeg.compress(gray_photo)
    assert effective_quality_of(gray_photo, image, component=Component.CHROMA) == 40
    assert effective_quality_of(gray_photo, image) < 40
