import json
import os

import numpy as np
import pytest

from experiments.evaluating import cache
from experiments.evaluating.cache import Cache, digest
from experiments.evaluating.scoring import Scores

SCORES = Scores(psnr=1 / 3, psnr_b=float("inf"), frequency_error=tuple(np.arange(64) / 7))
KEY = {"clean": "abc", "degradation": "Jpeg(10)", "rounding": "round"}


def test_cached_scores_are_read_back_exactly(tmp_path):
    stored = Cache(tmp_path / "cache")
    assert stored.get(KEY) is None
    stored.put(KEY, SCORES)
    assert Cache(tmp_path / "cache").get(KEY) == SCORES
    for name in KEY:
        assert stored.get(KEY | {name: "other"}) is None


@pytest.mark.parametrize("text", ["", '{"scores": {"psnr": 1', '{"scores": {"other": 1}}', "[]"])
def test_a_damaged_entry_is_ignored_and_replaced(tmp_path, text):
    stored = Cache(tmp_path)
    stored.put(KEY, SCORES)
    (entry,) = tmp_path.rglob("*.json")
    entry.write_text(text)
    assert stored.get(KEY) is None
    stored.put(KEY, SCORES)
    assert stored.get(KEY) == SCORES


def test_entries_are_written_atomically(tmp_path, monkeypatch):
    stored = Cache(tmp_path)

    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        stored.put(KEY, SCORES)
    assert stored.get(KEY) is None
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


@pytest.mark.parametrize("other", ["code", "libraries", "devices"])
def test_scores_of_other_code_libraries_or_devices_are_ignored(tmp_path, monkeypatch, other):
    stored = Cache(tmp_path)
    stored.put(KEY, SCORES)
    if other == "code":
        monkeypatch.setattr(cache, "_PACKAGES", (cache.agarnet_jax,))
    elif other == "libraries":
        monkeypatch.setattr(cache.environment.PIL.features, "version", lambda _: "9.9")
    else:
        monkeypatch.setattr(cache.environment, "devices", lambda: "8 × TPU v5e (tpu)")
    cache._environment_digest.cache_clear()
    assert stored.get(KEY) is None
    monkeypatch.undo()
    cache._environment_digest.cache_clear()
    assert stored.get(KEY) == SCORES


def test_entries_contain_their_key(tmp_path):
    Cache(tmp_path).put(KEY, SCORES)
    (entry,) = tmp_path.rglob("*.json")
    assert json.loads(entry.read_text())["key"] == KEY


def test_without_a_folder_nothing_is_cached():
    stored = Cache(None)
    stored.put(KEY, SCORES)
    assert stored.get(KEY) is None


def test_digest_depends_on_the_boundaries_of_parts():
    assert digest(b"ab", b"c") != digest(b"a", b"bc")
