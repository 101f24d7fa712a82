import pathlib
import re

import pytest

from agarnet_jax.user_cache import cache_folder


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path):
    monkeypatch.setattr(pathlib.Path, "home", lambda: tmp_path)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("OURS", raising=False)


def test_the_folder_is_below_the_users_cache_unless_another_is_named(monkeypatch, tmp_path):
    assert cache_folder("OURS", "name") == tmp_path / ".cache" / "agarnet-jax" / "name"
    monkeypatch.setenv("XDG_CACHE_HOME", "/cache")
    monkeypatch.setenv("OURS", "")
    assert cache_folder("OURS", "name") == pathlib.Path("/cache/agarnet-jax/name")
    monkeypatch.setenv("OURS", "elsewhere")
    assert cache_folder("OURS", "name") == pathlib.Path("elsewhere")


def test_there_is_none_where_it_is_off_or_no_home_is_known(monkeypatch):
    def home():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(pathlib.Path, "home", home)
    assert cache_folder("OURS", "name") is None
    monkeypatch.setenv("XDG_CACHE_HOME", "/cache")
    assert cache_folder("OURS", "name") == pathlib.Path("/cache/agarnet-jax/name")
    monkeypatch.setenv("OURS", "off")
    assert cache_folder("OURS", "name") is None


def test_our_variables_are_documented(repository):
    page = (repository / "docs" / "restoration.md").read_text()
    section = page.split("\n## Environment variables")[1].split("\n## ")[0]
    sources = (
        path.read_text()
        for folder in ("agarnet_jax", "benchmarks", "data_pipelines", "experiments")
        for path in (repository / folder).rglob("*.py")
    )
    read = {name for source in sources for name in re.findall(r'"(AGARNET_[A-Z_]+)"', source)}
    assert len(read) >= 4
    assert read == set(re.findall(r"^\| `(AGARNET_\w+)`", section, re.MULTILINE))
