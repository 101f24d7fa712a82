import logging
import pickle

import numpy as np
import pytest
from PIL import Image

from agarnet_jax.color import LumaRange
from data_pipelines.sources import FolderSource


@pytest.fixture
def folder(tmp_path, astronaut):
    picture = Image.fromarray(astronaut[:40, :48])
    (tmp_path / "deep").mkdir()
    for number, (mode, name) in enumerate(
        [
            ("L", "a.png"),
            ("RGB", "b.jpg"),
            ("RGBA", "deep/c.webp"),
            ("P", "d.bmp"),
            ("CMYK", "e.tiff"),
            ("LA", "f.png"),
            ("1", "g.png"),
        ]
    ):
        picture.crop((number, 0, 40 + number, 40)).convert(mode).save(tmp_path / name)
    Image.fromarray(np.full((40, 40), 51 * 257, np.uint16)).save(tmp_path / "h.png")
    (tmp_path / "notes.txt").write_text("not counted")
    return tmp_path


def test_reads_every_format_and_mode(folder):
    source = FolderSource(folder)
    assert len(source) == 8
    assert source.skipped == 0
    for image in source:
        assert image.shape == (40, 40)
        assert image.dtype == np.uint8
    names = [path.removeprefix(str(folder)) for path in source.paths]
    assert (source[names.index("/h.png")] == 51).all()


def test_luma_ranges(folder):
    full, studio = (FolderSource(folder, luma_range=r) for r in LumaRange)
    color = [p.endswith("b.jpg") for p in full.paths].index(True)
    expected = np.rint(16 + full[color].astype(float) * 219 / 255)
    assert np.abs(studio[color] - expected).max() <= 1  # one rounding more
    gray = [p.endswith("a.png") for p in full.paths].index(True)
    np.testing.assert_array_equal(full[gray], studio[gray])


def test_broken_files_are_named_skipped_and_counted(folder, caplog):
    (folder / "broken.png").write_text("no image")
    whole = (folder / "b.jpg").read_bytes()
    (folder / "b_cut.jpg").write_bytes(whole[:-40])
    Image.new("L", (8, 40)).save(folder / "small.png")
    with caplog.at_level(logging.WARNING):
        source = FolderSource(folder, min_side=16)
        assert source.skipped == 2
        images = list(source)
    assert source.skipped == 3
    for name in ("broken.png", "b_cut.jpg", "small.png"):
        assert sum(name in record.getMessage() for record in caplog.records) == 1
    cut = [p.endswith("b_cut.jpg") for p in source.paths].index(True)
    np.testing.assert_array_equal(images[cut], source[cut + 1])


def test_cache_holds_what_fits_and_changes_nothing(folder):
    bare, cached = FolderSource(folder), FolderSource(folder, cache_gib=1)
    first = list(cached)
    assert all(a is b for a, b in zip(first, cached))
    assert all((a == b).all() for a, b in zip(first, bare))
    small = FolderSource(folder, cache_gib=2.5 * 1600 / 2**30)
    list(small)
    assert sum(a is b for a, b in zip(list(small), list(small))) == 2
    assert len(pickle.dumps(cached)) < 1600


def test_unusable_folders_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        FolderSource(tmp_path / "nowhere")
    with pytest.raises(ValueError, match=r"no image of at least 1 pixels.*\.webp"):
        FolderSource(tmp_path)
    (tmp_path / "x.png").write_text("no image")
    with pytest.raises(ValueError, match="1 files left out"):
        FolderSource(tmp_path)


def test_a_source_ends(folder):
    with pytest.raises(IndexError):
        FolderSource(folder)[8]
