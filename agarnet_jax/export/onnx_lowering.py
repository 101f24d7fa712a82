"""Lowers JAX primitives to ONNX nodes: only those that occur in the exported functions.

JAX arrays have channels last, ONNX convolutions channels first. After a convolution, tensors stay
channels first through all operations that do not depend on the layout; see `Value`.
"""

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from jax.extend.core import ClosedJaxpr, Literal

from agarnet_jax.export.onnx_graph import Constant, Graph, Operand, Value

# Arguments: the graph, the equation (with shapes and parameters), its operands.
Rule = Callable[[Graph, Any, list[Operand]], Operand]


def lower(graph: Graph, closed: ClosedJaxpr, arguments: Sequence[Operand]) -> list[Operand]:
    """Adds the nodes of a traced function to the graph; returns its outputs.

    Raises:
      ValueError: there is no rule for a primitive, or for the way it is used.
    """
    known: dict[Any, Operand] = dict(zip(closed.jaxpr.invars, arguments))
    known |= zip(closed.jaxpr.constvars, map(Constant.of, closed.consts))

    def read(atom: Any) -> Operand:
        return Constant.of(atom.val) if isinstance(atom, Literal) else known[atom]

    for equation in closed.jaxpr.eqns:
        name, operands = equation.primitive.name, [read(atom) for atom in equation.invars]
        inner = equation.params.get("jaxpr") or equation.params.get("call_jaxpr")
        if inner is not None:
            results = lower(graph, inner, operands)
        elif name in RULES:
            results = [RULES[name](graph, equation, operands)]
        else:
            raise ValueError(
                f"There is no ONNX rule for the JAX primitive {name!r}; add one to RULES."
            )
        known |= zip(equation.outvars, results)
    return [read(atom) for atom in closed.jaxpr.outvars]


def channels_last(graph: Graph, operand: Operand, rank: int) -> str:
    """Returns the name of a tensor whose axes are in the array's order."""
    if isinstance(operand, Constant):
        return graph.constant(operand.array, operand.dtype)
    if not operand.channels_first:
        return operand.name
    return graph.op("Transpose", operand.name, perm=[0, *range(2, rank), 1])


def channels_first(graph: Graph, operand: Operand, rank: int) -> str:
    """Returns the name of a tensor with the array's last axis second; scalars stay scalars."""
    if isinstance(operand, Constant):
        array = np.moveaxis(operand.array, -1, 1) if operand.array.ndim else operand.array
        return graph.constant(array, operand.dtype)
    if operand.channels_first or rank == 0:
        return operand.name
    return graph.op("Transpose", operand.name, perm=[0, rank - 1, *range(1, rank - 1)])


def _shapes(equation: Any) -> list[tuple]:
    return [atom.aval.shape for atom in equation.invars]


def _same_layout(graph: Graph, equation: Any, operands: list[Operand]) -> tuple[list[str], bool]:
    """Returns the operands' names in a common layout, and whether it is channels first."""
    first = any(isinstance(operand, Value) and operand.channels_first for operand in operands)
    in_layout = channels_first if first else channels_last
    return [in_layout(graph, x, len(shape)) for x, shape in zip(operands, _shapes(equation))], first


def _axis(axis: int, rank: int, first: bool) -> int:
    """Returns the tensor's axis for an axis of the array."""
    if not first or axis == 0:
        return axis
    return 1 if axis == rank - 1 else axis + 1


def _elementwise(kind: str, **attributes: Any) -> Rule:
    def rule(graph: Graph, equation: Any, operands: list[Operand]) -> Operand:
        names, first = _same_layout(graph, equation, operands)
        return Value(graph.op(kind, *names, **attributes), first)

    return rule


def _max(graph: Graph, equation: Any, operands: list[Operand]) -> Operand:
    """Adds Max, or Relu where possible, which runtimes fuse into the preceding convolution."""
    for zero, other in (operands, operands[::-1]):
        if isinstance(zero, Constant) and isinstance(other, Value) and _is_zero(zero):
            return Value(graph.op("Relu", other.name), other.channels_first)
    return _elementwise("Max")(graph, equation, operands)


def _is_zero(constant: Constant) -> bool:
    return constant.array.ndim == 0 and constant.array == 0 and constant.dtype == np.float32


def _select(graph: Graph, equation: Any, operands: list[Operand]) -> Operand:
    (which, false, true), first = _same_layout(graph, equation, operands)
    return Value(graph.op("Where", which, true, false), first)


def _convert(graph: Graph, equation: Any, operands: list[Operand]) -> Operand:
    (operand,), dtype = operands, np.dtype(equation.params["new_dtype"])
    if isinstance(operand, Constant):
        return Constant(operand.array, dtype)
    if dtype == equation.invars[0].aval.dtype:
        return operand
    return Value(graph.cast(operand.name, dtype), operand.channels_first)


def _conv(graph: Graph, equation: Any, operands: list[Operand]) -> Operand:
    params, (shape, _) = equation.params, _shapes(equation)
    lhs_spec, rhs_spec, out_spec = params["dimension_numbers"]
    rank = len(shape)
    last = (0, rank - 1, *range(1, rank - 1))
    plain = set(params["lhs_dilation"]) == {1} and params["batch_group_count"] == 1
    if lhs_spec != last or out_spec != last or not plain:
        raise ValueError("Only channels-last convolutions without input dilation can be exported.")
    kernel = _transposed(graph, operands[1], rhs_spec)
    name = graph.op(
        "Conv",
        channels_first(graph, operands[0], rank),
        kernel,
        strides=list(params["window_strides"]),
        dilations=list(params["rhs_dilation"]),
        group=params["feature_group_count"],
        pads=[side[end] for end in (0, 1) for side in params["padding"]],
    )
    return Value(name, channels_first=True)


def _transposed(graph: Graph, operand: Operand, order: Sequence[int]) -> str:
    rank = len(order)
    if isinstance(operand, Constant):
        return graph.constant(operand.array.transpose(order), operand.dtype)
    return graph.op("Transpose", channels_last(graph, operand, rank), perm=list(order))


def _pool(graph: Graph, equation: Any, operands: list[Operand], *, kind: str) -> Operand:
    params, (shape,) = equation.params, _shapes(equation)
    window, strides = params["window_dimensions"], params["window_strides"]
    if set(window) == {1} and set(strides) == {1}:
        return operands[0]
    if window[0] != 1 or window[-1] != 1 or any(side != (0, 0) for side in params["padding"]):
        raise ValueError("Only spatial pooling without padding can be exported.")
    name = graph.op(
        kind,
        channels_first(graph, operands[0], len(shape)),
        kernel_shape=list(window[1:-1]),
        strides=list(strides[1:-1]),
    )
    if kind == "AveragePool":  # JAX computes the sum
        name = graph.op("Mul", name, graph.constant(np.float32(math.prod(window))))
    return Value(name, channels_first=True)


def _dot(graph: Graph, equation: Any, operands: list[Operand]) -> Operand:
    (lhs_axes, rhs_axes), batch_axes = equation.params["dimension_numbers"]
    if any(batch_axes):
        raise ValueError("Only matrix products without batch axes can be exported.")
    lhs_shape, rhs_shape = _shapes(equation)
    rank, (lhs, rhs) = len(lhs_shape), operands
    if tuple(lhs_axes) == (rank - 1,) and len(rhs_shape) == 2 and tuple(rhs_axes) == (0,):
        if isinstance(lhs, Value) and lhs.channels_first and isinstance(rhs, Constant):
            kernel = rhs.array.T.reshape(*rhs.array.T.shape, *[1] * (rank - 2))
            return Value(graph.op("Conv", lhs.name, graph.constant(kernel, rhs.dtype)), True)
        names = channels_last(graph, lhs, rank), channels_last(graph, rhs, 2)
        return Value(graph.op("MatMul", *names))
    matrices = []
    for operand, shape, axes, is_left in (
        (lhs, lhs_shape, lhs_axes, True),
        (rhs, rhs_shape, rhs_axes, False),
    ):
        free = [axis for axis in range(len(shape)) if axis not in axes]
        transposed = _transposed(graph, operand, [*free, *axes] if is_left else [*axes, *free])
        summed = math.prod(shape[axis] for axis in axes)
        sides = (-1, summed) if is_left else (summed, -1)
        matrices.append(graph.op("Reshape", transposed, graph.shape(sides)))
    product = graph.op("MatMul", *matrices)
    return Value(graph.op("Reshape", product, graph.shape(equation.outvars[0].aval.shape)))


def _reshape(graph: Graph, equation: Any, operands: list[Operand]) -> Operand:
    (operand,), (shape,) = operands, _shapes(equation)
    new = equation.outvars[0].aval.shape
    if isinstance(operand, Constant):
        return Constant(operand.array.reshape(new), operand.dtype)
    keeps_ends = shape and new and (shape[0], shape[-1]) == (new[0], new[-1])
    if operand.channels_first and keeps_ends:
        first = (new[0], new[-1], *new[1:-1])
        return Value(graph.op("Reshape", operand.name, graph.shape(first)), channels_first=True)
    last = channels_last(graph, operand, len(shape))
    return Value(graph.op("Reshape", last, graph.shape(new)))


def _broadcast(graph: Graph, equation: Any, operands: list[Operand]) -> Operand:
    (operand,), (shape, *_) = operands[:1], _shapes(equation)
    new, kept = equation.outvars[0].aval.shape, equation.params["broadcast_dimensions"]
    ones = tuple(shape[kept.index(i)] if i in kept else 1 for i in range(len(new)))
    if isinstance(operand, Constant) and all(isinstance(side, int) for side in new):
        return Constant(np.broadcast_to(operand.array.reshape(ones), new), operand.dtype)
    name = channels_last(graph, operand, len(shape))
    added = [axis for axis in range(len(new)) if axis not in kept]
    if added:
        name = graph.op("Unsqueeze", name, graph.integers(added))
    return Value(name if ones == new else graph.op("Expand", name, graph.shape(new)))


def _transpose(graph: Graph, equation: Any, operands: list[Operand]) -> Operand:
    return Value(_transposed(graph, operands[0], equation.params["permutation"]))


def _squeeze(graph: Graph, equation: Any, operands: list[Operand]) -> Operand:
    name = channels_last(graph, operands[0], len(_shapes(equation)[0]))
    return Value(graph.op("Squeeze", name, graph.integers(equation.params["dimensions"])))


def _slice(graph: Graph, equation: Any, operands: list[Operand]) -> Operand:
    params, (shape,) = equation.params, _shapes(equation)
    (name,), first = _same_layout(graph, equation, operands)
    starts, ends = params["start_indices"], params["limit_indices"]
    strides = params["strides"] or [1] * len(shape)
    cut = [a for a, n in enumerate(shape) if (starts[a], ends[a], strides[a]) != (0, n, 1)]
    if not cut:
        return Value(name, first)
    bounds = (graph.shape([bound[axis] for axis in cut]) for bound in (starts, ends))
    axes = graph.integers([_axis(axis, len(shape), first) for axis in cut])
    steps = graph.integers([strides[axis] for axis in cut])
    return Value(graph.op("Slice", name, *bounds, axes, steps), first)


def _concatenate(graph: Graph, equation: Any, operands: list[Operand]) -> Operand:
    names, first = _same_layout(graph, equation, operands)
    axis = _axis(equation.params["dimension"], len(_shapes(equation)[0]), first)
    return Value(graph.op("Concat", *names, axis=axis), first)


def _stack(graph: Graph, equation: Any, operands: list[Operand]) -> Operand:
    names, first = _same_layout(graph, equation, operands)
    rank, axis = len(_shapes(equation)[0]) + 1, equation.params["axis"]
    if axis in (0, rank - 1):
        raise ValueError("Only stacking along inner axes can be exported.")
    axis = _axis(axis, rank, first)
    expanded = [graph.op("Unsqueeze", name, graph.integers([axis])) for name in names]
    return Value(graph.op("Concat", *expanded, axis=axis), first)


def _gather(graph: Graph, equation: Any, operands: list[Operand]) -> Operand:
    """Gathers whole slices along one axis; our functions only have indices in range."""
    numbers, (shape, index_shape) = equation.params["dimension_numbers"], _shapes(equation)
    (axis,) = numbers.start_index_map
    batch = range(axis, axis + len(index_shape) - 1)
    offsets = tuple(i for i in range(len(equation.outvars[0].aval.shape)) if i not in batch)
    whole = all(
        size == (1 if a == axis else side)
        for a, (size, side) in enumerate(zip(equation.params["slice_sizes"], shape))
    )
    if numbers.collapsed_slice_dims != (axis,) or numbers.offset_dims != offsets or not whole:
        raise ValueError("Only gathering whole slices along one axis can be exported.")
    indices = channels_last(graph, operands[1], len(index_shape))
    last = graph.integers([len(index_shape) - 1])
    taken = channels_last(graph, operands[0], len(shape))
    return Value(graph.op("Gather", taken, graph.op("Squeeze", indices, last), axis=axis))


def _iota(graph: Graph, equation: Any, operands: list[Operand]) -> Operand:
    (length,) = equation.params["shape"]
    end = graph.op("Squeeze", graph.side(length), graph.integers([0]))
    zero, one = (graph.constant(np.int64(n)) for n in (0, 1))
    return Value(graph.cast(graph.op("Range", zero, end, one), equation.params["dtype"]))


def _dimension(graph: Graph, equation: Any, operands: list[Operand]) -> Operand:
    side = graph.op("Squeeze", graph.side(equation.params["dim"]), graph.integers([0]))
    return Value(graph.cast(side, equation.outvars[0].aval.dtype))


def _sum(graph: Graph, equation: Any, operands: list[Operand]) -> Operand:
    name = channels_last(graph, operands[0], len(_shapes(equation)[0]))
    axes = graph.integers(equation.params["axes"])
    return Value(graph.op("ReduceSum", name, axes, keepdims=0))


def _round(graph: Graph, equation: Any, operands: list[Operand]) -> Operand:
    """Adds Round, which in ONNX rounds half to even."""
    if equation.params["rounding_method"] is not jax.lax.RoundingMethod.TO_NEAREST_EVEN:
        raise ValueError("Only rounding half to even can be exported.")
    return _elementwise("Round")(graph, equation, operands)


RULES: dict[str, Rule] = {
    "abs": _elementwise("Abs"),
    "add": _elementwise("Add"),
    "broadcast_in_dim": _broadcast,
    "concatenate": _concatenate,
    "conv_general_dilated": _conv,
    "convert_element_type": _convert,
    "dim_as_value": _dimension,
    "div": _elementwise("Div"),
    "dot_general": _dot,
    "gather": _gather,
    "iota": _iota,
    "log": _elementwise("Log"),
    "logistic": _elementwise("Sigmoid"),
    "lt": _elementwise("Less"),
    "max": _max,
    "min": _elementwise("Min"),
    "mul": _elementwise("Mul"),
    "reduce_sum": _sum,
    "reduce_window_max": functools.partial(_pool, kind="MaxPool"),
    "reduce_window_sum": functools.partial(_pool, kind="AveragePool"),
    "rem": _elementwise("Mod"),  # operands are never negative
    "reshape": _reshape,
    "round": _round,
    "select_n": _select,
    "slice": _slice,
    "squeeze": _squeeze,
    "stack": _stack,
    "sub": _elementwise("Sub"),
    "tanh": _elementwise("Tanh"),
    "transpose": _transpose,
}
