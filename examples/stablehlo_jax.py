"""Restores a grayscale image with JAX alone: python stablehlo_jax.py MODEL IN OUT

MODEL: agarnet export --format stablehlo --part blind_uint8 -o MODEL
Needs: pip install jax flatbuffers pillow
"""

import sys
import zipfile

import jax.export
import numpy as np
from PIL import Image

if len(sys.argv) != 4:
    sys.exit(__doc__.splitlines()[0])
model, source, destination = sys.argv[1:]
luma = np.asarray(Image.open(source).convert("L"))
height, width = luma.shape
padded = np.pad(luma, ((0, -height % 8), (0, -width % 8)), mode="edge")

with zipfile.ZipFile(model) as archive:
    function = jax.export.deserialize(bytearray(archive.read("function.bin")))
if function.in_avals[0].dtype != np.uint8:
    sys.exit(f"{model} does not take uint8 images; export it with --part blind_uint8.")
result = jax.jit(function.call)(padded[None, :, :, None])

Image.fromarray(np.asarray(result["restored"][0, :height, :width, 0])).save(destination)
print(f"quality {result['quality'][0]:.2f}")
