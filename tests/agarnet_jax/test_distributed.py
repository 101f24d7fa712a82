"""What processes compare, two of them played by threads; `tests/experiments` has real processes."""

import threading

import jax
import numpy as np
import pytest
from jax.experimental import multihost_utils

from agarnet_jax import distributed

HERE = {"config.train.steps": "9", "the images": "3 images\nabc"}


@pytest.fixture
def said(monkeypatch):
    """(texts of process 1) → what `check_identical` raises in each, where process 0 has HERE."""

    def said(texts):
        meeting, given, lines = threading.Barrier(2, timeout=10), {}, {}

        def allgather(array):
            given[threading.current_thread().name] = array
            meeting.wait()
            both = np.stack([given["0"], given["1"]])  # raises for arrays of other lengths
            meeting.wait()
            return both

        def check(texts):
            try:
                distributed.check_identical(texts)
            except ValueError as error:
                lines[threading.current_thread().name] = str(error)

        monkeypatch.setattr(multihost_utils, "process_allgather", allgather)
        monkeypatch.setattr(jax, "process_count", lambda: 2)
        monkeypatch.setattr(distributed, "_wait_for_all", meeting.wait)
        threads = [
            threading.Thread(target=check, args=(each,), name=f"{number}")
            for number, each in enumerate((HERE, texts))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return [lines.get("0", ""), lines.get("1", "")]

    return said


def test_the_first_text_that_differs_is_named_to_all(said):
    assert said(dict(HERE)) == ["", ""]
    lines = said({**HERE, "the images": "2 images\nabd"})
    assert [line.split(";")[0] for line in lines] == [
        f"Process 1 differs from process 0 in the images (here: {here})"
        for here in ("3 images", "2 images")
    ]


def test_settings_of_other_names_are_told_without_comparing_them(said):
    """As of another task: there are more or fewer of them."""
    lines = said({"config.model.features": "4", **HERE})
    assert len(set(lines)) == 1
    assert lines[0].startswith("Process 1 has settings of other names than process 0")
