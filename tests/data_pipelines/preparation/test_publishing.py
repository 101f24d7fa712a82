"""What lies in the output after reruns, ends at any moment, and failures."""

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


def test_a_second_run_finds_the_first(folder, tmp_path):
    out = tmp_path / "out"
    arguments = (str(folder), str(out), PrepareOptions(shards=2))
    assert not prepare(*arguments, beam_arguments=IN_PROCESS).already_prepared
    before = {path: path.stat().st_mtime_ns for path in out.iterdir()}
    (out / ".preparing-old").mkdir()  # of a run that was killed after publishing
    again = prepare(*arguments, beam_arguments=IN_PROCESS)
    assert again.already_prepared
    assert {path: path.stat().st_mtime_ns for path in out.iterdir()} == before
    assert "6 images, 6 records" in again.summary()


def test_another_input_or_option_needs_overwrite(folder, tmp_path, run, contents):
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
    """Stands in for the end of the process."""


def end_after(patch, local, changes):
    """Lets `local`, a class of file systems, make so many changes, and raises at the next."""
    left = itertools.count(changes, -1)

    def limited(method):
        def one_by_one(self, *names):
            for step in zip(*names):
                if next(left) <= 0:
                    raise Killed
                method(self, *([name] for name in step))

        return one_by_one

    patch.setattr(local, "rename", limited(local.rename))
    patch.setattr(local, "delete", limited(local.delete))


def test_an_end_while_publishing_leaves_no_mixture(folder, tmp_path, monkeypatch, run, contents):
    """Ends before the first, the second, … change of the output, and runs again."""
    run(folder, tmp_path / "old", shards=3)
    run(folder, tmp_path / "new", shards=2)
    old, new = contents(tmp_path / "old"), contents(tmp_path / "new")
    local = type(FileSystems.get_filesystem(str(tmp_path)))
    seen = []
    for changes in itertools.count():
        out = tmp_path / f"out{changes}"
        shutil.copytree(tmp_path / "old", out)
        with monkeypatch.context() as patch:
            end_after(patch, local, changes)
            try:
                run(folder, out, shards=2, overwrite=True)
            except Killed:
                found = {name: c for name, c in contents(out).items() if name[0] != "."}
                seen.append("old" if found == old else "new" if found == new else "no manifest")
                assert seen[-1] != "no manifest" or "manifest.json" not in found
            else:
                break
        run(folder, out, shards=2, overwrite=True)
        assert contents(out) == new
        assert not list(out.glob(".*"))
    # Manifest away; 2 shards in place, 3 old ones away; manifest in place, staging away.
    assert seen == ["old", *["no manifest"] * 6, "new"]


def test_a_file_that_changes_meanwhile_is_named(folder, tmp_path, monkeypatch, run, contents):
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


def test_want_of_memory_leaves_no_good_file_out(folder, tmp_path, monkeypatch, run, contents):
    def convert(self, mode):
        raise MemoryError

    monkeypatch.setattr(Image.Image, "convert", convert)
    with pytest.raises(PreparationError, match=r"'a\.png' cannot be decoded: no memory"):
        run(folder, tmp_path / "out")
    assert contents(tmp_path / "out") == {}


def test_a_full_disk_publishes_nothing(folder, tmp_path, monkeypatch, run, contents):
    writer = shards.ArrayRecordWriter
    monkeypatch.setattr(shards, "ArrayRecordWriter", lambda path, how: writer("/dev/full", how))
    with pytest.raises(PreparationError, match="No space left"):
        run(folder, tmp_path / "out")
    assert contents(tmp_path / "out") == {}


def test_a_shard_that_is_not_whole_publishes_nothing(folder, tmp_path, monkeypatch, run, contents):
    class Forgetful(shards.ArrayRecordWriter):
        def close(self):
            self.write(b"one more")
            super().close()

    monkeypatch.setattr(shards, "ArrayRecordWriter", Forgetful)
    with pytest.raises(PreparationError, match="not written whole: 6 records, found 7"):
        run(folder, tmp_path / "out")
    assert contents(tmp_path / "out") == {}
