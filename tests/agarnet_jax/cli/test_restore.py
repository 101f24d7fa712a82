"""`agarnet restore` with one file, mostly with a fake restorer."""

import gc
import io
import os
import pathlib
import signal
import subprocess
import sys
import time
import types
import weakref

import numpy as np
import pytest
from PIL import Image

from agarnet_jax import weights
from agarnet_jax.cli import main, restore
from agarnet_jax.export.safetensors import save
from agarnet_jax.restoration.files.options import GridChoice
from agarnet_jax.restoration.request import QualitySource


@pytest.fixture
def photo(tmp_path, jpeg):
    path = tmp_path / "photo.jpg"
    path.write_bytes(jpeg)
    return path


def names(folder):
    return sorted(os.listdir(folder))


def test_an_unknown_flag_is_reported_with_the_flags_of_the_command(capsys):
    with pytest.raises(SystemExit) as exit:
        main.main(["restore", "photo.jpg", "--qualty=40"])
    assert exit.value.code == 2
    error = capsys.readouterr().err
    assert "agarnet restore: error: unrecognized arguments: --qualty=40" in error
    assert "[--quality QUALITY]" in error


@pytest.mark.parametrize("suffix", ["png", "webp", "tiff", "bmp", "jpg"])
def test_every_format_is_written(agarnet, fake, photo, tmp_path, suffix):
    code, (line,), err = agarnet("restore", photo, "-o", tmp_path / f"out.{suffix}")
    assert (code, err) == (0, [])
    assert line == f"{tmp_path}/out.{suffix}: restored, assuming JPEG quality 42"
    with Image.open(tmp_path / f"out.{suffix}") as image:
        assert image.size == (64, 48)
        assert image.mode == "RGB"
    assert names(tmp_path) == [f"out.{suffix}", "photo.jpg"]


def test_the_real_restorer_reduces_the_error(agarnet, tmp_path, gray_photo, encode):
    path = tmp_path / "gray.jpg"
    path.write_bytes(encode(gray_photo[:64, :64], 25))
    code, (line,), _ = agarnet("restore", path, "-o", tmp_path / "a.png", "--quality=header")
    assert code == 0
    assert line.endswith("a.png: restored, assuming JPEG quality 25")
    with Image.open(path) as before, Image.open(tmp_path / "a.png") as after:
        clean = gray_photo[:64, :64].astype(float)
        errors = [np.square(np.asarray(image) - clean).mean() for image in (before, after)]
    assert errors[1] < 0.9 * errors[0]


@pytest.fixture
def on_terminal(monkeypatch):
    """Runs the command; returns the successive texts of its status line on standard error."""

    def on_terminal(*arguments):
        terminal = io.StringIO()
        terminal.isatty = lambda: True
        with monkeypatch.context() as patched:
            patched.setenv("COLUMNS", "80")
            patched.setattr(sys, "stderr", terminal)
            main.main([str(argument) for argument in arguments])
        return terminal.getvalue().split("\r\x1b[K")

    return on_terminal


def test_a_terminal_shows_the_current_step(on_terminal, fake, photo):
    shown = on_terminal("restore", photo)
    assert shown == ["", "reading photo.jpg …", "restoring photo.jpg (64×48) …", ""]


def test_errors_replace_the_status_line(on_terminal, fake, photo):
    photo.write_bytes(b"x")
    shown = on_terminal("restore", photo)
    assert shown[-1] == f"agarnet: '{photo}' is not an image that Pillow can read.\n"


def test_the_default_output_is_next_to_the_input(agarnet, fake, photo, jpeg):
    assert agarnet("restore", photo)[0] == 0
    assert names(photo.parent) == ["photo.jpg", "photo_restored.png"]
    assert photo.read_bytes() == jpeg
    assert agarnet("restore", photo, "--format", "webp")[0] == 0
    assert "photo_restored.webp" in names(photo.parent)


@pytest.mark.parametrize("folder", ["new", "new/", "2026.11.29/", "new.png/"])
def test_the_output_can_be_a_folder(agarnet, fake, photo, tmp_path, folder):
    assert agarnet("restore", photo, "-o", f"{tmp_path}/{folder}")[0] == 0
    assert names(tmp_path / folder) == ["agarnet-report.jsonl", "photo.png"]


def test_arguments_are_passed_as_options(fake, photo, tmp_path, monkeypatch, agarnet):
    seen = []
    run = restore.Run
    monkeypatch.setattr(
        restore, "Run", lambda options, *rest: seen.append(options) or run(options, *rest)
    )
    agarnet(
        "restore", photo, "-o", tmp_path / "a.png", "--quality=map", "--strength=0.5",
        "--luma-only", "--grid=find", "--consistent", "--ensemble=8", "--bits=16", "--strict",
        "--max-pixels=5000",
    )  # fmt: skip
    (options,) = seen
    assert options.quality is QualitySource.MAP
    assert options.grid is GridChoice.FIND
    assert (options.strength, options.chroma, options.consistent) == (0.5, False, True)
    assert (options.ensemble, options.bits) == (8, 16)
    assert (options.strict, options.max_pixels, options.in_place) == (True, 5000, False)


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("--quality=0", "'0'"),
        ("--quality=101", "'101'"),
        ("--quality=high", "'high'"),
        ("--quality=nan", "'nan'"),
        ("--strength=2", "--strength is 2.0; use a number from 0"),
        ("--ensemble=3", "--ensemble is 3"),
        ("--bits=10", "--bits is 10"),
        ("--max-pixels=0", "--max-pixels is 0"),
        ("--jobs=0", "--jobs is 0"),
        ("--resume", "--resume needs the report"),
        ("--format=jpeg", "has the suffix of a png file"),
        ("--in-place", "--in-place keeps name and format"),
        ("--weights=huge", "'huge'"),
        ("--output=", "'' is not a path; give a file or a folder"),
        ("--output=-", "'-' is not a path; give a file or a folder"),
    ],
)
def test_invalid_arguments_are_refused(refused, photo, tmp_path, argument, message):
    assert message in refused("restore", photo, "-o", tmp_path / "x.png", argument)
    assert names(tmp_path) == ["photo.jpg"]


def test_unusable_inputs_are_refused(refused, fake, tmp_path, jpeg):
    text = tmp_path / "text.jpg"
    text.write_text("not an image")
    empty = tmp_path / "empty.jpg"
    empty.touch()
    before = names(tmp_path)
    assert "not an image" in refused("restore", text)
    assert "is empty" in refused("restore", empty)
    assert "does not exist" in refused("restore", tmp_path / "none.jpg")
    assert "too long" in refused("restore", tmp_path / ("x" * 300 + ".jpg"))
    assert "is a folder" in refused("restore", tmp_path)
    assert "is the input" in refused("restore", tmp_path, "-o", tmp_path)
    assert names(tmp_path) == before
    assert fake.requested_by == []  # JAX was not loaded


def test_a_truncated_file_is_restored_with_a_warning(agarnet, refused, fake, tmp_path, jpeg):
    cut = tmp_path / "cut.jpg"
    cut.write_bytes(jpeg[:-150])
    assert "omit --strict" in refused("restore", cut, "--strict")
    code, _, (line,) = agarnet("restore", cut)
    assert code == 0
    assert line.startswith(f"agarnet: '{cut}': it is truncated: rows ")
    assert (tmp_path / "cut_restored.png").exists()


def test_unusable_outputs_are_refused(refused, fake, photo, tmp_path, jpeg):
    assert "no suffix of a supported image" in refused("restore", photo, "-o", tmp_path / "x.gif")
    assert "is the input" in refused("restore", photo, "-o", photo)
    assert "cannot be created: " in refused("restore", photo, "-o", photo / "no/x.png")
    assert "written twice" in refused(
        "restore", photo, "-o", tmp_path / "x.png", "--compare", tmp_path / "x.png"
    )
    assert "no suffix of a supported image" in refused(
        "restore", photo, "--map", tmp_path / "map.txt"
    )
    assert photo.read_bytes() == jpeg
    assert names(tmp_path) == ["photo.jpg"]


def test_in_place_keeps_the_original(agarnet, fake, photo, jpeg):
    code, _, (note,) = agarnet("restore", photo, "--in-place")
    assert code == 0
    assert "photo.jpg.orig'" in note
    assert names(photo.parent) == ["photo.jpg", "photo.jpg.orig"]
    assert (photo.parent / "photo.jpg.orig").read_bytes() == jpeg


def test_file_names_of_any_bytes_and_length_are_supported(agarnet, refused, fake, tmp_path, jpeg):
    name = pathlib.Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9 \n.jpg"))
    name.write_bytes(jpeg)
    code, out, _ = agarnet("restore", name)
    assert code == 0
    assert "caf\\xe9 \\n_restored.png: restored" in out[0]
    assert b"caf\xe9 \n_restored.png" in os.listdir(os.fsencode(tmp_path))
    name.write_bytes(b"x")
    assert "caf\\xe9 \\n.jpg' is not an image" in refused("restore", name)
    long = tmp_path / ("x" * 251 + ".jpg")
    long.write_bytes(jpeg)
    assert agarnet("restore", long)[0] == 0
    assert "x" * 242 + "_restored.png" in os.listdir(tmp_path)


@pytest.mark.parametrize("size", [(1, 1), (1, 5000)])
def test_images_of_extreme_sizes_are_restored(agarnet, tmp_path, size):
    path = tmp_path / "a.jpg"
    Image.new("RGB", size, "teal").save(path)
    assert agarnet("restore", path, "-o", tmp_path / "b.png")[0] == 0
    with Image.open(tmp_path / "b.png") as image:
        assert image.size == size


def test_ctrl_c_leaves_no_output(agarnet, fake, photo, monkeypatch):
    class Interrupted:
        def restore(self, *_args, **_kwargs):
            raise KeyboardInterrupt

    monkeypatch.setattr(fake, "restorer", Interrupted())
    code, out, err = agarnet("restore", photo)
    assert (code, out) == (130, [])
    assert "stopped by SIGINT" in err[-1]
    assert names(photo.parent) == ["photo.jpg"]


@pytest.fixture(params=["SIGTERM", "SIGINT"])
def stopping(request):
    """A signal that stops the command; no longer ignored, as it is in background shells."""
    number = signal.Signals[request.param]
    earlier = signal.signal(number, signal.default_int_handler)
    yield number
    signal.signal(number, earlier)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("of_collector", [True, False])
def test_a_signal_in_a_callback_is_not_lost(
    agarnet, fake, photo, monkeypatch, stopping, of_collector
):
    """Python prints and drops exceptions raised in callbacks."""

    class Collected:
        def restore(self, *_args, **_kwargs):
            def arrives(*_):
                if arrives in gc.callbacks:
                    gc.callbacks.remove(arrives)
                signal.raise_signal(stopping)

            if of_collector:
                gc.callbacks.append(arrives)
                gc.collect()
            else:
                garbage = Collected()
                reference = weakref.ref(garbage, arrives)
                del garbage
                assert reference() is None
            time.sleep(9)

    monkeypatch.setattr(main, "_RESEND_AFTER", 0.1)
    monkeypatch.setattr(fake, "restorer", Collected())
    code, _, err = agarnet("restore", photo)
    assert code == 128 + stopping
    assert f"stopped by {stopping.name}" in err[-1]
    assert names(photo.parent) == ["photo.jpg"]


def test_a_repeated_signal_does_not_interrupt_the_cleanup(
    agarnet, fake, photo, monkeypatch, stopping
):
    class Impatient:
        def restore(self, *_args, **_kwargs):
            try:
                signal.raise_signal(stopping)
            finally:
                signal.raise_signal(stopping)
                (photo.parent / "cleaned_up").touch()

    monkeypatch.setattr(fake, "restorer", Impatient())
    code, _, err = agarnet("restore", photo)
    assert (code, len(err)) == (128 + stopping, 2)
    assert names(photo.parent) == ["cleaned_up", "photo.jpg"]


def test_standard_output_may_be_closed(photo):
    command = [sys.executable, "-m", "agarnet_jax.cli", "inspect", f"{photo}"]
    closed = subprocess.run(
        ["sh", "-c", 'exec "$@" >&-', "sh", *command], stderr=subprocess.PIPE, text=True
    )
    assert (closed.returncode, closed.stderr) == (0, "")


def test_a_weights_file_of_one_network_is_refused(refused, photo, tmp_path):
    path = tmp_path / "part.safetensors"
    save(weights.load("tiny"), path, part="restorer")
    line = refused("restore", photo, "-o", tmp_path / "x.png", "--weights", path)
    assert "part.safetensors' does not hold AGARNet weights: it has no estimator" in line


def test_corrupt_weights_are_refused(refused, photo, tmp_path):
    path = tmp_path / "mine.safetensors"
    weights.save(weights.load("tiny"), path)
    contents = bytearray(path.read_bytes())
    contents[-5] ^= 1
    path.write_bytes(contents)
    line = refused("restore", photo, "-o", tmp_path / "x.png", "--weights", path)
    assert "mine.safetensors' is damaged" in line
    assert "copy it again" in line


def test_the_package_runs_as_a_program(tmp_path):
    result = subprocess.run(
        [sys.executable, "-m", "agarnet_jax.cli", "restore", tmp_path / "none.jpg"],
        capture_output=True,
        text=True,
    )
    assert result.returncode == 2
    assert result.stderr.count("\n") == 1


STOPPED_TWICE = """
import atexit, signal, sys, threading, time
from agarnet_jax.cli import main
from agarnet_jax.restoration.files import running
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in background shells
atexit.register(signal.raise_signal, signal.SIGINT)

def stopped(argv):
    if "working" in sys.argv:
        name = running.THREAD_PREFIX
        threading.Thread(target=time.sleep, args=(60,), daemon=True, name=name).start()
    print("so far")
    signal.raise_signal(signal.SIGINT)

main._parse = stopped
main.program()
"""


@pytest.mark.parametrize("workers", ["idle", "working"])
def test_a_second_ctrl_c_does_not_interrupt_the_exit(workers, monkeypatch):
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    command = [sys.executable, "-c", STOPPED_TWICE, workers]
    result = subprocess.run(command, capture_output=True, text=True)
    assert (result.returncode, result.stdout) == (130, "so far\n")
    assert result.stderr == "\nagarnet: stopped by SIGINT; no partial file is left.\n"


def test_a_closed_pipe_prints_no_error(fake, photo, monkeypatch, capfd):
    def closed(*_args, **_kwargs):
        raise BrokenPipeError

    monkeypatch.setattr(restore, "_print_single", closed)
    monkeypatch.setattr(os, "dup2", lambda *_: None)
    assert main.main(["restore", f"{photo}"]) == 141
    assert capfd.readouterr().err == ""


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="requires /dev/full")
@pytest.mark.parametrize("arguments", [["inspect", "photo.jpg"], ["--help"]])
def test_a_full_disk_for_standard_output_is_reported(photo, monkeypatch, arguments):
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)  # argparse ignores write errors
    monkeypatch.chdir(photo.parent)
    command = [sys.executable, "-m", "agarnet_jax.cli", *arguments]
    with open("/dev/full", "w") as full:
        result = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
    assert result.returncode == 2
    assert result.stderr == "agarnet: standard output cannot be written: No space left on device.\n"


@pytest.mark.parametrize("name", ["photo.jpg", "out.png", "notes.txt"])
def test_a_report_does_not_replace_another_file(refused, fake, photo, tmp_path, jpeg, name):
    (tmp_path / "notes.txt").write_text("mine")
    arguments = ("restore", photo, "-o", tmp_path / "out.png", "--report", tmp_path / name)
    assert name in refused(*arguments)
    assert photo.read_bytes() == jpeg
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_a_missing_input_creates_no_folder(refused, fake, tmp_path):
    output = tmp_path / "a" / "x.png"
    assert "does not exist" in refused("restore", tmp_path / "no.jpg", "-o", output)
    assert not output.parent.exists()


def test_an_acknowledged_signal_is_not_sent_again(monkeypatch):
    monkeypatch.setattr(main, "_RESEND_AFTER", 0.05)
    with main._stopping([signal.SIGUSR1]) as acknowledge:
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGUSR1)
        acknowledge()
        time.sleep(0.2)  # another signal would interrupt the cleanup here


def test_signals_are_sent_again_on_windows_where_os_kill_ends_processes(monkeypatch):
    monkeypatch.setattr(main, "_RESEND_AFTER", 0.05)
    monkeypatch.setattr(main, "os", types.SimpleNamespace(name="nt"))
    with main._stopping([signal.SIGUSR1]):
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGUSR1)
        with pytest.raises(KeyboardInterrupt):
            any(map(time.sleep, 100 * [0.05]))  # a signal raised in a thread wakes no other
