"""Layers that take the parameters they are given without tracing how they would begin.

At each `apply` Flax traces the initializer of every parameter to compare its shape with the one
given. For the networks of `tiny` these are some 300 small traces, a third of the processor time
that a first image takes where all programs are compiled. Here shapes are compared by themselves.
"""

from typing import Any

import flax.errors
import flax.linen as nn


class KnownParameters(nn.Module):
    """A module that declares its parameters as `self.param(name, initializer, shape, …)`."""

    @nn.nowrap
    def param(self, name: str, init_fn: Any, *init_args: Any, **init_kwargs: Any) -> Any:
        """Declares a parameter as `nn.Module.param` does; traces no initializer of a given one.

        Raises:
          ScopeParamShapeError: the given one has another shape.
        """
        if not self.has_variable("params", name):
            return super().param(name, init_fn, *init_args, **init_kwargs)
        given, declared = nn.unbox(self.get_variable("params", name)), tuple(init_args[0])
        if given.shape != declared:
            path = self.scope.path_text
            raise flax.errors.ScopeParamShapeError(name, path, given.shape, declared)
        return given


class Dense(KnownParameters, nn.Dense):
    """`nn.Dense`: an affine map of the last axis."""
