"""AGARNet: removal of JPEG artifacts with one network for every quality, in JAX and Flax."""

__version__ = "0.1.0"
