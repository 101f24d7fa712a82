"""The released TensorFlow 1 variables as parameters of our modules (`AGARNET.md` §7).

A pure mapping, NumPy in and out: {variable name: array} → nested dict of parameters. Names are
those of the checkpoints, without ":0". The graph's constant DCT matrices are accepted and unused.
"""

import collections
import dataclasses
import statistics
from collections.abc import Iterable, Mapping, Sequence
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
# Layers of width f, whatever the others have.
_OF_WIDTH_F = ("pixel_branch/encoder1", "pixel_branch/decoder1_gated", "pixel_gates/head1")


@dataclasses.dataclass(frozen=True)
class _Layer:
    """A layer of ours and the two variables of the release that hold it."""

    path: str  # in our parameters
    kernel: str  # released names
    bias: str


def restorer_params(arrays: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Makes parameters of `AGARNet` at the release's block counts, of whatever width arrays have.

    Raises:
      ValueError: names are missing, unknown or hold arrays of a wrong shape; it lists them all.
    """
    return _whole(*_restorer(arrays))["params"]


def estimator_params(arrays: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Makes parameters of `QualityEstimator(EstimatorConfig())`.

    Raises:
      ValueError: names are missing, unknown or hold arrays of a wrong shape; it lists them all.
    """
    return _whole(*_estimator(arrays))["params"]


def released_weights(
    *,
    restorer: Mapping[str, np.ndarray] | None,
    estimator: Mapping[str, np.ndarray] | None,
    problems: Sequence[str] = (),
) -> Weights:
    """Makes weights of both networks, with the released conventions of tables.

    Cells of the estimator lie where they were measured; ask for `CellPlacement.RELEASED` to
    stretch them as the released graph does.

    Args:
      restorer: variables of the restorer's checkpoint; None if it was not found.
      estimator: variables of the estimator's checkpoint; None if it was not found.
      problems: what is known to be wrong already, such as why one was not found.

    Raises:
      ValueError: anything is missing, unknown or of a wrong shape; it lists everything.
    """
    parts: dict[str, Any] = {}
    found = list(problems)
    for name, arrays, convert in (
        ("restorer", restorer, _restorer),
        ("estimator", estimator, _estimator),
    ):
        if arrays is not None:
            parts[name], of_part = convert(arrays)
            found += of_part
    _whole(parts, found)
    return Weights(
        restorer_config=parts["restorer"]["config"],
        restorer_params=parts["restorer"]["params"],
        estimator_config=parts["estimator"]["config"],
        estimator_params=parts["estimator"]["params"],
    )


def _whole(converted: Any, problems: Sequence[str]) -> Any:
    if problems:
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        raise ValueError(f"This is not the released network, {count}:\n  " + "\n  ".join(problems))
    return converted


def _restorer(arrays: Mapping[str, np.ndarray]) -> tuple[dict[str, Any], list[str]]:
    """Returns configuration and parameters, and what is wrong with the arrays."""
    names = _names(_restorer_layers())
    names["blend"] = "Reconstruction/Pixel_Domain/concat_images/concat_image_weight/kernel"
    config = AGARNetConfig(pixel_features=_width(arrays, names))
    image = jax.ShapeDtypeStruct((1, 8, 8, 1), jnp.float32)
    expected = jax.eval_shape(
        lambda rng, x: AGARNet(config).init(rng, x, quality=50.0), jax.random.key(0), image
    )
    params, problems = _convert(arrays, names, expected["params"], ignored=_RESTORER_CONSTANTS)
    return {"config": config, "params": params}, problems


def _estimator(arrays: Mapping[str, np.ndarray]) -> tuple[dict[str, Any], list[str]]:
    config = EstimatorConfig()
    image = jax.ShapeDtypeStruct((1, 64, 64, 1), jnp.float32)
    expected = jax.eval_shape(QualityEstimator(config).init, jax.random.key(0), image)
    names = _names(_estimator_layers())
    params, problems = _convert(arrays, names, expected["params"], ignored=())
    return {"config": config, "params": params}, problems


def _width(arrays: Mapping[str, np.ndarray], names: Mapping[str, str]) -> int:
    """Finds f, the width of most layers that are f wide; the paper's if there are none."""
    widths = [
        np.size(arrays[name])
        for path, name in names.items()
        if path.startswith(_OF_WIDTH_F) and path.endswith("/bias") and name in arrays
    ]
    return statistics.mode(widths) if widths else AGARNetConfig().pixel_features


def _estimator_layers() -> Iterable[_Layer]:
    scope = "Estimation_block2"
    for i in range(8):
        yield _plain(f"stage{i // 2}_conv{i % 2 + 1}", f"{scope}/conv{i + 1}")
    yield _plain("out", f"{scope}/conv_last")


def _restorer_layers() -> Iterable[_Layer]:
    yield _plain("pixel_gates/stem", "Generating_CNN/dense1")
    yield _plain("pixel_gates/head4", "Generating_CNN/dense2")
    yield _plain("pixel_gates/head2", "Generating_CNN/dense3")
    yield _plain("pixel_gates/head1", "Generating_CNN/dense4")
    yield _plain("dct_quality_gate/stem", "Generating_DCT/dense5")
    yield _plain("dct_quality_gate/head", "Generating_DCT/dense6")
    yield _plain("dct_table_gate/stem", "Generating_DCT_QPT/dense1")
    yield _plain("dct_table_gate/head", "Generating_DCT_QPT/dense2")
    yield from _dct_layers("Reconstruction/DCT_Domain2")
    yield from _pixel_layers("Reconstruction/Pixel_Domain")


def _dct_layers(scope: str) -> Iterable[_Layer]:
    yield _plain("dct_branch/head", f"{scope}/block1/conv1")
    yield _plain("dct_branch/entry", f"{scope}/block2/conv1")
    for i in range(AGARNetConfig().dct_blocks):
        ours, theirs = f"dct_branch/block{i}", f"{scope}/block{i + 3}/resblock3D_generating4"
        yield _plain(f"{ours}/conv1", f"{theirs}/conv1")
        yield _plain(f"{ours}/conv2", f"{theirs}/conv2")
        yield _plain(f"{ours}/quality", f"{theirs}/Gating_Generating/qp_gated_conv1")
        yield _plain(f"{ours}/table", f"{theirs}/Gating_Generating/qp_table_gated_conv1")
        yield _plain(f"{ours}/joint", f"{theirs}/Gating_Generating/overall_qp_conv1")
    yield _plain("dct_branch/exit1x1", f"{scope}/conv_1x1last_")
    yield _plain("dct_branch/exit", f"{scope}/conv_last")
    yield _plain("dct_branch/tail", f"{scope}/conv_dct_last")


def _pixel_layers(scope: str) -> Iterable[_Layer]:
    size = AGARNetConfig()
    for level, count in ((1, size.encoder1_blocks), (2, size.encoder2_blocks)):
        theirs = f"{scope}/Encoder_{level}x{level}"
        yield _plain(f"pixel_branch/encoder{level}_in", f"{theirs}/conv1")
        yield from _residual_layers(f"pixel_branch/encoder{level}", theirs, range(count))
    theirs = f"{scope}/Encoder_4x4"
    yield _plain("pixel_branch/encoder4_in", f"{theirs}/conv1")
    yield from _residual_layers("pixel_branch/encoder4", theirs, range(size.encoder4_blocks))
    yield _slim("pixel_branch/encoder4_out", f"{theirs}/Conv")
    for level, plain, gated in (
        (2, size.decoder2_blocks, size.decoder2_gated_blocks),
        (1, size.decoder1_blocks, size.decoder1_gated_blocks),
    ):
        ours, theirs = f"pixel_branch/decoder{level}", f"{scope}/Decoder_{level}x{level}"
        yield _plain(f"{ours}_in", f"{theirs}/conv_pre1")
        yield from _residual_layers(ours, theirs, range(plain))
        yield _plain(f"{ours}_merge", f"{theirs}/conv_pre2")
        yield from _residual_layers(f"{ours}_gated", theirs, range(plain, plain + gated))
    yield _plain("pixel_branch/out", f"{scope}/Decoder_1x1/conv_last")


def _residual_layers(ours: str, theirs: str, numbers: range) -> Iterable[_Layer]:
    """Yields the layers of residual blocks; ours start at 0, `numbers` are theirs in the scope."""
    for i, number in enumerate(numbers):
        yield _slim(f"{ours}_block{i}/conv1", f"{theirs}/block{number}/Conv")
        yield _slim(f"{ours}_block{i}/conv2", f"{theirs}/block{number}/Conv_1")


def _plain(path: str, scope: str) -> _Layer:
    return _Layer(path, f"{scope}/kernel", f"{scope}/bias")


def _slim(path: str, scope: str) -> _Layer:
    """Makes a layer that the release built with TF-Slim, which names variables otherwise."""
    return _Layer(path, f"{scope}/weights", f"{scope}/biases")


def _names(layers: Iterable[_Layer]) -> dict[str, str]:
    """Maps our parameters' paths to the released variables' names."""
    names = {}
    for layer in layers:
        names[f"{layer.path}/kernel"] = layer.kernel
        names[f"{layer.path}/bias"] = layer.bias
    return names


def _convert(
    arrays: Mapping[str, np.ndarray],
    names: Mapping[str, str],
    expected: Mapping[str, Any],
    *,
    ignored: Iterable[str],
) -> tuple[dict[str, Any], list[str]]:
    """Returns parameters of those arrays that fit, and what is wrong with the others."""
    shapes = {
        path: leaf.shape
        for path, leaf in flax.traverse_util.flatten_dict(expected, sep="/").items()
    }
    unknown = sorted(set(arrays) - set(names.values()) - set(ignored))
    problems = _missing(arrays, names.values()) + [f"unknown: {name}" for name in unknown]
    params = {}
    for path, name in names.items():
        if name not in arrays:
            continue
        array = np.asarray(arrays[name], np.float32)
        # Affine layers are 1×1 convolutions in the release: only their unit sides may differ.
        if not _same_but_unit_sides(array.shape, shapes[path]):
            problems.append(f"shape: {name} is {array.shape}, expected {shapes[path]}")
            continue
        params[path] = array.reshape(shapes[path])
    return flax.traverse_util.unflatten_dict(params, sep="/"), problems


def _missing(arrays: Iterable[str], names: Iterable[str]) -> list[str]:
    """Says what is missing: variables, or scopes (before the first "/") that are missing whole."""
    scopes_found = {name.split("/")[0] for name in arrays}
    missing = sorted(set(names) - set(arrays))
    whole = collections.Counter(
        scope for name in missing if (scope := name.split("/")[0]) not in scopes_found
    )
    return [f"missing: scope {scope} ({count} variables)" for scope, count in whole.items()] + [
        f"missing: {name}" for name in missing if name.split("/")[0] not in whole
    ]


def _same_but_unit_sides(released: tuple[int, ...], ours: tuple[int, ...]) -> bool:
    if released == ours:
        return True
    spatial = len(released) - len(ours)
    if ours == (2,):  # the blend, (1, 1, 2, 1) in the release
        return released == (1, 1, 2, 1)
    return spatial > 0 and released == (1,) * spatial + ours
