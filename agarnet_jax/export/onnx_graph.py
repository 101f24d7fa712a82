"""An ONNX graph under construction: nodes without duplicates, constants, and symbolic sides."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

OPSET, IR_VERSION = 17, 8  # from 2022, so every runtime in use supports them


@dataclasses.dataclass(frozen=True)
class Value:
    """A tensor of the graph that represents an array of the traced function.

    channels_first: the array's last axis is the tensor's second, as ONNX convolutions need it.
    """

    name: str
    channels_first: bool = False


@dataclasses.dataclass(frozen=True, eq=False)
class Constant:
    """An array known at export time; it is added to the graph only when a node needs it.

    dtype: the type to cast it to on use; the graph stores the array unchanged.
    """

    array: np.ndarray
    dtype: np.dtype

    @classmethod
    def of(cls, array: Any) -> "Constant":
        array = np.asarray(array)
        return cls(array, array.dtype)


Operand = Value | Constant


class Graph:
    """Nodes and constants in order, without duplicates."""

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._initializers: dict[tuple, onnx.TensorProto] = {}
        self._made: dict[tuple, str] = {}
        self._sides: dict[str, Side] = {}

    def op(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """Adds a node, unless there is an equal one; returns the name of its output."""
        key = (kind, inputs, repr(sorted(attributes.items())))
        if key not in self._made:
            name = f"{kind.lower()}_{len(self._nodes)}"
            self._nodes.append(helper.make_node(kind, inputs, [name], name=name, **attributes))
            self._made[key] = name
        return self._made[key]

    def constant(self, array: Any, dtype: Any = None) -> str:
        """Adds a constant, cast to `dtype` if given; returns its name."""
        array = np.ascontiguousarray(array) if np.ndim(array) else np.asarray(array)
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self._initializers:
            name = f"constant_{len(self._initializers)}"
            self._initializers[key] = numpy_helper.from_array(array, name)
        name = self._initializers[key].name
        return name if dtype in (None, array.dtype) else self.cast(name, dtype)

    def integers(self, values: Sequence[int]) -> str:
        return self.constant(np.array(values, np.int64))

    def cast(self, name: str, dtype: Any) -> str:
        return self.op("Cast", name, to=helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))

    def define_side(self, symbol: str, name: str, axis: int, divisor: int) -> None:
        """Defines a shape symbol as the side `axis` of the input `name`, divided by `divisor`."""
        shape = self.op("Shape", name)
        side = Side(self, self.op("Gather", shape, self.integers([axis]), axis=0))
        self._sides[symbol] = floordiv(side, divisor) if divisor != 1 else side

    def side(self, dimension: Any) -> str:
        """Returns the name of a side, int64 (1,); symbolic sides are computed by the graph."""
        if isinstance(dimension, int):
            return self.integers([dimension])
        # Symbolic dimensions print as Python expressions of these names.
        scope = {"floordiv": floordiv, **self._sides}
        return eval(str(dimension), {"__builtins__": {}}, scope).name

    def shape(self, dimensions: Sequence[Any]) -> str:
        """Returns the name of a shape, int64 (rank,)."""
        if all(isinstance(side, int) for side in dimensions):
            return self.integers(dimensions)
        return self.op("Concat", *(self.side(side) for side in dimensions), axis=0)

    def model(
        self, inputs: Sequence[onnx.ValueInfoProto], outputs: dict[str, onnx.ValueInfoProto]
    ) -> onnx.ModelProto:
        """Returns the model with the nodes that `outputs` (by tensor name) depend on."""
        needed, nodes = set(outputs), []
        renamed = {tensor: info.name for tensor, info in outputs.items()}
        for node in reversed(self._nodes):
            if node.output[0] in needed:
                needed.update(node.input)
                names = ([renamed.get(n, n) for n in part] for part in (node.input, node.output))
                nodes.append(onnx.NodeProto())
                nodes[-1].CopyFrom(node)
                nodes[-1].input[:], nodes[-1].output[:] = names
        kept = [tensor for tensor in self._initializers.values() if tensor.name in needed]
        graph = helper.make_graph(nodes[::-1], "agarnet", inputs, list(outputs.values()), kept)
        return helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION
        )


@dataclasses.dataclass(frozen=True)
class Side:
    """A non-negative side known only when the graph runs; arithmetic on it adds nodes."""

    graph: Graph
    name: str

    def _with(self, kind: str, other: "Side | int") -> "Side":
        name = self.graph.integers([other]) if isinstance(other, int) else other.name
        return Side(self.graph, self.graph.op(kind, self.name, name))

    def __add__(self, other: "Side | int") -> "Side":
        return self._with("Add", other)

    def __sub__(self, other: "Side | int") -> "Side":
        return self._with("Sub", other)

    def __mul__(self, other: "Side | int") -> "Side":
        return self._with("Mul", other)

    __radd__, __rmul__ = __add__, __mul__


def floordiv(side: Side, divisor: Side | int) -> Side:
    return side._with("Div", divisor)
