"""Restoring one file, with a fake restorer that brightens pixels by one level."""

import errno
import os

import numpy as np
import pytest
from PIL import Image

from agarnet_jax.restoration import plane
from agarnet_jax.restoration.files import file_restoring, one_file, reading
from agarnet_jax.restoration.files.errors import InputError
from agarnet_jax.restoration.files.one_file import Visualizations
from agarnet_jax.restoration.files.options import GridChoice, RestoreOptions
from agarnet_jax.restoration.request import QualitySource
from agarnet_jax.restoration.traces.grid import Grid


@pytest.fixture
def photo(tmp_path, photo_bytes):
    path = tmp_path / "photo.jpg"
    path.write_bytes(photo_bytes)
    return path


@pytest.fixture
def restore(fake_restorer):
    """Restores a file with options; returns the result."""

    def restore(source, destination, *, visualizations=Visualizations(), **options):  # noqa: B008
        return one_file.restore_file(
            source,
            destination,
            restorer=fake_restorer,
            options=RestoreOptions(**options),
            visualizations=visualizations,
        )

    return restore


def pixels_of(path):
    with Image.open(path) as image:
        return np.asarray(image)


def test_the_output_is_restored_and_upright(restore, photo, tmp_path):
    result = restore(photo, tmp_path / "out.png")
    assert (result.kind, result.width, result.height) == ("JPEG", 48, 32)
    assert (result.quality, result.quality_range) == (42, (42, 42))
    assert (result.notes, result.backup, result.grid) == ((), None, None)
    before = np.rot90(pixels_of(photo).astype(int), -1)
    after = pixels_of(tmp_path / "out.png")
    assert np.abs(after - np.minimum(before, 254) - 1).max() <= 2  # YCbCr by Pillow and libjpeg
    assert set(os.listdir(tmp_path)) == {"photo.jpg", "out.png"}


def test_paths_may_be_strings(restore, photo, tmp_path):
    result = restore(str(photo), str(tmp_path / "out.png"))
    assert (result.source, result.destination) == (photo, tmp_path / "out.png")
    assert result.destination.exists()


def test_options_are_passed_to_the_restorer(restore, fake_restorer, photo, tmp_path):
    restore(photo, tmp_path / "a.png", quality=30, strength=0.5, chroma=False, bits=16, ensemble=8)
    restore(photo, tmp_path / "b.png", quality=QualitySource.HEADER)
    restore(photo, tmp_path / "c.png", quality=QualitySource.MAP)
    (image, first), (_, second), (_, third) = fake_restorer.calls
    assert image.mode == "YCbCr"
    assert first["header"].sampling[0] == (2, 2)
    del first["header"]
    assert first == {
        "quality": 30.0,
        "strength": 0.5,
        "chroma": False,
        "bits": 16,
        "ensemble": 8,
    }
    assert second["quality"] is QualitySource.HEADER
    assert third["quality"] is QualitySource.MAP


def test_16_bits_are_written_on_request_and_kept_from_the_input(restore, tmp_path, photo):
    restore(photo, tmp_path / "deep.png", bits=16)
    deep = reading.read(tmp_path / "deep.png").pixels
    assert deep.dtype == np.uint16
    for suffix in ("png", "tif"):
        out = tmp_path / f"again.{suffix}"
        restore(tmp_path / "deep.png", out)
        np.testing.assert_array_equal(reading.read(out).pixels, np.minimum(deep, 65534) + 1)
    with pytest.raises(InputError, match="WEBP has 8 bits"):
        restore(photo, tmp_path / "deep.webp", bits=16)


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "CMYK", "I;16"])
@pytest.mark.parametrize("phase", [(0, 0), (3, 5), None])
def test_an_image_with_a_shifted_grid_is_aligned_and_cropped_back(
    restore, fake_restorer, tmp_path, monkeypatch, astronaut, mode, phase
):
    found = None if phase is None else Grid(*phase, 9.0)
    monkeypatch.setattr(plane, "find_grid", lambda _: found)
    picture = Image.fromarray(astronaut[:40, 200:250])
    if mode == "I;16":
        picture = Image.fromarray(np.asarray(picture.convert("L")).astype(np.uint16) * 257)
    elif mode != "RGB":
        picture = picture.convert(mode)
    source = tmp_path / "in.tif"
    picture.save(source)
    result = restore(source, tmp_path / "out.tif")
    given = np.asarray(fake_restorer.calls[0][0])
    assert result.grid == phase
    assert given.shape[:2] == ((45, 53) if phase == (3, 5) else (40, 50))
    expected = np.asarray(picture).astype(int)
    peak = 65535 if mode == "I;16" else 255
    np.testing.assert_array_equal(
        pixels_of(tmp_path / "out.tif"), np.minimum(expected, peak - 1) + 1
    )
    assert ("no 8×8 grid" in " ".join(result.notes)) == (phase is None)


def test_the_grid_of_jpeg_files_is_detected_on_request_only(
    restore, fake_restorer, tmp_path, monkeypatch, photo
):
    searched = []
    monkeypatch.setattr(
        plane, "find_grid", lambda luma: searched.append(luma.shape) or Grid(1, 0, 9.0)
    )
    restore(photo, tmp_path / "a.png")
    assert searched == []
    restore(photo, tmp_path / "a.png", grid=GridChoice.FIND)
    assert searched == [(32, 48)]
    assert fake_restorer.calls[-1][1]["header"] is None  # it describes another grid
    restore(tmp_path / "a.png", tmp_path / "b.png", grid=GridChoice.NONE)
    assert len(searched) == 1


def test_in_place_keeps_the_original(restore, photo, tmp_path, photo_bytes):
    with pytest.raises(InputError, match="is the input"):
        restore(photo, photo)
    link = tmp_path / "link.jpg"
    link.symlink_to(photo)
    with pytest.raises(InputError, match="is the input"):
        restore(photo, link)
    assert photo.read_bytes() == photo_bytes
    result = restore(photo, photo, in_place=True)
    assert result.backup.name == "photo.jpg.orig"
    assert result.backup.read_bytes() == photo_bytes
    with Image.open(photo) as image:
        assert image.size == (32, 48)


def test_in_place_restores_the_target_of_a_link(restore, photo, tmp_path, photo_bytes):
    (tmp_path / "links").mkdir()
    link = tmp_path / "links" / "link.jpg"
    link.symlink_to(photo)
    result = restore(link, link, in_place=True)
    assert link.is_symlink()
    assert photo.read_bytes() != photo_bytes
    assert result.backup == tmp_path / "photo.jpg.orig"
    assert result.backup.read_bytes() == photo_bytes


def test_in_place_keeps_the_format_despite_the_suffix(restore, tmp_path, astronaut):
    path = tmp_path / "really_png.jpg"
    Image.fromarray(astronaut[:9, :9]).save(path, "PNG")
    restore(path, path, in_place=True)
    with Image.open(path) as image:
        assert image.format == "PNG"
    path = tmp_path / "a.gif"
    Image.fromarray(astronaut[:9, :9]).save(path)
    with pytest.raises(InputError, match="GIF file, a format that cannot be written"):
        restore(path, path, in_place=True)


def test_an_input_that_cannot_be_replaced_gets_no_backup(restore, photo, monkeypatch, photo_bytes):
    def busy(*_args, **_kwargs):
        raise OSError(errno.EBUSY, "Device or resource busy")

    monkeypatch.setattr(os, "replace", busy)
    for _ in range(2):
        with pytest.raises(InputError, match=r"photo\.jpg' cannot be written: Device or resource"):
            restore(photo, photo, in_place=True)
    assert os.listdir(photo.parent) == ["photo.jpg"]
    assert photo.read_bytes() == photo_bytes


def test_pipes_are_refused_as_outputs(restore, photo, tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(InputError, match=r"pipe\.png' is a device or pipe; give a file"):
        restore(photo, tmp_path / "pipe.png")
    with pytest.raises(InputError, match=r"pipe\.png' is a device or pipe; give a file"):
        restore(photo, tmp_path / "a.png", visualizations=Visualizations(tmp_path / "pipe.png"))
    assert (tmp_path / "pipe.png").is_fifo()
    assert not (tmp_path / "a.png").exists()


def test_a_failed_write_in_place_leaves_no_backup(restore, photo, monkeypatch, photo_bytes):
    def full(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    with pytest.raises(InputError, match="No space left"):
        restore(photo, photo, in_place=True)
    assert os.listdir(photo.parent) == ["photo.jpg"]
    assert photo.read_bytes() == photo_bytes


@pytest.mark.parametrize("in_place", [False, True])
def test_nothing_is_written_if_additional_files_cannot_be(
    restore, photo, tmp_path, photo_bytes, monkeypatch, in_place
):
    def full(*_args, **_kwargs):
        raise InputError("the disk is full")

    monkeypatch.setattr(file_restoring, "write_visualizations", full)
    output = photo if in_place else tmp_path / "output.png"
    visualizations = Visualizations(quality_map=tmp_path / "map.png")
    with pytest.raises(InputError, match="full"):
        restore(photo, output, visualizations=visualizations, in_place=in_place)
    assert os.listdir(tmp_path) == ["photo.jpg"]
    assert photo.read_bytes() == photo_bytes


def test_header_quality_requires_a_jpeg_file(restore, tmp_path, astronaut):
    path = tmp_path / "a.png"
    Image.fromarray(astronaut[:9, :9]).save(path)
    with pytest.raises(InputError, match="--quality auto"):
        restore(path, tmp_path / "b.png", quality=QualitySource.HEADER)


def test_errors_of_the_restorer_name_the_file(restore, fake_restorer, photo, tmp_path):
    def refuse(*_args, **_kwargs):
        raise ValueError("too strange.")

    fake_restorer.restore = refuse
    with pytest.raises(InputError, match=r"photo\.jpg': too strange\."):
        restore(photo, tmp_path / "a.png")
    assert os.listdir(tmp_path) == ["photo.jpg"]


def test_images_too_wide_for_webp_are_refused_before_restoring(restore, fake_restorer, tmp_path):
    path = tmp_path / "wide.png"
    Image.new("L", (65500, 1)).save(path)
    with pytest.raises(InputError, match="at most 16383"):
        restore(path, tmp_path / "a.webp")
    assert fake_restorer.calls == []
    restore(path, tmp_path / "a.tif", grid=GridChoice.NONE)
    assert pixels_of(tmp_path / "a.tif").shape == (1, 65500)


def test_results_convert_to_json(restore, photo, tmp_path):
    plain = restore(photo, tmp_path / "a.webp").as_json()
    assert plain["source"] == os.fspath(photo)
    assert plain["notes"] == ["WebP has no comments, so its comment was dropped"]
    assert plain["quality_range"] == [42, 42]
    assert plain["backup"] is None


def test_an_existing_output_is_replaced_without_a_backup(restore, photo, tmp_path):
    (tmp_path / "out.png").write_bytes(b"of an earlier run")
    assert restore(photo, tmp_path / "out.png").backup is None
    assert pixels_of(tmp_path / "out.png").shape == (48, 32, 3)
    assert set(os.listdir(tmp_path)) == {"photo.jpg", "out.png"}
