"""Restores a gray picture with ONNX Runtime: python onnx_onnxruntime.py MODEL IN OUT

MODEL: python -m experiments.export --format=onnx --part=blind_uint8 --out=MODEL
Needs: pip install onnxruntime pillow
"""

import sys

import numpy as np
import onnxruntime
from PIL import Image

model, source, destination = sys.argv[1:]
luma = np.asarray(Image.open(source).convert("L"))
height, width = luma.shape
padded = np.pad(luma, ((0, -height % 8), (0, -width % 8)), mode="edge")

session = onnxruntime.InferenceSession(model)
outputs = session.run(["restored", "quality"], {"image": padded[None, :, :, None]})
restored, quality = outputs

Image.fromarray(restored[0, :height, :width, 0]).save(destination)
print(f"quality {quality[0]:.2f}")
