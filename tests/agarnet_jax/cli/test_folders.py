"""`agarnet restore` with many files and a fake restorer."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import threading
import time

import pytest
from PIL import Image

from agarnet_jax.restoration.files import reports, running
from agarnet_jax.restoration.files.errors import InputError


@pytest.fixture
def photos(tmp_path, jpeg):
    """Four images, some with the same name, and a text file named as one."""
    folder = tmp_path / "photos"
    for name in ("a.jpg", "sub/a.jpg", "sub/b.JPG"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(jpeg)
    Image.new("L", (20, 20)).save(folder / "a.png")
    (folder / "sub" / "bad.jpg").write_text("a text")
    return folder


def tree(folder):
    paths = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return [f"{path.relative_to(folder)}" for path in paths]


def lines(report):
    return [json.loads(line) for line in report.read_text().splitlines()]


@pytest.mark.parametrize("jobs", [1, 3])
def test_a_bad_file_does_not_stop_the_others(agarnet, fake, photos, tmp_path, jobs):
    out = tmp_path / "out"
    code, printed, err = agarnet(
        "restore", photos, "-o", out, "--recursive", "--grid=none", f"--jobs={jobs}"
    )
    assert code == 1
    assert tree(out) == ["a.png", "a_png.png", "agarnet-report.jsonl", "sub/a.png", "sub/b.png"]
    assert len(printed) == 5
    assert printed[-1].startswith("4 restored, 1 failed in ")
    assert err == [f"agarnet: '{photos}/sub/bad.jpg' is not an image that Pillow can read."]
    report = {
        pathlib.Path(line["source"]).name: line for line in lines(out / "agarnet-report.jsonl")
    }
    assert report["bad.jpg"]["status"] == "failed"
    assert "not an image" in report["bad.jpg"]["error"]
    good = report["b.JPG"]
    assert (good["status"], good["width"], good["quality"]) == ("restored", 64, 42)
    assert good["bytes"] == (out / "sub" / "b.png").stat().st_size
    assert len(set(fake.requested_by)) <= jobs


def test_subfolders_are_skipped_without_recursive(agarnet, refused, fake, photos, tmp_path):
    out = tmp_path / "out"
    assert agarnet("restore", photos, "-o", out, "--format=webp", "--grid=none")[0] == 0
    assert tree(out) == ["a.webp", "a_png.webp", "agarnet-report.jsonl"]
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "no image files" in refused("restore", empty, "-o", out)


def test_files_and_folders_can_be_mixed(agarnet, fake, photos, tmp_path):
    out = photos / "out"  # inside a folder that is searched
    inputs = [photos / "a.jpg", photos / "sub" / "a.jpg", tmp_path / "none.jpg", photos / "sub"]
    for _ in range(2):
        code, _, err = agarnet("restore", *inputs, "-o", out)
        assert code == 1
        assert any("none.jpg' does not exist" in line for line in err)
        assert tree(out) == ["a.png", "a_jpg.png", "agarnet-report.jsonl", "b.png"]
    agarnet("restore", photos, "-o", out, "--recursive", "--grid=none")
    assert not any("out" in line["source"] for line in lines(out / "agarnet-report.jsonl"))


def test_outputs_of_several_files_are_next_to_their_inputs(agarnet, fake, photos):
    agarnet("restore", photos / "a.jpg", photos / "a.png", "--grid=none")
    assert [n for n in tree(photos) if "restored" in n] == ["a_png_restored.png", "a_restored.png"]


def test_a_folder_is_restored_in_place(agarnet, fake, photos, jpeg):
    report = photos / "report.jsonl"
    arguments = ("restore", photos, "--in-place", "--grid=none", "--report", report)
    assert agarnet(*arguments)[0] == 0
    assert tree(photos)[:4] == ["a.jpg", "a.jpg.orig", "a.png", "a.png.orig"]
    assert (photos / "a.jpg.orig").read_bytes() == jpeg
    restored = (photos / "a.jpg").read_bytes()
    printed = agarnet(*arguments, "--resume")[1]
    assert printed[-1].startswith("2 skipped in ")
    assert (photos / "a.jpg").read_bytes() == restored


class TestResumeInPlace:
    @pytest.fixture
    def run(self, agarnet, fake, photos):
        """Returns the counts by status and the lines of standard error."""

        def run(*arguments):
            everything = (photos, "--in-place", "--recursive", "--grid=none", "--jobs=1")
            code, printed, err = agarnet("restore", *everything, *arguments)
            return printed[-1].split(" in ")[0] if printed else code, err

        return run

    @pytest.fixture
    def interrupted(self, run, fake, monkeypatch):
        """Interrupts a run during its third file."""

        class Interrupted:
            def restore(self, image, **arguments):
                calls.append(image)
                if len(calls) == 3:
                    raise KeyboardInterrupt
                return usual.restore(image, **arguments)

        usual, calls = fake.restorer, []
        monkeypatch.setattr(fake, "restorer", Interrupted())
        run()

    def test_resume_continues_an_interrupted_run(self, run, photos, interrupted):
        assert (photos / "agarnet-report.jsonl").exists()
        counts, err = run("--resume")
        assert counts == "2 restored, 2 skipped, 1 failed"
        assert not any("second time" in line for line in err)
        backups = [name for name in tree(photos) if ".orig" in name]
        assert backups == [
            "a.jpg.orig", "a.png.orig", "sub/a.jpg.orig", "sub/b.JPG.orig",
        ]  # fmt: skip

    def test_without_resume_a_warning_is_printed_and_the_report_kept(
        self, run, photos, interrupted
    ):
        warning, *_ = run()[1]
        assert warning.startswith("agarnet: 2 of 5 files may be restored a second time, since they")
        assert "--resume" in warning
        assert (photos / "a.jpg.orig1").exists()
        assert run("--resume")[0] == "4 skipped, 1 failed"

    def test_a_lost_report_does_not_suppress_the_warning(self, run, photos, interrupted):
        (photos / "agarnet-report.jsonl").unlink()
        assert "2 of 5 files may be restored a second time" in run("--resume")[1][0]


def test_files_restored_in_place_have_no_report_by_default(agarnet, refused, fake, photos):
    inputs = photos / "a.jpg", photos / "a.png"
    assert "use --report FILE" in refused("restore", *inputs, "--in-place", "--resume")
    agarnet("restore", *inputs, "--in-place", "--grid=none")
    assert not (photos / "agarnet-report.jsonl").exists()
    warning, *_ = agarnet("restore", *inputs, "--in-place", "--grid=none")[2]
    assert "2 of 2 files may be restored a second time" in warning
    assert "with --report FILE, --resume can skip them" in warning


class TestResume:
    @pytest.fixture
    def run(self, agarnet, fake, photos, tmp_path):
        def run(*arguments):
            everything = (photos, "-o", tmp_path / "out", "--recursive", "--grid=none")
            return agarnet("restore", *everything, *arguments)[1][-1].split(" in ")[0]

        return run

    def test_finished_files_are_skipped(self, run, tmp_path):
        assert run() == "4 restored, 1 failed"
        written = (tmp_path / "out" / "a.png").stat().st_mtime_ns
        assert run("--resume") == "4 skipped, 1 failed"
        assert run("--resume", "--jobs=2") == "4 skipped, 1 failed"
        assert (tmp_path / "out" / "a.png").stat().st_mtime_ns == written
        assert run() == "4 restored, 1 failed"

    def test_changed_files_and_options_are_restored_again(
        self, run, photos, tmp_path, jpeg, monkeypatch
    ):
        run()
        (photos / "a.jpg").write_bytes(jpeg + b"\0")
        (tmp_path / "out" / "sub" / "b.png").write_bytes(b"cut")
        (photos / "sub" / "bad.jpg").write_bytes(jpeg)
        assert run("--resume") == "3 restored, 2 skipped"
        assert run("--resume") == "5 skipped"
        assert run("--resume", "--quality=30") == "5 restored"
        assert run("--resume", "--quality=30", "--max-pixels=10000") == "5 skipped"
        monkeypatch.setattr("agarnet_jax.cli.restore._digest_of_weights", lambda _: "others")
        assert run("--resume", "--quality=30") == "5 restored"

    def test_outputs_keep_their_names_when_files_are_added(self, run, photos, tmp_path, jpeg):
        run()
        assert tree(tmp_path / "out")[0] == "a.png"
        (photos / "a.bmp").write_bytes(jpeg)  # sorts before a.jpg
        assert run("--resume") == "1 restored, 4 skipped, 1 failed"
        assert "a_bmp.png" in tree(tmp_path / "out")

    def test_maps_are_named_like_their_outputs(self, run, photos, tmp_path, jpeg):
        maps = "--map", tmp_path / "maps"
        run(*maps)
        (photos / "a.bmp").write_bytes(jpeg)
        assert run("--resume", *maps) == "1 restored, 4 skipped, 1 failed"
        of_outputs = [name for name in tree(tmp_path / "out") if name.endswith(".png")]
        assert tree(tmp_path / "maps") == of_outputs

    def test_a_report_truncated_by_a_crash_is_resumed(self, run, tmp_path):
        run()
        report = tmp_path / "out" / "agarnet-report.jsonl"
        whole = report.read_text()
        report.write_text(whole[: whole.index("\n") + 30])
        assert run("--resume", "--jobs=1") == "3 restored, 1 skipped, 1 failed"
        assert run("--resume") == "4 skipped, 1 failed"


def test_maps_and_comparisons_are_written_to_folders(agarnet, fake, photos, tmp_path):
    code, _, err = agarnet(
        "restore", photos, "-o", tmp_path / "out", "--recursive", "--grid=none",
        "--map", tmp_path / "maps", "--compare", tmp_path / "both",
    )  # fmt: skip
    assert code == 1, err
    assert tree(tmp_path / "maps") == ["a.png", "a_png.png", "sub/a.png", "sub/b.png"]
    assert tree(tmp_path / "both") == tree(tmp_path / "maps")


def test_an_unexpected_error_does_not_stop_other_files(
    agarnet, fake, photos, tmp_path, monkeypatch
):
    class Sometimes:
        def restore(self, image, **arguments):
            if image.width == 20:
                raise RuntimeError("oh\nno")
            return usual.restore(image, **arguments)

    usual = fake.restorer
    monkeypatch.setattr(fake, "restorer", Sometimes())
    code, printed, err = agarnet("restore", photos, "-o", tmp_path / "out", "--grid=none")
    assert code == 1
    assert printed[-1].startswith("1 restored, 1 failed")
    assert err == [f"agarnet: '{photos}/a.png': RuntimeError: oh"]


def test_unusable_weights_stop_the_run(refused, photos, tmp_path):
    for jobs in ("--jobs=1", "--jobs=2"):
        line = refused("restore", photos, "-o", tmp_path / "out", "--weights=huge", jobs)
        assert "'huge'" in line


def test_an_unwritable_report_is_reported(refused, agarnet, fake, photos, tmp_path, monkeypatch):
    def full(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    assert "is not a report" in refused("restore", photos, "-o", tmp_path, "--report", photos)
    monkeypatch.setattr(reports.json, "dumps", full)
    code, _, err = agarnet("restore", photos / "a.jpg", "--report", tmp_path / "r.jsonl")
    assert code == 2
    assert "report" in err[-1]


def test_a_full_report_ends_the_run(agarnet, fake, photos, tmp_path, monkeypatch):
    def full(*_args, **_kwargs):
        raise InputError("The report is full.")

    monkeypatch.setattr(reports.Report, "add", full)
    out = tmp_path / "out"
    code, _, err = agarnet("restore", photos, "-o", out, "--recursive", "--jobs=2")
    assert (code, err[-1]) == (2, "agarnet: The report is full.")
    assert not any(
        thread.name.startswith(running.THREAD_PREFIX) for thread in threading.enumerate()
    )
    assert not [name for name in tree(out) if name.endswith(".part")]


def test_a_removed_report_is_mentioned(agarnet, fake, photos, tmp_path, monkeypatch):
    class Removing(type(fake.restorer)):
        def restore(self, image, **options):
            shutil.rmtree(tmp_path / "out", ignore_errors=True)
            return super().restore(image, **options)

    monkeypatch.setattr(fake, "restorer", Removing())
    code, printed, _ = agarnet("restore", photos, "-o", tmp_path / "out", "--recursive")
    assert code == 1
    assert printed[-1].endswith("; the report was removed")


# A fake restorer, and a writer that waits in the middle of each file.
WAITING = """
import os, signal, sys, time, types
signal.signal(signal.SIGINT, signal.default_int_handler)  # shells ignore it in the background
from agarnet_jax import restoration
from agarnet_jax.cli import main, restore
from agarnet_jax.restoration.files import writing

def encode(pixels, file, *_):
    file.write(b"half a picture")
    file.flush()
    os.write(1, b"writing\\n")  # atomic, whatever the other thread does
    time.sleep(600)

def restored(file, **_):
    return types.SimpleNamespace(image=file.pixels)

restoration.files.file_restoring = types.SimpleNamespace(restore=restored)  # the real one loads JAX
writing._encode = encode
restore.Restorers = lambda *_, **__: lambda number: None
restore._digest_of_weights = lambda _: ""
sys.exit(main.main(sys.argv[1:]))
"""


@pytest.fixture
def waiting(photos, tmp_path):
    """Starts a run, waits until it is writing `jobs` files, and returns its process."""

    def waiting(jobs, *before):
        arguments = ["restore", photos, "-o", tmp_path / "out", "--grid=none", f"--jobs={jobs}"]
        process = subprocess.Popen(
            [*before, sys.executable, "-c", WAITING, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for line in process.stdout:
            jobs -= line.strip().endswith(b"writing")  # on terminals, it follows the status line
            if not jobs:
                break
        return process

    return waiting


def unfinished(folder):
    return [name for name in tree(folder) if name.endswith(".part")]


@pytest.mark.usefixtures("default_sighup")
@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_signals_stop_a_run_without_partial_files(waiting, tmp_path, jobs, number, code):
    process, out = waiting(jobs), tmp_path / "out"
    assert len(unfinished(out)) == jobs
    process.send_signal(number)
    _, err = process.communicate(timeout=40)
    assert process.returncode == code, err
    assert f"stopped by {number.name}; no partial file".encode() in err
    assert tree(out) == ["agarnet-report.jsonl"]
    assert b"Traceback" not in err


@pytest.mark.usefixtures("default_sighup")
@pytest.mark.parametrize("jobs", [1, 2])
def test_a_closed_terminal_leaves_no_partial_file(waiting, tmp_path, jobs):
    """Its message cannot be printed either."""
    terminal = "import pty, sys; pty.spawn(sys.argv[1:])"
    process, out = waiting(jobs, sys.executable, "-c", terminal), tmp_path / "out"
    assert len(unfinished(out)) == jobs
    process.kill()
    process.communicate()
    for _ in range(400):
        if not unfinished(out):
            break
        time.sleep(0.1)
    assert tree(out) == ["agarnet-report.jsonl"]


def test_signals_ignored_by_nohup_stay_ignored(waiting, tmp_path):
    process = waiting(1, "sh", "-c", 'trap "" HUP; exec "$@"', "sh")
    process.send_signal(signal.SIGHUP)
    time.sleep(1)
    assert process.poll() is None
    process.terminate()
    process.communicate(timeout=40)
    assert process.returncode == 143
    assert unfinished(tmp_path / "out") == []


@pytest.mark.usefixtures("default_sighup")
def test_a_second_signal_does_not_interrupt_the_cleanup(agarnet, fake, photos, monkeypatch):
    class Closed:
        def restore(self, *_args, **_kwargs):
            try:
                signal.raise_signal(signal.SIGHUP)
            finally:
                signal.raise_signal(signal.SIGHUP)
                cleaned_up.append(True)

    cleaned_up = []
    monkeypatch.setattr(fake, "restorer", Closed())
    code, _, err = agarnet("restore", photos / "a.jpg")
    assert (code, cleaned_up) == (129, [True])
    assert "stopped by SIGHUP" in err[-1]


def test_a_pipe_is_refused_without_blocking(agarnet, fake, photos, tmp_path):
    os.mkfifo(photos / "pipe.jpg")
    code, printed, err = agarnet("restore", photos, "-o", tmp_path / "out", "--grid=none")
    assert code == 1
    assert printed[-1].startswith("2 restored, 1 failed")
    assert err == [f"agarnet: '{photos}/pipe.jpg' is a device or pipe; give an image file."]


def test_maps_and_comparisons_are_not_used_as_inputs(agarnet, fake, photos):
    pictures = ("--map", photos / "maps", "--compare", photos / "both")
    arguments = ("restore", photos, "-o", photos / "out", "--recursive", "--grid=none", *pictures)
    for more in ((), ("--resume",)):
        printed = agarnet(*arguments, *more)[1]
    assert printed[-1].startswith("4 skipped, 1 failed")
    assert tree(photos / "maps") == ["a.png", "a_png.png", "sub/a.png", "sub/b.png"]


def test_output_folders_are_compared_by_identity(refused, fake, photos, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "alias").symlink_to(tmp_path / "out")
    line = refused("restore", photos, "-o", tmp_path / "out", "--map", tmp_path / "alias")
    assert "alias/a.png' would be written twice" in line
    line = refused("restore", photos, "-o", tmp_path / "out", "--compare", photos)
    assert "photos' is the input; use another folder for --compare" in line


def test_files_that_differ_in_case_only_are_restored_in_place(agarnet, fake, photos, jpeg):
    (photos / "A.jpg").write_bytes(jpeg)
    if len(tree(photos)) < 6:
        pytest.skip("requires a case-sensitive file system")
    code, printed, _ = agarnet("restore", photos / "a.jpg", photos / "A.jpg", "--in-place")
    assert (code, printed[-1].split(" in ")[0]) == (0, "2 restored")


def test_a_map_does_not_replace_another_input(refused, fake, photos, tmp_path):
    (photos / "maps").mkdir()
    kept = photos / "maps" / "a.png"
    shutil.copy(photos / "a.png", kept)
    inputs = photos / "a.jpg", kept
    line = refused("restore", *inputs, "-o", tmp_path / "out", "--map", photos / "maps")
    assert "maps/a.png' would be written twice, or is an input" in line
    assert kept.read_bytes() == (photos / "a.png").read_bytes()


@pytest.mark.parametrize("flag", ["-o", "--map"])
def test_several_inputs_need_an_output_folder(refused, fake, photos, tmp_path, flag):
    line = refused("restore", photos / "a.jpg", photos / "a.png", flag, tmp_path / "x.png")
    assert "x.png' is named like an image file, but there may be several outputs" in line
    assert not (tmp_path / "x.png").exists()


def test_an_output_ending_in_a_slash_is_a_folder(agarnet, fake, photos, tmp_path):
    code, _, _ = agarnet(
        "restore", photos / "a.jpg", photos / "a.png", "-o", f"{tmp_path}/x.png/", "--grid=none"
    )
    assert code == 0
    assert tree(tmp_path / "x.png") == ["a.png", "a_png.png", "agarnet-report.jsonl"]


def test_missing_maps_are_written_on_resume(agarnet, fake, photos, tmp_path):
    arguments = ("restore", photos, "-o", tmp_path / "out", "--grid=none", "--resume")
    agarnet(*arguments)
    maps = ("--map", tmp_path / "maps")
    assert agarnet(*arguments, *maps)[1][-1].startswith("2 restored in ")
    (tmp_path / "maps" / "a.png").unlink()
    assert agarnet(*arguments, *maps)[1][-1].startswith("1 restored, 1 skipped in ")
    assert tree(tmp_path / "maps") == ["a.png", "a_png.png"]
