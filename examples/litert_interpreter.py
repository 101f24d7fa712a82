"""Restores a gray picture with LiteRT: python litert_interpreter.py MODEL IN OUT

MODEL: python -m experiments.export --format=litert --part=blind_uint8 --size=HxW
--out=MODEL, with the picture's size, rounded up to multiples of 8
Needs: pip install ai-edge-litert pillow
"""

import sys

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from PIL import Image

model, source, destination = sys.argv[1:]
luma = np.asarray(Image.open(source).convert("L"))
height, width = luma.shape
padded = np.pad(luma, ((0, -height % 8), (0, -width % 8)), mode="edge")

restore = Interpreter(model).get_signature_runner("serving_default")
result = restore(image=padded[None, :, :, None])

Image.fromarray(result["restored"][0, :height, :width, 0]).save(destination)
print(f"quality {result['quality'][0]:.2f}")
