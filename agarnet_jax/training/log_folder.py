"""The folder that a run writes its logs to, with support for a bucket as working folder."""

import logging
import pathlib
import tempfile
import time

from etils import epath

from agarnet_jax.remote_paths import is_remote

_log = logging.getLogger(__name__)
_UPLOAD_SECONDS = 60.0  # between uploads


class LogFolder:
    """A local folder for logs: `path` is the working folder, or a substitute if that is a URL.

    Objects in a bucket cannot be appended to, so such a run writes its logs to a temporary folder,
    and `upload` copies whole files from there. A resumed run appends to the files named in
    `appended`, so they are downloaded first.
    """

    def __init__(self, workdir: str, *, appended: tuple[str, ...] = ()):
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        if not is_remote(workdir):
            self.path = pathlib.Path(workdir)
            return
        self._target = epath.Path(workdir)
        self._temporary = tempfile.TemporaryDirectory(prefix="agarnet-logs-")
        self.path = pathlib.Path(self._temporary.name)
        for name in appended:
            if (self._target / name).exists():
                (self.path / name).write_bytes((self._target / name).read_bytes())
        self._uploaded = {file: _version(file) for file in self.path.iterdir()}
        self._last = time.monotonic()

    @property
    def due(self) -> bool:
        """Whether the last upload was over a minute ago; always False for a local folder."""
        return self._temporary is not None and time.monotonic() - self._last > _UPLOAD_SECONDS

    def upload(self) -> None:
        """Uploads the files that have changed."""
        self._last = time.monotonic()
        for file in sorted(file for file in self.path.rglob("*") if file.is_file()):
            version = _version(file)
            if self._uploaded.get(file) != version and self._upload_file(file):
                self._uploaded[file] = version

    def _upload_file(self, file: pathlib.Path) -> bool:
        target = self._target / file.relative_to(self.path).as_posix()
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(file.read_bytes())
            return True
        except Exception as error:  # logs must not end a run; the next upload tries again
            _log.warning("%s could not be written: %s", target, error)
            return False

    def close(self) -> None:
        """Uploads the remaining changes; all log files must be closed."""
        if self._temporary is not None:
            self.upload()
            self._temporary.cleanup()


def _version(file: pathlib.Path) -> tuple[int, int]:
    """Returns a file's size and modification time, which identify its contents."""
    status = file.stat()
    return status.st_size, status.st_mtime_ns
