"""Restores a grayscale image with OpenVINO: python onnx_openvino.py MODEL IN OUT

MODEL: agarnet export --format onnx --part blind_uint8 -o MODEL
Needs: pip install openvino pillow
OpenVINO sends usage statistics unless `opt_in_out --opt_out` was run, or CI is true.
"""

import sys

import numpy as np
import openvino
from PIL import Image

if len(sys.argv) != 4:
    sys.exit(__doc__.splitlines()[0])
model, source, destination = sys.argv[1:]
luma = np.asarray(Image.open(source).convert("L"))
height, width = luma.shape
padded = np.pad(luma, ((0, -height % 8), (0, -width % 8)), mode="edge")

# Otherwise OpenVINO computes in bfloat16 on processors that support it.
compiled = openvino.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
if compiled.input(0).element_type != openvino.Type.u8:
    sys.exit(f"{model} does not take uint8 images; export it with --part blind_uint8.")
result = compiled({"image": padded[None, :, :, None]})

Image.fromarray(result["restored"][0, :height, :width, 0]).save(destination)
print(f"quality {result['quality'][0]:.2f}")
