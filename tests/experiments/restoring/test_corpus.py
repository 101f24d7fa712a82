"""A corpus on Beam's local runner: restored files and reported failures."""

import json
import os
import pathlib
import re
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from agarnet_jax.cli.main import main as agarnet
from agarnet_jax.restoration.files import one_file
from agarnet_jax.restoration.files.errors import InputError
from agarnet_jax.restoration.files.options import RestoreOptions
from experiments.restoring.names import CorpusNames
from experiments.restoring.pipeline import shape_key
from experiments.restoring.run import restore_corpus


@pytest.mark.parametrize(
    ("pattern", "root"),
    [
        ("gs://bucket/photos/**.jpg", "gs://bucket/photos/"),
        ("/data/2*/a?.png", "/data/"),
        ("/data/[ab]/x.jpg", "/data/"),
        ("/data/one.jpg", "/data/"),
    ],
)
def test_outputs_keep_the_folder_structure_below_the_first_wildcard(pattern, root):
    names = CorpusNames(pattern, "out", ".png")
    assert names.root == root
    assert names.output_path(f"{root}deep/er/a.jpg") == "out/deep/er/a.jpg.png"
    with pytest.raises(ValueError, match="is not in"):
        names.output_path("/elsewhere/a.jpg")


def test_images_that_share_a_compiled_program_have_the_same_key():
    assert shape_key(100, 40) == shape_key(65, 64) == "64x128"
    assert shape_key(4000, 3000) == shape_key(6000, 500) == "512x512"
    assert shape_key(520, 512) == "512x320"  # two tiles of 320


def test_documented_flags_exist_and_those_said_to_be_missing_do_not(repository):
    page = (repository / "docs" / "restoration.md").read_text()
    section = page.split("\n## Corpora")[1].split("\n## ")[0]
    table = "".join(re.findall(r"^\| `--.+? \|", section, re.MULTILINE))
    (missing,) = re.findall(r"are not\s+supported: (.+?)\.\n", section, re.DOTALL)
    command = [sys.executable, "-m", "experiments.restore_corpus", "--help"]
    help_text = subprocess.run(command, capture_output=True, text=True, timeout=120).stdout
    existing = set(re.findall(r"^  --(?:\[no\])?(\w+):", help_text, re.MULTILINE))
    assert {name.removeprefix("no") for name in re.findall(r"--(\w+)", table)} == existing
    absent = {name.replace("-", "_") for name in re.findall(r"--([\w-]+)", missing)}
    assert len(absent) > 5
    assert not absent & existing


FLAGS = """
import json, sys
from absl import flags
from experiments import restore_corpus
flags.FLAGS(sys.argv)
print(json.dumps(restore_corpus._options().as_json()))
"""


def test_flags_are_passed_on_as_options(repository):
    given = "--quality=map", "--strength=0.5", "--nochroma", "--grid=find", "--consistent"
    command = [sys.executable, "-c", FLAGS, "--input=x", "--output=y", *given, "--ensemble=8"]
    printed = subprocess.run(command, cwd=repository, capture_output=True, check=True).stdout
    expected = RestoreOptions(
        quality="map", strength=0.5, chroma=False, grid="find", consistent=True, ensemble=8
    )
    assert json.loads(printed) == expected.as_json()


# Six full batches, slow enough that the second worker starts before the first has done them all.
NOTE_WORKERS = """
import os, pathlib, sys, time
from data_pipelines.preparation import beam_options, execution
from data_pipelines.preparation.quiet_beam import beam
from experiments.restoring.pipeline import batches

def note(batch, folder):
    pathlib.Path(folder, f"{os.getpid()}").touch()
    time.sleep(0.5)

def build(pipeline):
    shapes = pipeline | beam.Create([("512x512", f"{number}.jpg") for number in range(192)])
    batches(shapes) | beam.Map(note, sys.argv[1])

execution.run(build, beam_options.parse(["--direct_num_workers=2"]))
"""


def test_batches_of_one_shape_are_distributed_over_workers(tmp_path):
    subprocess.run([sys.executable, "-c", NOTE_WORKERS, tmp_path], check=True, timeout=120)
    assert len(list(tmp_path.iterdir())) == 2


@pytest.fixture(scope="module")
def corpus(tmp_path_factory, astronaut, encode, encoded) -> pathlib.Path:
    """240 small JPEGs in folders, and five files that cannot be restored."""
    folder = tmp_path_factory.mktemp("corpus")
    for i in range(240):
        top, left = 2 * (i % 100), i
        side = 48 if i % 3 else 80
        path = folder / f"part{i % 4}" / f"{i}.jpg"
        path.parent.mkdir(exist_ok=True)
        image = astronaut[top : top + side, left : left + side]
        path.write_bytes(encode(image if i % 2 else image[..., 0], 10 + i % 80))
    whole = (folder / "part0" / "0.jpg").read_bytes()
    (folder / "empty.jpg").touch()
    (folder / "text.jpg").write_text("not an image")
    (folder / "part1" / "header.jpg").write_bytes(whole[:40])
    (folder / "part2" / "zeros.jpg").write_bytes(bytes(500))
    frames = [Image.new("L", (16, 16), value) for value in (0, 255)]
    animation = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    (folder / "part3" / "animated.jpg").write_bytes(animation)
    return folder


@pytest.mark.slow
def test_invalid_files_of_a_corpus_are_reported_and_the_others_restored(corpus, tmp_path):
    out = tmp_path / "out"
    command = [sys.executable, "-m", "experiments.restore_corpus", f"--input={corpus}/**.jpg"]
    run = subprocess.run([*command, f"--output={out}"], capture_output=True, text=True, timeout=600)

    assert run.returncode == 1, run.stderr
    assert "240 restored, 0 skipped, 5 failed" in run.stdout
    failed = {line["source"]: line["error"] for line in _lines(out, "failed")}
    bad = ["empty.jpg", "text.jpg", "part1/header.jpg", "part2/zeros.jpg", "part3/animated.jpg"]
    assert sorted(failed) == sorted(str(corpus / name) for name in bad)
    assert all(source in error for source, error in failed.items())
    restored = {line["source"]: line["destination"] for line in _lines(out, "restored")}
    good = [path for path in sorted(corpus.rglob("*.jpg")) if str(path) not in failed]
    assert sorted(restored) == [str(path) for path in good]
    assert sorted(out.rglob("*.png")) == sorted(map(pathlib.Path, restored.values()))
    for source in good[:2]:  # one gray, one in colour: same result as `agarnet restore`
        alone = tmp_path / f"{source.stem}.png"
        assert agarnet(["restore", str(source), "-o", str(alone)]) == 0
        difference = np.asarray(Image.open(alone)).astype(int)
        difference -= np.asarray(Image.open(restored[str(source)]))
        assert abs(difference).max() <= 1  # rounding: the one-file command uses other devices

    again = subprocess.run(
        [*command, f"--output={out}", "--skip_existing"], capture_output=True, text=True
    )
    assert "0 restored, 240 skipped, 5 failed" in again.stdout, again.stderr


def _lines(folder: pathlib.Path, kind: str) -> list[dict[str, str]]:
    parts = sorted(folder.glob(f"{kind}-*.jsonl"))
    return [json.loads(line) for part in parts for line in part.read_text().splitlines()]


def test_a_decoder_error_or_a_name_that_is_not_utf8_does_not_stop_the_rest(tmp_path, monkeypatch):
    def restore_file(source, target, **_):
        if source.read_text() == "b":
            raise MemoryError
        raise InputError(f"{source}: refused")

    for name in "abc":
        (tmp_path / f"{name}.jpg").write_text(name)
    (tmp_path / os.fsdecode(b"caf\xe9.jpg")).touch()
    os.mkfifo(tmp_path / "pipe.jpg")
    out = tmp_path.with_name("out")
    (out / "beam-temp-failed-of-a-killed-run").mkdir(parents=True)
    monkeypatch.setattr(one_file, "restore_file", restore_file)
    pattern = f"{tmp_path}/*.jpg"
    outcome = restore_corpus(
        pattern,
        f"{out}",
        format="png",
        options=RestoreOptions(),
        weights="tiny",
        skip_existing=False,
    )
    assert sorted(line["error"] for line in outcome.failed) == [
        f"'{tmp_path}/b.jpg': MemoryError: MemoryError",
        f"{tmp_path}/a.jpg: refused",
        f"{tmp_path}/c.jpg: refused",
        rf"{tmp_path}/caf\xe9.jpg: its name is not UTF-8; rename it.",
        f"{tmp_path}/pipe.jpg: it is a device or pipe.",
    ]
    assert not list(out.glob("beam-temp-*"))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"pattern": "inside/*.gone"}, "No file matches .*gone"),
        ({"format": "gif"}, "Format 'gif' is unknown; use png"),
        ({"pattern": "."}, "is a folder; give a pattern"),
        ({"output": "inside/it"}, "is in the input folder"),
        ({"weights": "nope"}, "No weights 'nope': neither a file nor a shipped name"),
    ],
)
def test_invalid_arguments_are_rejected_before_the_pipeline_runs(
    tmp_path, monkeypatch, changed, message
):
    (tmp_path / "inside").mkdir()
    (tmp_path / "inside" / "a.jpg").touch()
    monkeypatch.chdir(tmp_path)
    arguments = {"pattern": "inside/*.jpg", "output": "out", "format": "png", "weights": "tiny"}
    arguments |= changed
    with pytest.raises(ValueError, match=message):
        restore_corpus(
            arguments.pop("pattern"),
            arguments.pop("output"),
            options=RestoreOptions(),
            skip_existing=False,
            **arguments,
        )
    assert not (tmp_path / "out").exists()


def test_an_output_in_the_input_folder_is_detected_through_symbolic_links(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "a.jpg").touch()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with pytest.raises(ValueError, match="is in the input folder"):
        restore_corpus(
            f"{tmp_path}/link/**.jpg",
            f"{tmp_path}/link/out",
            format="png",
            options=RestoreOptions(),
            weights="tiny",
            skip_existing=False,
        )
