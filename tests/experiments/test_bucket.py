"""A run whose data and working folder are in a bucket: the same as one on local disks."""

import contextlib
import http
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from unittest import mock

import pytest

pytest.importorskip("gcsfs")

from gcp_storage_emulator import server
from gcp_storage_emulator.exceptions import NotFound
from gcp_storage_emulator.handlers import objects

TRAINING = (
    "--config.train.batch_size=2",
    "--config.train.steps=6",
    "--config.train.eval_every=2",
    "--config.data.eval_qualities=(20,)",
)
COPY = """
import pathlib, sys
from etils import epath
for file in pathlib.Path(sys.argv[1]).rglob("*.png"):
    target = epath.Path(sys.argv[2]) / file.relative_to(sys.argv[1]).as_posix()
    target.write_bytes(file.read_bytes())
"""
# What is left of a save that was cut off: Orbax's mark of its end is missing.
UNFINISHED = """
import sys
from etils import epath
from agarnet_jax.checkpoint import has_checkpoint
(epath.Path(sys.argv[1]) / "1/state/_METADATA").write_text("{}")
print(has_checkpoint(sys.argv[1]))
"""
DAMAGE = """
import sys
from etils import epath
(epath.Path(sys.argv[1]) / "checkpoints/4/state/manifest.ocdbt").write_bytes(b"cut")
"""
READ = "import sys; from etils import epath; sys.stdout.write(epath.Path(sys.argv[1]).read_text())"
FOLDERS = {"train": "train", "eval": "valid"}


@contextlib.contextmanager
def serve(name: str) -> Iterator[dict[str, str]]:
    """Serves an empty bucket in memory; yields the environment that leads clients to it."""
    with _routes(), server.create_server("127.0.0.1", 0, in_memory=True, default_bucket=name) as it:
        host, port = it._api._httpd.server_address
        url = f"http://{host}:{port}"
        # Of gcsfs, and of TensorStore, which writes Orbax's arrays.
        yield os.environ | {"STORAGE_EMULATOR_HOST": url, "TENSORSTORE_GCS_HTTP_URL": url}


def _routes() -> contextlib.AbstractContextManager:
    """The emulator's, with what it leaves out and TensorStore relies on: generations of objects,
    in answers and as preconditions."""
    lock = threading.Lock()

    def conditional(handler):
        def handle(request, response, storage, *args, **kwargs):
            with lock:
                name = request.params.get("object_id") or request.query.get("name", [""])[0]
                now = _generation(storage, request.params["bucket_name"], name)
                query = {key: values[0] for key, values in request.query.items()}
                if query.get("ifGenerationNotMatch") == now:
                    response.status = http.HTTPStatus.NOT_MODIFIED
                elif query.get("ifGenerationMatch", now) != now:
                    response.status = http.HTTPStatus.PRECONDITION_FAILED
                else:
                    handler(request, response, storage, *args, **kwargs)
                    response["x-goog-generation"] = now

        return handle

    changed = {h: conditional(h) for h in (objects.get, objects.insert, objects.delete)}
    routes = tuple(
        (path, {method: changed.get(handler, handler) for method, handler in handlers.items()})
        for path, handlers in server.HANDLERS
    )
    return mock.patch.object(server, "HANDLERS", routes)


def _generation(storage, bucket: str, name: str) -> str:
    try:
        return storage.get_file_obj(bucket, name)["generation"]
    except NotFound:
        return "0"


def losses(text):
    rows = map(json.loads, text.splitlines())
    return {row["step"]: row["train/loss"] for row in rows if "train/loss" in row}


@pytest.mark.slow
def test_a_run_in_a_bucket_continues_there(small_estimator, picture_folders, repository, tmp_path):
    with serve("bucket") as environment:
        environment |= {"AGARNET_DATA_CACHE": os.fspath(tmp_path / "copies")}

        def run(*arguments):
            result = subprocess.run(
                [sys.executable, *map(str, arguments)],
                cwd=repository,
                env=environment,
                capture_output=True,
                text=True,
            )
            assert result.returncode == 0, result.stderr
            return result

        def train(data, workdir, *flags):
            places = (f"--config.data.{use}_dir={data}/{name}" for use, name in FOLDERS.items())
            settings = *small_estimator, *TRAINING, *places, f"--workdir={workdir}"
            return run("-m", "experiments.train", *settings, *flags)

        run("-c", COPY, picture_folders, "gs://bucket/pictures")
        assert run("-c", UNFINISHED, "gs://bucket/run/checkpoints").stdout == "False\n"
        train("gs://bucket/pictures", "gs://bucket/run", "--stop_at=4")
        run("-c", DAMAGE, "gs://bucket/run")
        continued = train("gs://bucket/pictures", "gs://bucket/run")
        assert "checkpoints/4 cannot be read and is skipped" in continued.stderr
        assert "Starting at step 2" in continued.stdout
        train(picture_folders, tmp_path / "run")
        logs = run("-c", READ, "gs://bucket/run/metrics.jsonl").stdout
    assert losses(logs) == losses((tmp_path / "run" / "metrics.jsonl").read_text())
    assert sorted(losses(logs)) == [1, 2, 3, 4, 5, 6]


def test_a_store_that_nothing_reads_is_named(program):
    result = program(
        "experiments.train",
        "--config=experiments/configs/smoke.py",
        "--workdir=nowhere://bucket/run",
        fails=True,
    )
    (line,) = result.stderr.strip().splitlines()
    assert "nowhere://bucket/run" in line
