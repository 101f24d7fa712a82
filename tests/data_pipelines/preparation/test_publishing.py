"""The output folder after reruns, interruptions at any point, and failures."""

import itertools
import os
import shutil

import pytest
from PIL import Image

pytest.importorskip("apache_beam")

from data_pipelines.preparation import files, shards
from data_pipelines.preparation.options import PrepareOptions
from data_pipelines.preparation.quiet_beam import FileSystems
from data_pipelines.preparation.run import PreparationError, prepare

IN_PROCESS = ("--direct_running_mode=in_memory",)


def test_a_second_run_reuses_the_output_of_the_first(folder, tmp_path):
    out = tmp_path / "out"
    arguments = (str(folder), str(out), PrepareOptions(shards=2))
    assert not prepare(*arguments, beam_arguments=IN_PROCESS).already_prepared
    before = {path: path.stat().st_mtime_ns for path in out.iterdir()}
    (out / ".preparing-old").mkdir()  # left by a run that was killed after publishing
    again = prepare(*arguments, beam_arguments=IN_PROCESS)
    assert again.already_prepared
    assert {path: path.stat().st_mtime_ns for path in out.iterdir()} == before
    assert "6 images, 6 records" in again.summary()


def test_a_changed_input_or_option_needs_overwrite(folder, tmp_path, run, contents):
    out = tmp_path / "out"
    run(folder, out, shards=3)
    before = contents(out)
    with pytest.raises(ValueError, match="--overwrite"):
        run(folder, out, shards=2)
    os.utime(folder / "a.png", (1, 1))
    with pytest.raises(ValueError, match="--overwrite"):
        run(folder, out, shards=3)
    assert contents(out) == before
    run(folder, out, shards=2, overwrite=True)
    run(folder, tmp_path / "fresh", shards=2)
    assert contents(out) == contents(tmp_path / "fresh") != before


def test_a_damaged_output_needs_overwrite(folder, tmp_path, run, contents):
    out = tmp_path / "out"
    run(folder, out, shards=1)
    before = contents(out)
    shard = out / "images-00000-of-00001.array_record"
    shard.write_bytes(shard.read_bytes()[:-1])
    with pytest.raises(ValueError, match=r"damaged.*--overwrite"):
        run(folder, out, shards=1)
    (out / "manifest.json").write_text("{")
    with pytest.raises(ValueError, match=r"damaged.*--overwrite"):
        run(folder, out, shards=1)
    run(folder, out, shards=1, overwrite=True)
    assert contents(out) == before


class Killed(BaseException):
    """Simulates the end of the process."""


def kill_after(patch, file_system, changes):
    """Lets a file system class make the given number of changes and raises Killed at the next."""
    remaining = itertools.count(changes, -1)

    def limited(method):
        def one_by_one(self, *names):
            for step in zip(*names):
                if next(remaining) <= 0:
                    raise Killed
                method(self, *([name] for name in step))

        return one_by_one

    patch.setattr(file_system, "rename", limited(file_system.rename))
    patch.setattr(file_system, "delete", limited(file_system.delete))


def test_a_kill_while_publishing_leaves_no_mixture(folder, tmp_path, monkeypatch, run, contents):
    """Kills before the first, the second, … change of the output, then runs again."""
    run(folder, tmp_path / "old", shards=3)
    run(folder, tmp_path / "new", shards=2)
    old, new = contents(tmp_path / "old"), contents(tmp_path / "new")
    local_file_system = type(FileSystems.get_filesystem(str(tmp_path)))
    seen = []
    for changes in itertools.count():
        out = tmp_path / f"out{changes}"
        shutil.copytree(tmp_path / "old", out)
        with monkeypatch.context() as patch:
            kill_after(patch, local_file_system, changes)
            try:
                run(folder, out, shards=2, overwrite=True)
            except Killed:
                left = {name: c for name, c in contents(out).items() if name[0] != "."}
                seen.append("old" if left == old else "new" if left == new else "no manifest")
                assert seen[-1] != "no manifest" or "manifest.json" not in left
            else:
                break
        run(folder, out, shards=2, overwrite=True)
        assert contents(out) == new
        assert not list(out.glob(".*"))
    # Delete the manifest; move 2 shards in, delete 3 old ones; move the manifest in, clean up.
    assert seen == ["old", *["no manifest"] * 6, "new"]


def test_a_file_that_changes_during_the_run_is_named(folder, tmp_path, monkeypatch, run, contents):
    read = files.read

    def changing(path):
        content = read(path)
        if path.endswith("b.bmp"):
            (folder / "b.bmp").write_bytes(content[:-1] + b"?")
        return content

    monkeypatch.setattr(files, "read", changing)
    with pytest.raises(PreparationError, match=r"1 files .*'b\.bmp' changed while"):
        run(folder, tmp_path / "out")
    assert contents(tmp_path / "out") == {}
    assert not list((tmp_path / "out").iterdir())


def test_a_file_that_cannot_be_read_is_named(folder, tmp_path, run, contents):
    (folder / "gone.png").symlink_to(folder / "a.png")
    listing = files.list_files(str(folder))
    (folder / "gone.png").unlink()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "list_files", lambda folder: listing)
        with pytest.raises(PreparationError, match=r"'gone\.png' cannot be read"):
            run(folder, tmp_path / "out")
    assert contents(tmp_path / "out") == {}


def test_running_out_of_memory_fails_the_run(folder, tmp_path, monkeypatch, run, contents):
    """A good file must not be skipped silently."""

    def convert(self, mode):
        raise MemoryError

    monkeypatch.setattr(Image.Image, "convert", convert)
    with pytest.raises(PreparationError, match=r"'a\.png' cannot be decoded: out of memory"):
        run(folder, tmp_path / "out")
    assert contents(tmp_path / "out") == {}


def test_a_full_disk_publishes_nothing(folder, tmp_path, monkeypatch, run, contents):
    writer = shards.ArrayRecordWriter
    monkeypatch.setattr(shards, "ArrayRecordWriter", lambda _, group: writer("/dev/full", group))
    with pytest.raises(PreparationError, match="No space left"):
        run(folder, tmp_path / "out")
    assert contents(tmp_path / "out") == {}


def test_a_wrong_record_count_publishes_nothing(folder, tmp_path, monkeypatch, run, contents):
    class ExtraRecordWriter(shards.ArrayRecordWriter):
        def close(self):
            self.write(b"one more")
            super().close()

    monkeypatch.setattr(shards, "ArrayRecordWriter", ExtraRecordWriter)
    with pytest.raises(PreparationError, match="incompletely: expected 6 records, found 7"):
        run(folder, tmp_path / "out")
    assert contents(tmp_path / "out") == {}
