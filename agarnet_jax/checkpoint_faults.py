"""Checkpoints that cannot be read: found, skipped alike by all processes, moved out of the way."""

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

_SET_ASIDE = "unreadable"  # what the name of a checkpoint that cannot be read ends with
_log = logging.getLogger(__name__)


@contextlib.contextmanager
def without_stragglers() -> Iterator[None]:
    """Silences the reads that Orbax leaves behind where it fails to read a checkpoint.

    Each of them fails later, where nobody can catch it, with pages on stderr.
    """
    hook, sys.unraisablehook = sys.unraisablehook, lambda _: None
    loops = logging.getLogger("asyncio")
    disabled, loops.disabled = loops.disabled, True
    try:
        yield
    finally:
        gc.collect()
        sys.unraisablehook, loops.disabled = hook, disabled


def on_all_processes(here: bool) -> bool:
    """Tells whether something holds on all processes, which call this together."""
    if jax.process_count() == 1:
        return here
    return bool(np.all(multihost_utils.process_allgather(np.array(here))))


def set_aside_broken_scores(directory: epath.Path) -> None:
    """Renames checkpoints whose score is cut short; all processes call this together.

    Orbax reads the scores of all checkpoints at start, and would fail on such a one.
    """
    broken = []
    for path in directory.glob("*/metrics/metrics") if jax.process_index() == 0 else ():
        try:
            json.loads(path.read_text())
        except ValueError:
            checkpoint = path.parent.parent
            if checkpoint.name.isdigit():
                _log.warning("%s cannot be read and is skipped: its score is cut.", checkpoint)
                broken.append(checkpoint)
    set_aside(broken)


def set_aside(checkpoints: Sequence[epath.Path]) -> None:
    """Renames checkpoints, so that they count as none; all processes call this together."""
    if jax.process_index() == 0:
        for checkpoint in checkpoints:
            aside = checkpoint.parent / f"{checkpoint.name}.{_SET_ASIDE}"
            if aside.exists():
                aside.rmtree()
            _move(checkpoint, aside)
    if jax.process_count() > 1:
        multihost_utils.sync_global_devices("checkpoints set aside")


def has_set_aside(directory: epath.Path) -> bool:
    """Tells whether checkpoints were renamed, now or earlier."""
    return any(directory.glob(f"*.{_SET_ASIDE}"))


def _move(folder: epath.Path, target: epath.Path) -> None:
    if is_remote(folder):  # a bucket has no folders to rename
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
