"""Restoration of images and image files with trained weights."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agarnet_jax.restoration.jpeg_header import JpegHeader
    from agarnet_jax.restoration.request import QualitySource
    from agarnet_jax.restoration.restorer import Restored, Restorer

__all__ = ["JpegHeader", "QualitySource", "Restored", "Restorer"]


def __getattr__(name: str) -> Any:
    """Imports a public name on first use, so that printing a usage error does not load JAX."""
    if name in __all__:
        from agarnet_jax.restoration import restorer

        return getattr(restorer, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
