"""Where a run writes its logs, also when its working folder is a bucket."""

import logging
import pathlib
import tempfile
import time

from etils import epath

from agarnet_jax.remote_paths import is_remote

_log = logging.getLogger(__name__)
_SECONDS = 60.0  # between copies


class LogFolder:
    """A folder for logs: `path` is the working folder itself, or stands in for it.

    Objects in a bucket cannot grow, so logs of a run whose working folder is a URL are written to a
    temporary folder, from where `publish` copies them, whole. Files named in `continued` are
    fetched first, since a run that continues appends to them.
    """

    def __init__(self, workdir: str, *, continued: tuple[str, ...] = ()):
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        if not is_remote(workdir):
            self.path = pathlib.Path(workdir)
            return
        self._target = epath.Path(workdir)
        self._temporary = tempfile.TemporaryDirectory(prefix="agarnet-logs-")
        self.path = pathlib.Path(self._temporary.name)
        for name in continued:
            if (self._target / name).exists():
                (self.path / name).write_bytes((self._target / name).read_bytes())
        self._copied = {file: _state(file) for file in self.path.iterdir()}
        self._last = time.monotonic()

    @property
    def due(self) -> bool:
        """Whether it is time to publish: once a minute, and never if there is nothing to copy."""
        return self._temporary is not None and time.monotonic() - self._last > _SECONDS

    def publish(self) -> None:
        """Copies the files that changed."""
        self._last = time.monotonic()
        for file in sorted(file for file in self.path.rglob("*") if file.is_file()):
            state = _state(file)
            if self._copied.get(file) != state and self._copy(file):
                self._copied[file] = state

    def _copy(self, file: pathlib.Path) -> bool:
        target = self._target / file.relative_to(self.path).as_posix()
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(file.read_bytes())
            return True
        except Exception as error:  # a run must not end for its logs; the next time may do
            _log.warning("%s could not be written: %s", target, error)
            return False

    def close(self) -> None:
        """Publishes what is left; the files must be closed."""
        if self._temporary is not None:
            self.publish()
            self._temporary.cleanup()


def _state(file: pathlib.Path) -> tuple[int, int]:
    """Returns what tells that a file has changed: its size and the time of its last change."""
    status = file.stat()
    return status.st_size, status.st_mtime_ns
