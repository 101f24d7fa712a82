import io
import json

import numpy as np
import pytest
from PIL import Image

from agarnet_jax.restoration import Restorer, plane
from agarnet_jax.restoration.files import inspection, reading
from agarnet_jax.restoration.request import QualitySource


class FakeRestorer:
    """Estimates 40 for the image and 35–45 pixel-wise, and records the pixels it was given."""

    def estimate_components(self, components):
        height, width = components.size
        self.seen = components.pixels.read(slice(0, height), slice(0, width))
        quality_map = np.linspace(35, 45, height * width, dtype=np.float32).reshape(height, width)
        return {QualitySource.IMAGE: np.float32(40), QualitySource.MAP: quality_map}


@pytest.fixture
def restorer():
    return FakeRestorer()


@pytest.fixture
def inspect(tmp_path, restorer):
    """Inspects the contents of a file."""

    def inspect(contents, name="file.jpg"):
        path = tmp_path / name
        path.write_bytes(contents)
        return inspection.inspect(reading.read(path), restorer)

    return inspect


@pytest.fixture(scope="module")
def photo(astronaut):
    return np.asarray(Image.fromarray(astronaut).reduce(3))


def test_a_jpeg_compressed_once_is_reported_as_such(inspect, restorer, photo, encode):
    found = inspect(encode(photo, 40, subsampling="4:2:2"))
    height, width = photo.shape[:2]
    assert (found.kind, found.width, found.height) == ("JPEG", width, height)
    header = found.header
    assert (header.coding, header.subsampling, header.progressive) == ("YCbCr", "4:2:2", False)
    assert (header.quality, header.chroma_quality, header.standard_table) == (40, 40, True)
    assert (found.quality, found.quality_range) == (40, (35, 45))
    assert (found.grid.row, found.grid.column) == (0, 0)
    assert found.recompressed is False
    assert restorer.seen.shape == (height, width, 3)
    text = found.as_text()
    for part in (
        f"JPEG, {width}×{height} pixels; YCbCr 4:2:2, sequential; its header states quality 40.",
        "look like JPEG quality 40 (35 to 45 locally).",
        "grid starts at the top left corner.",
        "Compressed once",
    ):
        assert part in text


def test_a_recompressed_jpeg_gives_reasons(inspect, photo, encode):
    first = np.asarray(Image.open(io.BytesIO(encode(photo, 40))))[3:, 2:]
    found = inspect(encode(np.ascontiguousarray(first), 85, progressive=True))
    assert found.header.progressive
    assert found.recompressed
    text = found.as_text()
    assert "more than once: its pixels look like quality 40, not 85; another 8×8 grid" in text
    assert "row 5, column 6" in text
    assert "progressive" in text


def test_a_custom_table_is_reported(inspect, photo, encode):
    table = [17] * 64
    found = inspect(encode(photo, 75, qtables=[table, table]))
    assert not found.header.standard_table
    assert f"lose about as much as quality {found.header.quality}" in found.as_text()


def test_a_cropped_image_is_estimated_on_its_own_grid(inspect, restorer, photo, encode, encoded):
    crop = np.asarray(Image.open(io.BytesIO(encode(photo, 40))))[2:, 7:]
    found = inspect(encoded(crop, "PNG"), "file.png")
    assert found.header is None
    assert (found.grid.row, found.grid.column) == (6, 1)
    assert found.recompressed is None
    assert restorer.seen.shape == (crop.shape[0] + 2, crop.shape[1] + 7, 3)
    assert "no JPEG header" in found.as_text()
    assert "row 6, column 1: the image was cropped" in found.as_text()
    assert "It is unknown" in found.as_text()


def test_two_grids_mean_two_compressions(inspect, photo, encode, encoded):
    first = np.ascontiguousarray(np.asarray(Image.open(io.BytesIO(encode(photo, 40))))[3:, 2:])
    second = np.asarray(Image.open(io.BytesIO(encode(first, 85))))[1:, 1:]
    found = inspect(encoded(second, "PNG"), "file.png")
    assert (found.grid.row, found.grid.column) == (7, 7)
    assert found.recompressed is True


def test_graphics_around_a_photograph_are_reported(inspect, page, photo, encode, encoded):
    screenshot = np.stack([page(272)] * 3, axis=-1)
    decoded = np.asarray(Image.open(io.BytesIO(encode(photo, 60))))[:160, :160]
    screenshot[51 : 51 + len(decoded), 101 : 101 + decoded.shape[1]] = decoded
    found = inspect(encoded(screenshot, "PNG"), "file.png")
    assert (found.grid.row, found.grid.column) == (3, 5)
    assert found.uncompressed == pytest.approx(0.6, abs=0.15)
    assert found.recompressed is None
    assert "of the image is uncompressed text or graphics." in found.as_text()
    assert "a JPEG was pasted into it after compression" in found.as_text()


def test_an_uncompressed_image_has_no_grid(inspect, photo, encoded):
    found = inspect(encoded(photo, "PNG"), "file.png")
    assert found.grid is None
    assert found.recompressed is None
    assert "No 8×8 grid was found" in found.as_text()


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_gray_and_cmyk_jpegs_report_their_coding(inspect, photo, mode, encoded):
    found = inspect(encoded(Image.fromarray(photo).convert(mode), "JPEG", quality=40))
    assert found.header.subsampling is found.header.chroma_quality is None
    assert found.header.coding in ("gray", "CMYK", "YCCK")
    assert found.recompressed is (False if mode == "L" else None)


def test_grid_and_table_of_a_png_are_detected_once(tmp_path, photo, encode, encoded, monkeypatch):
    path, calls = tmp_path / "file.png", []
    path.write_bytes(encoded(np.asarray(Image.open(io.BytesIO(encode(photo, 40)))), "PNG"))
    find_grid, find_table = plane.find_grid, plane.requantization.find_table
    monkeypatch.setattr(plane, "find_grid", lambda p: calls.append("grid") or find_grid(p))
    monkeypatch.setattr(
        plane.requantization,
        "find_table",
        lambda p, **options: calls.append("table") or find_table(p, **options),
    )
    restorer = Restorer.from_pretrained("tiny")
    monkeypatch.setattr(restorer._engine.networks, "cells", lambda _: np.full((1, 3, 3, 1), 40.0))
    found = inspection.inspect(reading.read(path), restorer)
    assert (found.quality, found.grid.row, found.grid.column) == (40, 0, 0)
    assert calls == ["grid", "table"]


def test_json_contains_all_fields_as_plain_values(inspect, photo, encode):
    found = inspect(encode(photo, 40), "odd.png")
    plain = json.loads(json.dumps(found.as_json()))
    assert plain["header"]["subsampling"] == "4:2:0"
    assert plain["grid"]["row"] == 0
    assert plain["quality_range"] == [35, 45]
    assert plain["recompressed"] is False
    assert "suffix" in plain["warnings"][0]
    assert "Note: it is a JPEG file" in found.as_text()


def test_a_jpeg_is_estimated_on_its_own_grid_even_if_another_is_more_visible(
    inspect, restorer, photo, encode, monkeypatch
):
    monkeypatch.setattr(plane, "find_grid", lambda _: inspection.Grid(3, 5, 9.0))
    found = inspect(encode(photo, 90))
    assert restorer.seen.shape == photo.shape  # the header describes the grid at the corner
    assert "starts at row 3, column 5: it is not this file's own." in found.as_text()
