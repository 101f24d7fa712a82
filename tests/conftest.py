"""Shared fixtures. JAX gets two CPU devices, so that all training tests run on a real mesh."""

import fcntl
import hashlib
import importlib.util
import io
import os
import pathlib
import shutil
import signal
import subprocess
import sys

import jax
import numpy as np
import pytest
import skimage.data
from PIL import Image

from agarnet_jax.convert import released
from agarnet_jax.models import AGARNet, AGARNetConfig

jax.config.update("jax_num_cpu_devices", 2)
jax.config.update("jax_numpy_rank_promotion", "raise")


def pytest_configure(config: pytest.Config) -> None:
    """Caches compiled programs for all tests, workers and runs of a checkout."""
    jax.config.update("jax_compilation_cache_dir", str(config.cache.mkdir("jax")))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    # Less optimization, also in the programs that tests start: they compile more than they run.
    fast = "--xla_backend_optimization_level=0 --xla_cpu_use_fusion_emitters=false"
    os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {fast}"
    # The programs that tests start use this cache instead of the user's.
    os.environ["AGARNET_COMPILATION_CACHE"] = str(config.cache.mkdir("programs"))
    # Disables OpenVINO's telemetry, which would send a report on import from a forked process.
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]


_LONGEST = (
    "test_readme.py",
    "test_checkpoint.py",  # builds the environment of TensorFlow, for which others would wait
    "test_web_demo.py",
    "test_benchmarks.py",
    "test_distributed.py",
    "test_sweep.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Runs the longest slow files first, so that both workers end at about the same time."""
    order = {name: position for position, name in enumerate(_LONGEST)}
    items.sort(key=lambda item: order.get(item.path.name, len(order)))


GOLDEN = pathlib.Path(__file__).parent / "golden"
REPOSITORY = pathlib.Path(__file__).parent.parent


@pytest.fixture
def default_sighup():
    """Restores the default action of SIGHUP, which is ignored when tests run under nohup."""
    previous = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, previous)


@pytest.fixture(scope="session")
def repository() -> pathlib.Path:
    return REPOSITORY


@pytest.fixture(scope="session")
def golden():
    """Returns a function from the name of a golden case to {tensor name: array}."""
    return lambda name: dict(np.load(GOLDEN / f"{name}.npz"))


@pytest.fixture(scope="session")
def released_shapes() -> dict[str, tuple[int, ...]]:
    """{name: shape} of the trainable variables of the release at f = 32."""
    lines = (GOLDEN / "released_variables.tsv").read_text().splitlines()[1:]
    rows = [line.split("\t") for line in lines]
    return {
        name: tuple(int(side) for side in shape.split("x"))
        for name, shape, kind in rows
        if kind == "trainable"
    }


@pytest.fixture(scope="session")
def recipe_weight():
    """Returns a function (variable name, shape) → the array used for the golden vectors."""
    spec = importlib.util.spec_from_file_location("weights_recipe", GOLDEN / "weights_recipe.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.weights_for


@pytest.fixture(scope="session")
def astronaut() -> np.ndarray:
    """A photograph, (512, 512, 3) uint8."""
    return skimage.data.astronaut()


@pytest.fixture(scope="session")
def gray_photo(astronaut) -> np.ndarray:
    """A gray crop of `astronaut`, (128, 160) uint8."""
    return np.asarray(Image.fromarray(astronaut[:128, 120:280]).convert("L"))


@pytest.fixture(scope="session")
def picture_folders(tmp_path_factory) -> pathlib.Path:
    """A folder with subfolders `train` and `valid` of 160×160 images."""
    root = tmp_path_factory.mktemp("pictures")
    for part, names in (("train", ("chelsea", "coffee", "camera")), ("valid", ("astronaut",))):
        (root / part).mkdir()
        for name in names:
            image = Image.fromarray(getattr(skimage.data, name)())
            image.crop((100, 60, 260, 220)).save(root / part / f"{name}.png")
    return root


@pytest.fixture(scope="session")
def encoded():
    """Encodes (array or picture, format, options), returns the bytes of a file."""

    def encoded(image, format, **options):
        buffer = io.BytesIO()
        picture = Image.fromarray(image) if isinstance(image, np.ndarray) else image
        picture.save(buffer, format, **options)
        return buffer.getvalue()

    return encoded


@pytest.fixture(scope="session")
def encode(encoded):
    """Returns a function (array, quality, **options) → the bytes of a JPEG file."""
    return lambda image, quality, **options: encoded(image, "JPEG", quality=quality, **options)


@pytest.fixture(scope="session")
def released_arrays(released_shapes, recipe_weight):
    """Returns a function (f, scopes) → {name: array}, the golden recipe's variables at width f."""

    def arrays(features: int, scopes: tuple[str, ...]):
        def scaled_shape(name, shape):
            is_pixel = "Pixel_Domain" in name or name.startswith("Generating_CNN/dense")
            if not is_pixel or "dense1" in name:
                return shape
            # Feature axes are multiples of 32 at f = 32; the gates' hidden width is 64 throughout.
            sides = [s * features // 32 if s % 32 == 0 else s for s in shape]
            if name.startswith("Generating_CNN") and len(shape) == 4:
                sides[2] = shape[2]
            return tuple(sides)

        return {
            name: recipe_weight(name, scaled_shape(name, shape))
            for name, shape in released_shapes.items()
            if name.startswith(scopes)
        }

    return arrays


@pytest.fixture(scope="session")
def random_params():
    """Returns a function (model, image, seed) → non-zero NumPy parameters; compiles nothing."""

    def random_params(model, image, seed):
        init = lambda key: model.init(key, image, quality=50.0)  # noqa: E731
        shapes = jax.eval_shape(init, jax.random.key(0))["params"]
        rng = np.random.default_rng(seed)

        def normal(leaf):
            scale = np.prod(leaf.shape[:-1]) ** -0.5 if leaf.ndim > 1 else 0.1
            return jax.numpy.asarray(rng.normal(0, scale, leaf.shape), np.float32)

        return jax.tree.map(normal, shapes)

    return random_params


@pytest.fixture(scope="session")
def golden_restorer_arrays(released_arrays):
    return released_arrays(8, ("Reconstruction", "Generating"))


@pytest.fixture(scope="session")
def golden_release(golden_restorer_arrays, released_arrays):
    return released.released_weights(
        restorer=golden_restorer_arrays, estimator=released_arrays(8, ("Estimation",))
    )


@pytest.fixture(scope="session")
def golden_params(golden_release):
    return golden_release.restorer_params


@pytest.fixture(scope="session")
def golden_estimator_params(golden_release):
    return golden_release.estimator_params


@pytest.fixture(scope="session")
def golden_apply(golden_params):
    """Returns a compiled function: AGARNet at f = 8 with the golden weights."""
    model = AGARNet(AGARNetConfig(pixel_features=8))

    @jax.jit
    def apply(image, quality, tables=None):
        return model.apply({"params": golden_params}, image, quality=quality, tables=tables)

    return apply


@pytest.fixture(scope="session")
def find_program():
    """Returns a function from a program's name to its path.

    If there is none, it skips the test, or fails it if `CI=true`.
    """

    def find_program(name: str) -> str:
        path = shutil.which(name)
        if path is None:
            give_up = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
            give_up(f"there is no {name}: apt-get install {name}")
        return path

    return find_program


@pytest.fixture(scope="module")
def browser(find_program):
    """Debian's Chromium."""
    chromium = find_program("chromium")
    from playwright.sync_api import sync_playwright

    sandbox = os.geteuid() != 0  # Chromium's does not work for root, who runs CI
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, chromium_sandbox=sandbox)
        yield browser
        browser.close()


# Writes each PATH.npz as a checkpoint PATH-100 in TensorFlow 1's format.
_WRITE_CHECKPOINTS = """
import os, sys
import numpy as np
import tensorflow.compat.v1 as tf
for path in sys.argv[1:]:
    with tf.Graph().as_default(), tf.Session() as session, np.load(path + ".npz") as arrays:
        named = {name: tf.Variable(arrays[name]) for name in arrays}
        session.run(tf.global_variables_initializer())
        tf.train.Saver(named).save(session, path, global_step=100, write_meta_graph=False)
    os.remove(path + ".npz")
"""


@pytest.fixture(scope="session")
def write_releases(tensorflow_python):
    """Returns a function that writes {folder: (restorer's, estimator's variables)} as releases."""

    def write_releases(releases) -> None:
        paths = []
        for folder, networks in releases.items():
            locations = ("reconstruction", "AGARNet"), ("regression", "Estimation")
            for (subfolder, stem), arrays in zip(locations, networks):
                (folder / subfolder).mkdir(parents=True)
                np.savez(folder / subfolder / f"{stem}.npz", **arrays)
                paths.append(folder / subfolder / stem)
        command = [tensorflow_python, "-c", _WRITE_CHECKPOINTS, *paths]
        result = subprocess.run(command, capture_output=True, text=True)
        assert result.returncode == 0, result.stderr

    return write_releases


@pytest.fixture(scope="session")
def tensorflow_python() -> pathlib.Path:
    """The interpreter of an environment with this checkout, TensorFlow and LiteRT.

    It is built when needed and separate from that of the tests, since it takes 2 GB.
    """
    return _build_environment(
        "tf", "-e", f"{REPOSITORY}[convert,export-tf]", "ai-edge-litert==2.3.0"
    )


def _build_environment(name: str, *requirements: str) -> pathlib.Path:
    """Builds `.venv-NAME` if needed, one test worker at a time; returns its interpreter."""
    folder = REPOSITORY / f".venv-{name}"
    inputs = [(REPOSITORY / file).read_bytes() for file in ("pyproject.toml", "constraints.txt")]
    version = hashlib.sha256(repr((requirements, inputs)).encode()).hexdigest()
    folder.mkdir(exist_ok=True)
    python, stamp = folder / "bin" / "python", folder / "installed"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not stamp.exists() or stamp.read_text() != version:
            if not python.exists():
                subprocess.run([sys.executable, "-m", "venv", folder], check=True)
            install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            constraints = ["-c", REPOSITORY / "constraints.txt"]
            subprocess.run([*install, *constraints, *requirements], check=True)
            stamp.write_text(version)
    return python
