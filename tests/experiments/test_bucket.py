"""A training with data and working folder in a bucket gives the same result as on local disks."""

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
# The remains of an interrupted save: Orbax's completion marker is missing.
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
    """Serves an empty in-memory bucket; yields environment variables that point clients to it."""
    with _routes(), server.create_server("127.0.0.1", 0, in_memory=True, default_bucket=name) as it:
        host, port = it._api._httpd.server_address
        url = f"http://{host}:{port}"
        # Read by gcsfs and by TensorStore, which writes Orbax's arrays.
        yield os.environ | {"STORAGE_EMULATOR_HOST": url, "TENSORSTORE_GCS_HTTP_URL": url}


def _routes() -> contextlib.AbstractContextManager:
    """Patches the emulator's routes to support object generations, in responses and as
    preconditions; TensorStore relies on them."""
    lock = threading.Lock()

    def conditional(handler):
        def handle(request, response, storage, *args, **kwargs):
            with lock:
                name = request.params.get("object_id") or request.query.get("name", [""])[0]
                current = _generation(storage, request.params["bucket_name"], name)
                query = {key: values[0] for key, values in request.query.items()}
                if query.get("ifGenerationNotMatch") == current:
                    response.status = http.HTTPStatus.NOT_MODIFIED
                elif query.get("ifGenerationMatch", current) != current:
                    response.status = http.HTTPStatus.PRECONDITION_FAILED
                else:
                    handler(request, response, storage, *args, **kwargs)
                    response["x-goog-generation"] = current

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
def test_a_training_in_a_bucket_resumes_there(
    small_estimator, picture_folders, repository, tmp_path
):
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
            folders = (f"--config.data.{use}_dir={data}/{name}" for use, name in FOLDERS.items())
            settings = *small_estimator, *TRAINING, *folders, f"--workdir={workdir}"
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


def test_an_unknown_url_scheme_is_named(program):
    result = program(
        "experiments.train",
        "--config=experiments/configs/smoke.py",
        "--workdir=nowhere://bucket/run",
        fails=True,
    )
    (line,) = result.stderr.strip().splitlines()
    assert "nowhere://bucket/run" in line
