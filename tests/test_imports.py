"""Layering of imports, read from the source; a base install needs no training dependencies."""

import ast
import pathlib
import subprocess
import sys

import pytest

PACKAGES = ("agarnet_jax", "data_pipelines", "experiments")
# Modules of agarnet_jax at the bottom, which import only each other.
LOWER = ("models", "dct", "dct_basis", "jpeg_tables", "color", "configs", "image_arrays")
# Subpackages of agarnet_jax that never import each other.
SIBLINGS = ("training", "restoration", "export", "convert")
# Modules of agarnet_jax that data_pipelines imports; none of them may load JAX.
ALLOWED_FROM_DATA = {
    "agarnet_jax.atomic_files",
    "agarnet_jax.color",
    "agarnet_jax.configs",
    "agarnet_jax.file_lock",
    "agarnet_jax.jpeg_tables",
    "agarnet_jax.remote_paths",
    "agarnet_jax.user_cache",
}
NOT_IN_LIBRARY = {"data_pipelines", "experiments", "absl", "ml_collections", "grain"}
TRAINING_ONLY = ("optax", "orbax", "grain", "ml_collections", "tensorboardX", "tqdm")


def imported_modules(path: pathlib.Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"relative import in {path}"
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def modules(repository, package):
    for path in sorted((repository / package).rglob("*.py")):
        yield path.relative_to(repository).with_suffix("").parts, imported_modules(path)


def test_the_library_imports_neither_pipelines_nor_experiments(repository):
    for parts, names in modules(repository, "agarnet_jax"):
        roots = {name.split(".")[0] for name in names}
        assert not roots & NOT_IN_LIBRARY, f"{parts} imports {roots & NOT_IN_LIBRARY}"


def test_pipelines_import_only_allowed_modules_and_never_jax(repository):
    seen = set()
    for parts, names in modules(repository, "data_pipelines"):
        roots = {name.split(".")[0] for name in names}
        assert not roots & {"jax", "flax", "optax", "experiments"}, parts
        ours = {name for name in names if name.startswith("agarnet_jax.")}
        modules_used = {".".join(name.split(".")[:2]) for name in ours}
        assert modules_used <= ALLOWED_FROM_DATA, f"{parts} imports {modules_used}"
        seen |= modules_used
    assert seen == ALLOWED_FROM_DATA


def assert_not_loaded(unwanted, *modules):
    """None of the unwanted modules are loaded in a process that imports the others."""
    code = f"import sys, {', '.join(modules)}; print([m for m in {unwanted!r} if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout.strip() == "[]", result.stdout + result.stderr


@pytest.mark.parametrize("module", sorted(ALLOWED_FROM_DATA))
def test_modules_that_pipelines_import_load_no_jax(module):
    assert_not_loaded(["jax"], module)


def test_library_modules_import_only_lower_layers(repository):
    for parts, names in modules(repository, "agarnet_jax"):
        group = parts[1]
        used = {name.split(".")[1] for name in names if name.startswith("agarnet_jax.")}
        if group in SIBLINGS:
            assert not used & set(SIBLINGS) - {group}, f"{parts} imports {used}"
        elif group in ("losses", "metrics", "checkpoint", "weights"):
            assert not used & set(SIBLINGS), f"{parts} imports {used}"
        elif group in LOWER:
            assert used <= set(LOWER), f"{parts} imports {used}"


def test_the_restorer_does_not_import_file_handling(repository):
    for parts, names in modules(repository, "agarnet_jax/restoration"):
        if parts[2] != "files":
            assert not [name for name in names if "restoration.files" in name], parts


def test_modules_labelled_as_numpy_only_load_no_jax(repository):
    labelled = [
        ".".join(path.relative_to(repository).with_suffix("").parts)
        for path in sorted((repository / "agarnet_jax").rglob("*.py"))
        if "(NumPy" in (ast.get_docstring(ast.parse(path.read_text())) or "")
    ]
    assert "agarnet_jax.restoration.traces.grid" in labelled
    assert_not_loaded(["jax"], *labelled)


@pytest.mark.parametrize("module", ["agarnet_jax.restoration.restorer", "agarnet_jax.convert"])
def test_base_modules_load_no_training_dependencies(module):
    assert_not_loaded(TRAINING_ONLY, module)


def test_reading_and_degrading_load_without_jax():
    """Grain itself loads JAX; these modules do not."""
    modules = ("data_pipelines.config", "data_pipelines.sources.opening", "data_pipelines.planes")
    assert_not_loaded(["jax"], *modules)


def test_the_command_starts_and_reads_files_without_jax():
    assert_not_loaded(["jax"], "agarnet_jax.restoration.files.running", "agarnet_jax.cli.main")


def test_lazily_loaded_names_are_listed_by_dir():
    from agarnet_jax import restoration

    assert set(restoration.__all__) <= set(dir(restoration))
    for name in restoration.__all__:
        assert getattr(restoration, name).__name__ == name
