"""Speed of exported files in their runtimes, relative to JAX, on the whole blind function.

    python -m benchmarks.export [--weights=tiny --sizes=256x256,512x512 --batch=1 --rounds=7]

All runtimes take turns in this process, each with its default number of threads; JAX uses one
device. `JAX` is the network as `Restorer` computes it on this machine, `StableHLO` the exported
one. Runtimes that are not installed have no row. CPU time covers all threads. Ratios are of wall
times within one round; the difference is the largest absolute one of restored pixels in [0, 1].
"""

import functools
import importlib.util
import pathlib
import sys
import tempfile
import zipfile
from collections.abc import Callable

import jax
import numpy as np
from absl import flags

from agarnet_jax import weights
from agarnet_jax.export import formats
from agarnet_jax.models import AGARNet, QualityEstimator
from benchmarks.timing import compare, milliseconds, print_table, spread
from experiments import program

_WEIGHTS = flags.DEFINE_string("weights", "tiny", "Shipped weights by name, or a weights file.")
_SIZES = flags.DEFINE_list("sizes", ["256x256", "512x512"], "Image sizes, as HEIGHTxWIDTH.")
_BATCH = flags.DEFINE_integer("batch", 1, "Images per call.")
_ROUNDS = flags.DEFINE_integer("rounds", 7, "Timing rounds.")

Restore = Callable[[np.ndarray], np.ndarray]  # (B, H, W, 1) float32 → restored, in memory


def jax_itself(trained: weights.Weights) -> Restore:
    """Compiles both networks with this backend's own formulations, unlike exported files."""
    estimator, restorer = (
        QualityEstimator(trained.estimator_config),
        AGARNet(trained.restorer_config),
    )

    @jax.jit
    def blind(params, image):
        quality = estimator.apply({"params": params[0]}, image).quality.clip(1, 100)
        quality = quality.reshape(-1, 1, 1, 1)
        return restorer.apply({"params": params[1]}, image, quality=quality).restored.clip(0, 1)

    params = jax.device_put((trained.estimator_params, trained.restorer_params))
    return lambda image: np.asarray(blind(params, image))


def stablehlo(path: pathlib.Path) -> Restore:
    with zipfile.ZipFile(path) as archive:
        function = jax.export.deserialize(bytearray(archive.read("function.bin")))
    call = jax.jit(function.call)
    return lambda image: np.asarray(call(image)["restored"])


def onnx_runtime(path: pathlib.Path) -> Restore:
    import onnxruntime

    session = onnxruntime.InferenceSession(path)
    return lambda image: session.run(["restored"], {"image": image})[0]


def open_vino(path: pathlib.Path) -> Restore:
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]  # it goes online
    import openvino

    compiled = openvino.compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return lambda image: compiled({"image": image})["restored"]


def tensorflow(path: pathlib.Path) -> Restore:
    import tensorflow as tf

    loaded = tf.saved_model.load(f"{path}")  # must outlive its signature

    def restore(image: np.ndarray) -> np.ndarray:
        return loaded.signatures["serving_default"](image=tf.constant(image))["restored"].numpy()

    return restore


def litert(path: pathlib.Path) -> Restore:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(f"{path}", num_threads=2)
    runner = interpreter.get_signature_runner()
    return lambda image: runner(image=image)["restored"]


# Row: format, required package, loader.
RUNTIMES: dict[str, tuple[str, str, Callable[[pathlib.Path], Restore]]] = {
    "StableHLO, JAX": ("stablehlo", "flatbuffers", stablehlo),
    "ONNX Runtime": ("onnx", "onnxruntime", onnx_runtime),
    "OpenVINO": ("onnx", "openvino", open_vino),
    "SavedModel, TensorFlow": ("saved_model", "tensorflow", tensorflow),
    "LiteRT": ("litert", "ai_edge_litert", litert),
}


def runtimes(
    trained: weights.Weights, folder: pathlib.Path, size: tuple[int, int]
) -> dict[str, Restore]:
    """Exports the weights and loads the files in every runtime that is installed."""
    found = {"JAX": jax_itself(trained)}
    for name, (file_format, package, load) in RUNTIMES.items():
        if importlib.util.find_spec(package) is None:
            continue
        fixed = size if file_format == "litert" else None
        path = folder / f"{file_format}{fixed or ''}"
        try:
            if not path.exists():
                formats.save(trained, path, file_format=file_format, size=fixed)
        except ValueError as error:
            print(f"{name}: {error}")
            continue
        found[name] = load(path)
    return found


def measure(trained: weights.Weights, folder: pathlib.Path, size: tuple[int, int]) -> None:
    """Prints the table of one size."""
    # Uniform blocks of random gray, so that there are blocking artifacts to remove.
    gray = np.random.default_rng(0).random(
        (_BATCH.value, size[0] // 8, size[1] // 8, 1), np.float32
    )
    image = gray.repeat(8, axis=1).repeat(8, axis=2)
    found = runtimes(trained, folder, size)
    cases = {name: functools.partial(run, image) for name, run in found.items()}
    timings = compare(cases, rounds=_ROUNDS.value)
    expected, pixels = found["JAX"](image), image.size / 1e6
    rows = []
    for name, timing in timings.items():
        wall = milliseconds(timing.wall)
        rows.append(
            (
                name,
                spread(wall, 0),
                spread(milliseconds(timing.cpu), 0),
                f"{pixels / np.median(timing.wall):.3f}",
                spread(timing.ratio(timings["JAX"])),
                f"{np.abs(found[name](image) - expected).max():.1e}",
            )
        )
    header = ("runtime", "ms", "CPU ms", "Mpx/s", "time / JAX", "difference")
    print_table(f"{_WEIGHTS.value}, {_BATCH.value} × {size[0]}×{size[1]}", header, rows)


def main() -> None:
    trained = weights.load(_WEIGHTS.value)
    with tempfile.TemporaryDirectory() as folder:
        for text in _SIZES.value:
            height, width = map(int, text.split("x"))
            measure(trained, pathlib.Path(folder), (height, width))


if __name__ == "__main__":
    program.start(main)
