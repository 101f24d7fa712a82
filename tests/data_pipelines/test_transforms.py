import json

import numpy as np
import pytest

from agarnet_jax import jpeg_tables
from data_pipelines import transforms
from data_pipelines.degradations.degraded import Degraded, whole_image_label
from data_pipelines.degradations.jpeg import EncoderOptions, Jpeg, TableWeights
from data_pipelines.degradations.mixture import DegradationConfig, MixtureWeights
from data_pipelines.degradations.mosaic import halves
from data_pipelines.planes import PlaneWeights, TrainingPlane


def test_centre_crop_is_central_and_all_eight_symmetries_occur():
    image = np.arange(35).reshape(5, 7)
    np.testing.assert_array_equal(transforms.centre_crop(image, 3), image[1:4, 2:5])
    square = np.arange(27).reshape(3, 3, 3)
    rng = np.random.default_rng(0)
    seen = {transforms.random_symmetry(square, rng).tobytes() for _ in range(99)}
    assert len(seen) == 8


def test_crops_have_every_position_and_small_images_are_mirrored():
    rng = np.random.default_rng(0)
    image = np.arange(30, dtype=np.uint8).reshape(5, 6)
    corners = {int(transforms.random_crop(image, 4, rng)[0, 0]) for _ in range(99)}
    assert corners == {0, 1, 2, 6, 7, 8}
    padded = transforms.random_crop(image[..., None].repeat(3, 2), 8, rng)
    assert padded.shape == (8, 8, 3)
    np.testing.assert_array_equal(padded[5:, :6, 0], image[:1:-1])
    np.testing.assert_array_equal(padded[:5, 6:, 0], image[:, :3:-1])


def test_labels_are_pixel_wise_or_for_the_whole_image(gray_photo):
    degraded = halves(10, 80).apply(gray_photo)
    sample = transforms.make_sample(degraded, side=96, pixelwise=True, metadata="")
    assert sample["quality"].shape == (96, 96, 1)
    assert sample["tables"].shape == (12, 12, 64)
    assert sample["quality"][:, 79:81, 0].tolist() == [[10, 80]] * 96
    for block, quality in ((0, 10), (11, 80)):
        expected = jpeg_tables.network_table(jpeg_tables.quality_table(quality))
        actual = sample["tables"][3, block].astype(np.float32) / 255
        np.testing.assert_array_equal(actual, expected)
    whole = transforms.make_sample(
        Jpeg(30).apply(gray_photo), side=64, pixelwise=False, metadata=""
    )
    assert whole["quality"].shape == (1, 1, 1)
    assert whole["tables"].shape == (1, 1, 64)


def test_clean_and_degraded_are_cropped_alike():
    """Rescaled images may be larger than the crop."""
    image = np.arange(30 * 40, dtype=np.uint16).reshape(30, 40)
    label = whole_image_label(50, np.ones((8, 8), np.uint8))
    degraded = Degraded(image=image, clean=image, **label)
    sample = transforms.make_sample(degraded, side=16, pixelwise=False, metadata="")
    for name in ("degraded", "clean"):
        np.testing.assert_array_equal(sample[name][..., 0], image[:16, :16])


@pytest.fixture(scope="module")
def everything():
    return transforms.RandomSample(
        32,
        PlaneWeights(full=1, studio=1, color=1, cb=1, cr=1),
        DegradationConfig(
            mixture=MixtureWeights(jpeg=1, recompression=1, mosaic=1),
            encoder=EncoderOptions(tables=TableWeights(ijg=1, flat=1, camera=1, editor=1)),
        ),
    )


def test_all_planes_and_degradations_give_samples_of_one_shape(astronaut, everything):
    rng = np.random.default_rng(0)
    seen = set()
    for _ in range(200):
        sample = everything.sample(astronaut, rng)
        assert sample["degraded"].shape == sample["clean"].shape == (32, 32, 1)
        assert sample["quality"].shape == (32, 32, 1)
        assert sample["tables"].shape == (4, 4, 64)
        metadata = json.loads(sample["metadata"])
        seen.add((metadata["plane"], metadata["degradation"]))
    kinds = ("Jpeg", "Recompression", "Mosaic")
    assert seen == {(plane.value, kind) for plane in TrainingPlane for kind in kinds}


def test_graphics_are_drawn_over_a_fraction_of_the_crops():
    plain = np.full((64, 64, 3), 77, np.uint8)
    drawn = {}
    for fraction in (0.0, 0.25, 1.0):
        transform = transforms.RandomSample(
            32, PlaneWeights(full=1, cb=1), DegradationConfig(), graphics=fraction
        )
        rng = np.random.default_rng(0)
        samples = [transform.sample(plain, rng)["clean"] for _ in range(200)]
        drawn[fraction] = np.mean([np.ptp(clean) > 0 for clean in samples])
    assert drawn[0.0] == 0
    assert drawn[0.25] == pytest.approx(0.25, abs=0.1)
    assert drawn[1.0] > 0.9  # some letters and shapes are outside of the crop


def test_a_jpeg_can_be_reproduced_from_its_metadata(astronaut, everything):
    rng = np.random.default_rng(1)
    reproduced = 0
    while reproduced < 20:
        sample = everything.sample(astronaut, rng)
        fields = json.loads(sample["metadata"])
        if fields.pop("degradation") != "Jpeg" or fields.pop("plane") == "color":
            continue
        jpeg = Jpeg(**{key: type(getattr(Jpeg(1), key))(value) for key, value in fields.items()})
        np.testing.assert_array_equal(
            sample["degraded"][..., 0], jpeg.compress(sample["clean"][..., 0])
        )
        reproduced += 1
