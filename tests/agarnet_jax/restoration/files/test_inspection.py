import io
import json

import numpy as np
import pytest
from PIL import Image

from agarnet_jax.restoration.files import inspection, reading
from agarnet_jax.restoration.request import QualitySource


class FakeRestorer:
    """Estimates 40 for the image, 35–45 in places, and remembers what it saw."""

    def estimate(self, image, *, header=None):
        pixels = np.asarray(image)
        self.seen = pixels
        shape = pixels.shape[:2]
        quality_map = np.linspace(35, 45, shape[0] * shape[1], dtype=np.float32).reshape(shape)
        return {QualitySource.IMAGE: np.float32(40), QualitySource.MAP: quality_map}


@pytest.fixture
def restorer():
    return FakeRestorer()


@pytest.fixture
def inspect(tmp_path, restorer):
    """Bytes of a file → what is found."""

    def inspect(contents, name="file.jpg"):
        path = tmp_path / name
        path.write_bytes(contents)
        return inspection.inspect(reading.read(path), restorer)

    return inspect


@pytest.fixture(scope="module")
def photo(astronaut):
    return np.asarray(Image.fromarray(astronaut).reduce(3))


def test_a_single_jpeg(inspect, restorer, photo, encode):
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
    words = found.words()
    for part in (
        f"JPEG, {width}×{height} pixels; YCbCr 4:2:2, sequential; its header says quality 40.",
        "look like JPEG quality 40, 35 to 45 in places.",
        "grid begins at the top left corner.",
        "Compressed once",
    ):
        assert part in words


def test_a_recompressed_one_says_why(inspect, photo, encode):
    first = np.asarray(Image.open(io.BytesIO(encode(photo, 40))))[3:, 2:]
    found = inspect(encode(np.ascontiguousarray(first), 85, progressive=True))
    assert found.header.progressive
    assert found.recompressed
    words = found.words()
    assert "more than once: its pixels look like quality 40, not 85; another 8×8 grid" in words
    assert "row 5, column 6" in words
    assert "progressive" in words


def test_a_table_of_its_own_is_named_so(inspect, photo, encode):
    table = [17] * 64
    found = inspect(encode(photo, 75, qtables=[table, table]))
    assert not found.header.standard_table
    assert f"lose about as much as quality {found.header.quality}" in found.words()


def test_a_cropped_picture_shows_its_grid_and_is_estimated_on_it(inspect, restorer, photo, encode):
    crop = np.asarray(Image.open(io.BytesIO(encode(photo, 40))))[2:, 7:]
    buffer = io.BytesIO()
    Image.fromarray(crop).save(buffer, "PNG")
    found = inspect(buffer.getvalue(), "file.png")
    assert found.header is None
    assert (found.grid.row, found.grid.column) == (6, 1)
    assert found.recompressed is None
    assert restorer.seen.shape == (crop.shape[0] + 2, crop.shape[1] + 7, 3)
    assert "states no JPEG compression" in found.words()
    assert "row 6, column 1: cropped" in found.words()
    assert "cannot be told" in found.words()


def test_two_grids_in_a_picture_are_two_compressions(inspect, photo, encode):
    first = np.ascontiguousarray(np.asarray(Image.open(io.BytesIO(encode(photo, 40))))[3:, 2:])
    second = np.asarray(Image.open(io.BytesIO(encode(first, 85))))[1:, 1:]
    buffer = io.BytesIO()
    Image.fromarray(second).save(buffer, "PNG")
    found = inspect(buffer.getvalue(), "file.png")
    assert (found.grid.row, found.grid.column) == (7, 7)
    assert found.recompressed is True


def test_a_clean_picture_shows_no_grid(inspect, photo):
    buffer = io.BytesIO()
    Image.fromarray(photo).save(buffer, "PNG")
    found = inspect(buffer.getvalue(), "file.png")
    assert found.grid is None
    assert found.recompressed is None
    assert "No 8×8 grid shows" in found.words()


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_other_codings(inspect, photo, mode):
    buffer = io.BytesIO()
    Image.fromarray(photo).convert(mode).save(buffer, "JPEG", quality=40)
    found = inspect(buffer.getvalue())
    assert found.header.subsampling is found.header.chroma_quality is None
    assert found.header.coding in ("gray", "CMYK", "YCCK")
    assert found.recompressed is (False if mode == "L" else None)


def test_json_holds_plain_values_of_everything(inspect, photo, encode):
    found = inspect(encode(photo, 40), "odd.png")
    told = json.loads(json.dumps(found.as_json()))
    assert told["header"]["subsampling"] == "4:2:0"
    assert told["grid"]["row"] == 0
    assert told["quality_range"] == [35, 45]
    assert told["recompressed"] is False
    assert "suffix" in told["warnings"][0]
    assert "Note: it is a JPEG file" in found.words()


def test_a_jpeg_is_estimated_on_its_own_grid_whichever_shows_most(
    inspect, restorer, photo, encode, monkeypatch
):
    monkeypatch.setattr(inspection, "find_grid", lambda _: inspection.Grid(3, 5, 9.0))
    found = inspect(encode(photo, 90))
    assert restorer.seen.shape == photo.shape  # the header that goes with it is of the corner's
    assert "begins at row 3, column 5: not that of this file." in found.words()
