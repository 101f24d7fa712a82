"""Restores a grayscale image with ONNX Runtime: python onnx_onnxruntime.py MODEL IN OUT

MODEL: agarnet export --format onnx --part blind_uint8 -o MODEL
Needs: pip install onnxruntime pillow
"""

import sys

import numpy as np
import onnxruntime
from PIL import Image

if len(sys.argv) != 4:
    sys.exit(__doc__.splitlines()[0])
model, source, destination = sys.argv[1:]
luma = np.asarray(Image.open(source).convert("L"))
height, width = luma.shape
padded = np.pad(luma, ((0, -height % 8), (0, -width % 8)), mode="edge")

session = onnxruntime.InferenceSession(model)
if session.get_inputs()[0].type != "tensor(uint8)":
    sys.exit(f"{model} does not take uint8 images; export it with --part blind_uint8.")
outputs = session.run(["restored", "quality"], {"image": padded[None, :, :, None]})
restored, quality = outputs

Image.fromarray(restored[0, :height, :width, 0]).save(destination)
print(f"quality {quality[0]:.2f}")
