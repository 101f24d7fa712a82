"""Chooses the formulation of each convolution for the platform.

All formulations compute the same convolution from the same parameters. TPU and GPU have fast
kernels for every convolution, XLA:CPU only for some (measurements in `docs/performance.md`). The
formulations other than NATIVE have custom reverse-mode derivatives; for forward mode (`jax.jvp`,
`jacfwd`, `hessian`), configure conv2d="native" and conv3d="native".
"""

import enum

import jax

_WINOGRAD_MIN_FEATURES = 24  # with fewer, its 2D convolutions miss XLA:CPU's fast kernels


class Conv2DFormulation(enum.Enum):
    """The formulation of 2D convolutions.

    AUTO: the fastest on the default backend. NATIVE: XLA's. PACKED: neighbours become channels.
    """

    AUTO = "auto"
    NATIVE = "native"
    PACKED = "packed"

    def resolve(self) -> "Conv2DFormulation":
        """Replaces AUTO by the formulation that it selects."""
        if self is not Conv2DFormulation.AUTO:
            return self
        return Conv2DFormulation.PACKED if _on_cpu() else Conv2DFormulation.NATIVE


class Conv3DFormulation(enum.Enum):
    """The formulation of 3D convolutions.

    AUTO: the fastest on the default backend. NATIVE: XLA's. STACKED: one 2D convolution of stacked
    slices. WINOGRAD: Winograd's F(4, 3). All match the golden vectors within 1e-5.
    """

    AUTO = "auto"
    NATIVE = "native"
    STACKED = "stacked"
    WINOGRAD = "winograd"

    def resolve(self, *, in_features: int, features: int) -> "Conv3DFormulation":
        """Replaces AUTO by the formulation that it selects for these numbers of features."""
        if self is not Conv3DFormulation.AUTO:
            return self
        if not _on_cpu():
            return Conv3DFormulation.NATIVE
        wide = min(in_features, features) >= _WINOGRAD_MIN_FEATURES
        return Conv3DFormulation.WINOGRAD if wide else Conv3DFormulation.STACKED


def _on_cpu() -> bool:
    return jax.default_backend() == "cpu"
