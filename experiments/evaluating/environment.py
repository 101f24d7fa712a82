"""Library versions and hardware, on which scores depend besides code and data."""

import importlib.metadata
import platform

import jax
import PIL.features

import agarnet_jax

_PACKAGES = ("jax", "jaxlib", "flax", "numpy", "pillow", "av")


def versions() -> str:
    """Lists the versions of this project, Python, and the libraries that compute and encode."""
    found = {"agarnet-jax": agarnet_jax.__version__, "python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:  # an extra that is not installed
            continue
    found["libjpeg-turbo"] = PIL.features.version("libjpeg_turbo") or "another libjpeg"
    return ", ".join(f"{name} {version}" for name, version in found.items())


def devices() -> str:
    """Returns the number and kind of the devices this process computes on."""
    found = jax.local_devices()
    return f"{len(found)} × {found[0].device_kind} ({found[0].platform})"
