"""Restores a grayscale image with LiteRT: python litert_interpreter.py MODEL IN OUT

MODEL: agarnet export --format litert --part blind_uint8 --size HxW -o MODEL, with the image's
size, rounded up to multiples of 8
Needs: pip install ai-edge-litert pillow
"""

import sys

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from PIL import Image

if len(sys.argv) != 4:
    sys.exit(__doc__.splitlines()[0])
model, source, destination = sys.argv[1:]
luma = np.asarray(Image.open(source).convert("L"))
height, width = luma.shape
padded = np.pad(luma, ((0, -height % 8), (0, -width % 8)), mode="edge")

restore = Interpreter(model).get_signature_runner("serving_default")
if restore.get_input_details()["image"]["dtype"] != np.uint8:
    sys.exit(f"{model} does not take uint8 images; export it with --part blind_uint8.")
result = restore(image=padded[None, :, :, None])

Image.fromarray(result["restored"][0, :height, :width, 0]).save(destination)
print(f"quality {result['quality'][0]:.2f}")
