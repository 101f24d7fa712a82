import json
import os

import numpy as np
import pytest

from experiments.evaluating import cache
from experiments.evaluating.cache import Cache, digest
from experiments.evaluating.scoring import Scores

SCORES = Scores(psnr=1 / 3, psnr_b=float("inf"), frequency_error=tuple(np.arange(64) / 7))
KEY = {"clean": "abc", "course": "Jpeg(10)", "rounding": "round"}


def test_what_was_put_comes_back_in_full(tmp_path):
    kept = Cache(tmp_path / "cache")
    assert kept.get(KEY) is None
    kept.put(KEY, SCORES)
    assert Cache(tmp_path / "cache").get(KEY) == SCORES
    for name in KEY:
        assert kept.get(KEY | {name: "other"}) is None


@pytest.mark.parametrize("text", ["", '{"scores": {"psnr": 1', '{"scores": {"other": 1}}', "[]"])
def test_a_damaged_entry_counts_as_none(tmp_path, text):
    kept = Cache(tmp_path)
    kept.put(KEY, SCORES)
    (entry,) = tmp_path.rglob("*.json")
    entry.write_text(text)
    assert kept.get(KEY) is None
    kept.put(KEY, SCORES)
    assert kept.get(KEY) == SCORES


def test_an_entry_appears_whole_or_not_at_all(tmp_path, monkeypatch):
    kept = Cache(tmp_path)

    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        kept.put(KEY, SCORES)
    assert kept.get(KEY) is None
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


@pytest.mark.parametrize("other", ["code", "libraries", "devices"])
def test_what_something_else_computed_counts_as_none(tmp_path, monkeypatch, other):
    kept = Cache(tmp_path)
    kept.put(KEY, SCORES)
    if other == "code":
        monkeypatch.setattr(cache, "_COMPUTED_BY", (cache.agarnet_jax,))
    elif other == "libraries":
        monkeypatch.setattr(cache.environment.PIL.features, "version", lambda _: "9.9")
    else:
        monkeypatch.setattr(cache.environment, "devices", lambda: "8 × TPU v5e (tpu)")
    cache._computed_by.cache_clear()
    assert kept.get(KEY) is None
    monkeypatch.undo()
    cache._computed_by.cache_clear()
    assert kept.get(KEY) == SCORES


def test_entries_say_what_they_are_of(tmp_path):
    Cache(tmp_path).put(KEY, SCORES)
    (entry,) = tmp_path.rglob("*.json")
    assert json.loads(entry.read_text())["key"] == KEY


def test_without_a_folder_nothing_is_kept():
    kept = Cache(None)
    kept.put(KEY, SCORES)
    assert kept.get(KEY) is None


def test_parts_do_not_run_into_each_other():
    assert digest(b"ab", b"c") != digest(b"a", b"bc")
