"""Unreadable checkpoints: detected, skipped by all processes alike, and renamed."""

import contextlib
import gc
import json
import logging
import sys
from collections.abc import Iterator, Sequence

import jax
import numpy as np
from etils import epath
from jax.experimental import multihost_utils

from agarnet_jax.remote_paths import is_remote

_SUFFIX = ".unreadable"  # of the name of a checkpoint that was set aside
_log = logging.getLogger(__name__)


@contextlib.contextmanager
def silence_abandoned_reads() -> Iterator[None]:
    """Silences the reads that Orbax abandons when it fails to read a checkpoint.

    Each of them fails later, where no caller can catch it, and prints pages to stderr.
    """
    hook, sys.unraisablehook = sys.unraisablehook, lambda _: None
    asyncio_log = logging.getLogger("asyncio")
    disabled, asyncio_log.disabled = asyncio_log.disabled, True
    try:
        yield
    finally:
        gc.collect()
        sys.unraisablehook, asyncio_log.disabled = hook, disabled


def true_on_all_processes(value: bool) -> bool:
    """Returns whether `value` is true on all processes, which must call this together."""
    if jax.process_count() == 1:
        return value
    return bool(np.all(multihost_utils.process_allgather(np.array(value))))


def set_aside_broken_scores(directory: epath.Path) -> None:
    """Sets aside checkpoints whose score is truncated; all processes must call this together.

    Orbax reads the scores of all checkpoints at start and would fail on such a file.
    """
    broken = []
    for path in directory.glob("*/metrics/metrics") if jax.process_index() == 0 else ():
        try:
            json.loads(path.read_text())
        except ValueError:
            checkpoint = path.parent.parent
            if checkpoint.name.isdigit():
                _log.warning("%s cannot be read and is skipped: truncated score.", checkpoint)
                broken.append(checkpoint)
    set_aside(broken)


def set_aside(checkpoints: Sequence[epath.Path]) -> None:
    """Renames checkpoints, so that Orbax ignores them; all processes must call this together."""
    if jax.process_index() == 0:
        for checkpoint in checkpoints:
            target = checkpoint.parent / f"{checkpoint.name}{_SUFFIX}"
            if target.exists():
                target.rmtree()
            _move(checkpoint, target)
    if jax.process_count() > 1:
        multihost_utils.sync_global_devices("checkpoints set aside")


def any_set_aside(directory: epath.Path) -> bool:
    """Returns whether any checkpoint was set aside, now or earlier."""
    return any(directory.glob(f"*{_SUFFIX}"))


def _move(folder: epath.Path, target: epath.Path) -> None:
    if is_remote(folder):  # buckets have no folders that could be renamed
        _copy(folder, target)
        folder.rmtree()
    else:
        folder.rename(target)


def _copy(folder: epath.Path, target: epath.Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    for path in folder.iterdir():
        if path.is_dir():
            _copy(path, target / path.name)
        else:
            path.copy(target / path.name)
