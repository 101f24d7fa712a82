"""Comparisons between two processes, simulated by threads; `tests/experiments` has real ones."""

import threading

import jax
import numpy as np
import pytest
from jax.experimental import multihost_utils

from agarnet_jax import distributed

LOCAL = {"config.train.steps": "9", "the images": "3 images\nabc"}


@pytest.fixture
def errors(monkeypatch):
    """(texts of process 1) → errors of `check_identical` in both; process 0 has LOCAL."""

    def errors(texts):
        barrier, arrays, messages = threading.Barrier(2, timeout=10), {}, {}

        def allgather(array):
            arrays[threading.current_thread().name] = array
            barrier.wait()
            both = np.stack([arrays["0"], arrays["1"]])  # raises if lengths differ
            barrier.wait()
            return both

        def check(texts):
            try:
                distributed.check_identical(texts)
            except ValueError as error:
                messages[threading.current_thread().name] = str(error)

        monkeypatch.setattr(multihost_utils, "process_allgather", allgather)
        monkeypatch.setattr(jax, "process_count", lambda: 2)
        monkeypatch.setattr(distributed, "_barrier", barrier.wait)
        threads = [
            threading.Thread(target=check, args=(texts_of_process,), name=f"{index}")
            for index, texts_of_process in enumerate((LOCAL, texts))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return [messages.get("0", ""), messages.get("1", "")]

    return errors


def test_all_processes_name_the_first_text_that_differs(errors):
    assert errors(dict(LOCAL)) == ["", ""]
    messages = errors({**LOCAL, "the images": "2 images\nabd"})
    assert [message.split(";")[0] for message in messages] == [
        f"Process 1 differs from process 0 in the images (here: {here})"
        for here in ("3 images", "2 images")
    ]


def test_different_sets_of_settings_are_reported_without_comparing_values(errors):
    """For instance of another task, which has more or fewer settings."""
    messages = errors({"config.model.features": "4", **LOCAL})
    assert len(set(messages)) == 1
    assert messages[0].startswith("Process 1 has a different set of settings than process 0")
