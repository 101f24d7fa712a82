"""Maps the released TensorFlow 1 variables to parameters of our modules (`AGARNET.md` §7).

A pure mapping of NumPy arrays: {variable name: array} → nested dict of parameters. Names are those
of the checkpoints, without ":0". The graph's constant DCT matrices are accepted and ignored.
"""

import collections
import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import flax.traverse_util
import jax
import jax.numpy as jnp
import numpy as np

from agarnet_jax.models import AGARNet, AGARNetConfig, EstimatorConfig, QualityEstimator
from agarnet_jax.weights import Weights

RESTORER_SCOPES = (
    "Reconstruction",
    "Generating_CNN",
    "Generating_DCT",
    "Generating_DCT_QPT",
    "dct_input",
)
ESTIMATOR_SCOPES = ("Estimation_block2",)

_RESTORER_CONSTANTS = ("dct_input/weight", "Reconstruction/DCT_Domain2/idct/weight")
# Prefixes of layers with f features.
_WIDTH_F_PREFIXES = ("pixel_branch/encoder1", "pixel_branch/decoder1_gated", "pixel_gates/head1")


# Pairs of a path in our parameters and a variable's name in the release.
_Names = Iterator[tuple[str, str]]


def released_weights(
    *,
    restorer: Mapping[str, np.ndarray] | None,
    estimator: Mapping[str, np.ndarray] | None,
    problems: Sequence[str] = (),
) -> Weights:
    """Converts both networks, with the released conventions for quantization tables.

    The restorer gets the arrays' width f and otherwise the paper's sizes. The estimator's cells
    keep their positions; set `CellPlacement.RELEASED` to stretch them as the released graph does.

    Args:
      restorer: variables of the restorer's checkpoint; None if it was not found.
      estimator: variables of the estimator's checkpoint; None if it was not found.
      problems: problems found before, such as why a checkpoint was not found.

    Raises:
      ValueError: variables are missing, unknown or of a wrong shape, or there are `problems`; the
        message lists all of them.
    """
    converted: dict[str, Any] = {}
    all_problems = list(problems)
    for name, arrays, convert in (
        ("restorer", restorer, _convert_restorer),
        ("estimator", estimator, _convert_estimator),
    ):
        if arrays is not None:
            converted[f"{name}_config"], converted[f"{name}_params"], found = convert(arrays)
            all_problems += found
    if all_problems:
        count = "1 problem" if len(all_problems) == 1 else f"{len(all_problems)} problems"
        raise ValueError(
            f"This is not the released network, {count}:\n  " + "\n  ".join(all_problems)
        )
    return Weights(**converted)


def _convert_restorer(
    arrays: Mapping[str, np.ndarray],
) -> tuple[AGARNetConfig, dict[str, Any], list[str]]:
    """Returns the configuration, the parameters, and the problems with the arrays."""
    names = dict(_restorer_layers())
    names["blend"] = "Reconstruction/Pixel_Domain/concat_images/concat_image_weight/kernel"
    config = AGARNetConfig(pixel_features=_infer_width(arrays, names))
    image = jax.ShapeDtypeStruct((1, 8, 8, 1), jnp.float32)
    expected = jax.eval_shape(
        lambda rng, x: AGARNet(config).init(rng, x, quality=50.0), jax.random.key(0), image
    )
    params, problems = _convert(arrays, names, expected["params"], ignored=_RESTORER_CONSTANTS)
    return config, params, problems


def _convert_estimator(
    arrays: Mapping[str, np.ndarray],
) -> tuple[EstimatorConfig, dict[str, Any], list[str]]:
    config = EstimatorConfig()
    image = jax.ShapeDtypeStruct((1, 64, 64, 1), jnp.float32)
    expected = jax.eval_shape(QualityEstimator(config).init, jax.random.key(0), image)
    names = dict(_estimator_layers())
    params, problems = _convert(arrays, names, expected["params"], ignored=())
    return config, params, problems


def _infer_width(arrays: Mapping[str, np.ndarray], names: Mapping[str, str]) -> int:
    """Returns f, the most frequent width of layers with f features, or the paper's f if unknown."""
    widths = [
        np.size(arrays[name])
        for path, name in names.items()
        if path.startswith(_WIDTH_F_PREFIXES) and path.endswith("/bias") and name in arrays
    ]
    return statistics.mode(widths) if widths else AGARNetConfig().pixel_features


def _estimator_layers() -> _Names:
    scope = "Estimation_block2"
    for i in range(8):
        yield from _layer(f"stage{i // 2}_conv{i % 2 + 1}", f"{scope}/conv{i + 1}")
    yield from _layer("out", f"{scope}/conv_last")


def _restorer_layers() -> _Names:
    yield from _layer("pixel_gates/stem", "Generating_CNN/dense1")
    yield from _layer("pixel_gates/head4", "Generating_CNN/dense2")
    yield from _layer("pixel_gates/head2", "Generating_CNN/dense3")
    yield from _layer("pixel_gates/head1", "Generating_CNN/dense4")
    yield from _layer("dct_quality_gate/stem", "Generating_DCT/dense5")
    yield from _layer("dct_quality_gate/head", "Generating_DCT/dense6")
    yield from _layer("dct_table_gate/stem", "Generating_DCT_QPT/dense1")
    yield from _layer("dct_table_gate/head", "Generating_DCT_QPT/dense2")
    yield from _dct_layers("Reconstruction/DCT_Domain2")
    yield from _pixel_layers("Reconstruction/Pixel_Domain")


def _dct_layers(scope: str) -> _Names:
    yield from _layer("dct_branch/head", f"{scope}/block1/conv1")
    yield from _layer("dct_branch/entry", f"{scope}/block2/conv1")
    for i in range(AGARNetConfig().dct_blocks):
        ours, theirs = f"dct_branch/block{i}", f"{scope}/block{i + 3}/resblock3D_generating4"
        yield from _layer(f"{ours}/conv1", f"{theirs}/conv1")
        yield from _layer(f"{ours}/conv2", f"{theirs}/conv2")
        yield from _layer(f"{ours}/quality", f"{theirs}/Gating_Generating/qp_gated_conv1")
        yield from _layer(f"{ours}/table", f"{theirs}/Gating_Generating/qp_table_gated_conv1")
        yield from _layer(f"{ours}/joint", f"{theirs}/Gating_Generating/overall_qp_conv1")
    yield from _layer("dct_branch/exit1x1", f"{scope}/conv_1x1last_")
    yield from _layer("dct_branch/exit", f"{scope}/conv_last")
    yield from _layer("dct_branch/tail", f"{scope}/conv_dct_last")


def _pixel_layers(scope: str) -> _Names:
    size = AGARNetConfig()
    for level, count in ((1, size.encoder1_blocks), (2, size.encoder2_blocks)):
        theirs = f"{scope}/Encoder_{level}x{level}"
        yield from _layer(f"pixel_branch/encoder{level}_in", f"{theirs}/conv1")
        yield from _residual_layers(f"pixel_branch/encoder{level}", theirs, range(count))
    theirs = f"{scope}/Encoder_4x4"
    yield from _layer("pixel_branch/encoder4_in", f"{theirs}/conv1")
    yield from _residual_layers("pixel_branch/encoder4", theirs, range(size.encoder4_blocks))
    yield from _slim_layer("pixel_branch/encoder4_out", f"{theirs}/Conv")
    for level, plain, gated in (
        (2, size.decoder2_blocks, size.decoder2_gated_blocks),
        (1, size.decoder1_blocks, size.decoder1_gated_blocks),
    ):
        ours, theirs = f"pixel_branch/decoder{level}", f"{scope}/Decoder_{level}x{level}"
        yield from _layer(f"{ours}_in", f"{theirs}/conv_pre1")
        yield from _residual_layers(ours, theirs, range(plain))
        yield from _layer(f"{ours}_merge", f"{theirs}/conv_pre2")
        yield from _residual_layers(f"{ours}_gated", theirs, range(plain, plain + gated))
    yield from _layer("pixel_branch/out", f"{scope}/Decoder_1x1/conv_last")


def _residual_layers(ours: str, theirs: str, indices: range) -> _Names:
    """Yields the layers of residual blocks; `indices` are those of the release, ours start at 0."""
    for i, index in enumerate(indices):
        yield from _slim_layer(f"{ours}_block{i}/conv1", f"{theirs}/block{index}/Conv")
        yield from _slim_layer(f"{ours}_block{i}/conv2", f"{theirs}/block{index}/Conv_1")


def _layer(path: str, scope: str) -> _Names:
    for name in ("kernel", "bias"):
        yield f"{path}/{name}", f"{scope}/{name}"


def _slim_layer(path: str, scope: str) -> _Names:
    """Yields the names of a layer that the release built with TF-Slim, which has other names."""
    yield f"{path}/kernel", f"{scope}/weights"
    yield f"{path}/bias", f"{scope}/biases"


def _convert(
    arrays: Mapping[str, np.ndarray],
    names: Mapping[str, str],
    expected: Mapping[str, Any],
    *,
    ignored: Iterable[str],
) -> tuple[dict[str, Any], list[str]]:
    """Returns the parameters of the arrays that fit, and the problems with the others."""
    shapes = {
        path: leaf.shape
        for path, leaf in flax.traverse_util.flatten_dict(expected, sep="/").items()
    }
    unknown = sorted(set(arrays) - set(names.values()) - set(ignored))
    problems = _list_missing(arrays, names.values()) + [f"unknown: {name}" for name in unknown]
    params = {}
    for path, name in names.items():
        if name not in arrays:
            continue
        array = np.asarray(arrays[name], np.float32)
        if not _shapes_match(array.shape, shapes[path]):
            problems.append(f"shape: {name} is {array.shape}, expected {shapes[path]}")
            continue
        params[path] = array.reshape(shapes[path])
    return flax.traverse_util.unflatten_dict(params, sep="/"), problems


def _list_missing(arrays: Iterable[str], names: Iterable[str]) -> list[str]:
    """Lists missing scopes (before the first "/"), and missing variables of the other scopes."""
    scopes_found = {name.split("/")[0] for name in arrays}
    missing = sorted(set(names) - set(arrays))
    missing_scopes = collections.Counter(
        scope for name in missing if (scope := name.split("/")[0]) not in scopes_found
    )
    return [
        *(f"missing: scope {scope} ({count} variables)" for scope, count in missing_scopes.items()),
        *(f"missing: {name}" for name in missing if name.split("/")[0] not in missing_scopes),
    ]


def _shapes_match(released: tuple[int, ...], ours: tuple[int, ...]) -> bool:
    """Compares shapes; our affine layers are convolutions in the release, with axes of length 1."""
    if ours == (2,):  # the blend
        return released in {(2,), (1, 1, 2, 1)}
    spatial_axes = len(released) - len(ours)
    return released == (1,) * spatial_axes + ours
