"""Layers that do not trace the initializers of parameters they are given.

At each `apply`, Flax traces the initializer of every parameter only to compare its shape with that
of the given one. For the networks of `tiny` these are some 300 small traces, a third of the
processor time of a first image when all programs are already compiled. These layers compare the
shapes directly.
"""

from typing import Any

import flax.errors
import flax.linen as nn


class UntracedInitModule(nn.Module):
    """A module that declares its parameters as `self.param(name, initializer, shape, …)`."""

    @nn.nowrap
    def param(self, name: str, init_fn: Any, *init_args: Any, **init_kwargs: Any) -> Any:
        """Acts as `nn.Module.param`, but never traces the initializer of a given parameter.

        Raises:
          ScopeParamShapeError: the given parameter has another shape than the declared one.
        """
        if not self.has_variable("params", name):
            return super().param(name, init_fn, *init_args, **init_kwargs)
        given, declared = nn.unbox(self.get_variable("params", name)), tuple(init_args[0])
        if given.shape != declared:
            path = self.scope.path_text
            raise flax.errors.ScopeParamShapeError(name, path, given.shape, declared)
        return given


class Dense(UntracedInitModule, nn.Dense):
    """`nn.Dense`: an affine map of the last axis."""
