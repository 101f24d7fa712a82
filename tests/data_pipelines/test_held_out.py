import dataclasses

import numpy as np
import pytest
from PIL import Image

from data_pipelines import held_out, transforms
from data_pipelines.config import DataConfig
from data_pipelines.degradations.jpeg import Jpeg


@pytest.fixture(scope="module")
def config(picture_folders):
    return DataConfig(
        eval_dir=str(picture_folders / "valid"),
        eval_qualities=(10, 90),
        eval_crop=64,
        eval_batch_size=4,
    )


def test_evaluation_covers_every_image_at_every_quality(config):
    source = held_out.eval_source(config)
    batches = list(held_out.eval_batches(source, config=config))
    assert [case for case, _ in batches] == ["q10", "q90"]
    for quality, (_, batch) in zip((10, 90), batches):
        assert batch["clean"].shape == (4, 64, 64, 1)
        assert batch["weight"].tolist() == [1, 0, 0, 0]
        assert (batch["quality"] == quality).all()


def test_evaluation_batches_are_split_among_processes(config):
    source = held_out.eval_source(config)
    halves = [
        next(held_out.eval_batches(source, config=config, process_index=i, process_count=2))[1]
        for i in (0, 1)
    ]
    assert [half["weight"].tolist() for half in halves] == [[1, 0], [0, 0]]


def test_a_broken_image_has_weight_zero(config, astronaut, tmp_path):
    paths = [tmp_path / f"{name}.png" for name in "abc"]
    for shift, path in enumerate(paths):
        Image.fromarray(astronaut[shift:160, :160]).save(path)
    paths[1].write_bytes(paths[1].read_bytes()[:10_000])  # the header stays intact
    source = held_out.eval_source(dataclasses.replace(config, eval_dir=f"{tmp_path}"))
    for _, batch in held_out.eval_batches(source, config=config):
        assert batch["weight"].tolist() == [1, 0, 1, 0]
        assert (batch["clean"][0] != batch["clean"][2]).any()


def test_evaluation_uses_studio_range_luma(config, picture_folders):
    _, batch = next(held_out.eval_batches(held_out.eval_source(config), config=config))
    (path,) = (picture_folders / "valid").iterdir()
    red, green, blue = np.moveaxis(np.asarray(Image.open(path).convert("RGB"), np.float64), -1, 0)
    studio = 16 + (65.481 * red + 128.553 * green + 24.966 * blue) / 255
    centre = studio[48:112, 48:112]  # of 160×160
    assert np.abs(batch["clean"][0, ..., 0] - centre).max() <= 0.5 + 1e-4


def test_double_jpeg_and_mosaics_can_be_evaluated(config):
    config = dataclasses.replace(
        config, eval_qualities=(), eval_doubles=[[30, 10]], eval_mosaics=((10, 80),)
    )
    source = held_out.eval_source(config)
    (double_case, double), (mosaic_case, mosaic) = held_out.eval_batches(source, config=config)
    assert (double_case, mosaic_case) == ("double30_10", "mosaic10_80")
    assert double["clean"].shape == mosaic["clean"].shape == (4, 64, 64, 1)
    assert double["quality"].shape == (4, 1, 1, 1)
    once = Jpeg(30).compress(transforms.centre_crop(source[0], 72))
    expected = Jpeg(10).compress(once[4:, 4:])[:64, :64]
    np.testing.assert_array_equal(double["degraded"][0, ..., 0], expected)
    assert mosaic["quality"].shape == (4, 64, 64, 1)
    assert mosaic["quality"][0, 0, 31:33, 0].tolist() == [10, 80]
