"""Host-side input pipelines: NumPy, Pillow and Grain. Never imports JAX."""
