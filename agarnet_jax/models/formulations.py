"""Which of several exact formulations of a convolution is used: chosen here, for each platform.

All formulations of a kind have the same parameters. TPU and GPU have fast kernels for every
convolution; XLA:CPU has them only for some (`docs/performance.md` has the measurements). Where
the others have derivatives of their own, JAX differentiates them in reverse mode only; for forward
mode (`jax.jvp`, `jacfwd`, `hessian`), configure conv2d="native" and conv3d="native".
"""

import enum

import jax

_WINOGRAD_MIN_FEATURES = 24  # below, its narrow 2D convolutions miss XLA:CPU's fast kernels


class Conv2DFormulation(enum.Enum):
    """The formulation of 2D convolutions.

    AUTO: the fastest for the default backend. NATIVE: XLA's own. PACKED: neighbours share a vector.
    """

    AUTO = "auto"
    NATIVE = "native"
    PACKED = "packed"

    def resolve(self) -> "Conv2DFormulation":
        """Returns what AUTO stands for here; others stand for themselves."""
        if self is not Conv2DFormulation.AUTO:
            return self
        return Conv2DFormulation.PACKED if _on_cpu() else Conv2DFormulation.NATIVE


class Conv3DFormulation(enum.Enum):
    """The formulation of 3D convolutions.

    AUTO: the fastest for the default backend. NATIVE: XLA's own. STACKED: one 2D convolution of
    stacked slices. WINOGRAD: Winograd's F(4,3). All meet the golden vectors within 1e-5.
    """

    AUTO = "auto"
    NATIVE = "native"
    STACKED = "stacked"
    WINOGRAD = "winograd"

    def resolve(self, *, in_features: int, features: int) -> "Conv3DFormulation":
        """Returns what AUTO stands for here, by the widths; others stand for themselves."""
        if self is not Conv3DFormulation.AUTO:
            return self
        if not _on_cpu():
            return Conv3DFormulation.NATIVE
        wide = min(in_features, features) >= _WINOGRAD_MIN_FEATURES
        return Conv3DFormulation.WINOGRAD if wide else Conv3DFormulation.STACKED


def _on_cpu() -> bool:
    return jax.default_backend() == "cpu"
