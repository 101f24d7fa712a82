import pathlib
import re

import pytest

from agarnet_jax.user_cache import cache_folder


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path):
    monkeypatch.setattr(pathlib.Path, "home", lambda: tmp_path)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("AGARNET_TEST_CACHE", raising=False)


def test_the_folder_is_in_the_users_cache_unless_another_is_named(monkeypatch, tmp_path):
    assert (
        cache_folder("AGARNET_TEST_CACHE", "name") == tmp_path / ".cache" / "agarnet-jax" / "name"
    )
    monkeypatch.setenv("XDG_CACHE_HOME", "/cache")
    monkeypatch.setenv("AGARNET_TEST_CACHE", "")
    assert cache_folder("AGARNET_TEST_CACHE", "name") == pathlib.Path("/cache/agarnet-jax/name")
    monkeypatch.setenv("AGARNET_TEST_CACHE", "elsewhere")
    assert cache_folder("AGARNET_TEST_CACHE", "name") == pathlib.Path("elsewhere")


def test_there_is_no_folder_if_disabled_or_without_a_home(monkeypatch):
    def home():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(pathlib.Path, "home", home)
    assert cache_folder("AGARNET_TEST_CACHE", "name") is None
    monkeypatch.setenv("XDG_CACHE_HOME", "/cache")
    assert cache_folder("AGARNET_TEST_CACHE", "name") == pathlib.Path("/cache/agarnet-jax/name")
    monkeypatch.setenv("AGARNET_TEST_CACHE", "off")
    assert cache_folder("AGARNET_TEST_CACHE", "name") is None


def test_all_environment_variables_are_documented(repository):
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
