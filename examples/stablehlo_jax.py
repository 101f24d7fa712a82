"""Restores a gray picture with JAX alone: python stablehlo_jax.py MODEL IN OUT

MODEL: python -m experiments.export --format=stablehlo --part=blind_uint8 --out=MODEL
Needs: pip install jax flatbuffers pillow
"""

import sys
import zipfile

import jax.export
import numpy as np
from PIL import Image

model, source, destination = sys.argv[1:]
luma = np.asarray(Image.open(source).convert("L"))
height, width = luma.shape
padded = np.pad(luma, ((0, -height % 8), (0, -width % 8)), mode="edge")

with zipfile.ZipFile(model) as archive:
    function = jax.export.deserialize(bytearray(archive.read("function.bin")))
result = jax.jit(function.call)(padded[None, :, :, None])

Image.fromarray(np.asarray(result["restored"][0, :height, :width, 0])).save(destination)
print(f"quality {result['quality'][0]:.2f}")
