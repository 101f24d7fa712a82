"""AGARNet: JPEG artifact removal with one network for all qualities, in JAX and Flax."""

__version__ = "0.1.0"
