"""Tiles reassemble to the images, on the documented grid."""

import itertools

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("apache_beam")

from data_pipelines.preparation.tiles import tile_boundaries


@pytest.mark.parametrize(("tile", "min_side"), [(16, 8), (64, 32), (64, 27), (128, 64), (16, 1)])
def test_tiles_cover_a_side_with_allowed_sizes(tile, min_side):
    for length in range(min_side, 5 * tile):
        boundaries = tile_boundaries(length, tile=tile, min_side=min_side)
        sizes = [end - start for start, end in itertools.pairwise(boundaries)]
        assert (boundaries[0], boundaries[-1]) == (0, length)
        assert all(min_side <= size <= tile for size in sizes), (length, sizes)
        assert all(start % 8 == 0 for start in boundaries[:-1])
        assert all(size == tile for size in sizes[:-2])


def test_tiles_reassemble_to_the_images(folder, tmp_path, run, records, pixels_of):
    manifest = run(folder, tmp_path / "out", tile=64, min_side=32, shards=2)
    tiles = [pixels_of(record) for record in records(tmp_path / "out")]
    assert manifest["records"] == len(tiles) > manifest["images"] == 6
    assert max(max(tile.shape[:2]) for tile in tiles) == 64
    assert min(min(tile.shape[:2]) for tile in tiles) == manifest["min_side"] >= 32
    originals = [pixels_of(path.read_bytes()) for path in folder.rglob("*") if path.is_file()]
    assert manifest["pixels"] == sum(image.shape[0] * image.shape[1] for image in originals)
    assert same_images(reassemble(tiles, originals), originals)


def test_unusual_images_become_8_bit_tiles(tmp_path, noise, run, records, pixels_of):
    source = tmp_path / "in"
    source.mkdir()
    wide = noise((64, 20_000), 1)
    Image.fromarray(wide).save(source / "wide.png")
    cmyk = Image.fromarray(noise((80, 90, 4), 2), mode="CMYK")
    cmyk.save(source / "cmyk.tif")
    deep = np.random.default_rng(3).integers(0, 65536, (80, 90)).astype(np.uint16)
    Image.fromarray(deep).save(source / "deep.png")
    run(source, tmp_path / "out", tile=128)
    expected = [wide, np.asarray(cmyk.convert("RGB")), np.rint(deep / 257).astype(np.uint8)]
    tiles = [pixels_of(record) for record in records(tmp_path / "out")]
    assert same_images(reassemble(tiles, expected), expected)


def same_images(ours, theirs):
    def key(image):
        return image.shape, image.tobytes()

    return sorted(map(key, ours)) == sorted(map(key, theirs))


def reassemble(tiles, originals):
    """Yields images with the shapes of `originals`, assembled row by row from consecutive tiles."""
    remaining = list(originals)
    tiles = list(tiles)
    while tiles:
        for candidate in remaining:
            image, used = assemble_first(tiles, candidate.shape)
            if image is not None and np.array_equal(image, candidate):
                yield image
                remaining = [other for other in remaining if other is not candidate]
                tiles = tiles[used:]
                break
        else:
            raise AssertionError("The next tiles do not match any of the images.")


def assemble_first(tiles, shape):
    """Returns an image of the shape and the number of tiles used; None if they do not fit it."""
    rows, used = [], 0
    while sum(len(row) for row in rows) < shape[0]:
        row = []
        while sum(tile.shape[1] for tile in row) < shape[1]:
            if used == len(tiles):
                return None, 0
            row.append(tiles[used])
            used += 1
        if len({(len(tile), tile.ndim) for tile in row}) != 1 or row[0].ndim != len(shape):
            return None, 0
        rows.append(np.concatenate(row, axis=1))
    if len({row.shape[1] for row in rows}) != 1:
        return None, 0
    image = np.concatenate(rows)
    return (image, used) if image.shape == shape else (None, 0)
