import io
import json

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def run():
    """Returns a function that prepares a folder in this process and returns the manifest."""
    from data_pipelines.preparation.options import PrepareOptions
    from data_pipelines.preparation.quiet_beam import FileSystems
    from data_pipelines.preparation.run import prepare

    def run(source, target, *, overwrite=False, **options):
        return prepare(
            str(source),
            str(target),
            PrepareOptions(**options),
            beam_arguments=["--direct_running_mode=in_memory"],
            overwrite=overwrite,
        ).manifest

    yield run
    FileSystems.set_options(None)


@pytest.fixture
def records():
    """Returns a function that reads all records of a prepared folder, by its manifest."""
    from array_record.python.array_record_module import ArrayRecordReader

    def records(folder):
        read = []
        for shard in json.loads((folder / "manifest.json").read_text())["shards"]:
            reader = ArrayRecordReader(str(folder / shard["name"]))
            read += reader.read_all() if shard["records"] else []
            reader.close()
        return read

    return records


@pytest.fixture
def contents():
    """Returns a function that maps the relative path of every file below a folder to its bytes."""
    return lambda folder: {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture
def noise():
    """Returns a function that makes uint8 noise of a given shape and seed."""
    return lambda shape, seed=0: np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


@pytest.fixture
def pixels_of():
    """Returns a function that decodes a file's bytes, palettes to RGB."""

    def pixels_of(content):
        image = Image.open(io.BytesIO(content))
        return np.asarray(image.convert("RGB") if image.mode == "P" else image)

    return pixels_of


@pytest.fixture
def folder(tmp_path, astronaut):
    """Six different crops in several formats, one of them gray, two in subfolders."""
    source = tmp_path / "in"
    (source / "deep" / "er").mkdir(parents=True)
    names = ["a.png", "b.bmp", "deep/c.webp", "deep/er/d.tif", "e.PNG", "f.gif"]
    for number, name in enumerate(names):
        size = (96 + 8 * number, 200 - 16 * number)
        crop = Image.fromarray(astronaut[: size[1], 9 * number : 9 * number + size[0]])
        crop.convert("L" if name == "f.gif" else "RGB").save(source / name, lossless=True)
    return source
