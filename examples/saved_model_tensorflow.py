"""Restores a grayscale image with TensorFlow: python saved_model_tensorflow.py MODEL IN OUT

MODEL: agarnet export --format saved_model --part blind_uint8 -o MODEL
Needs: pip install tensorflow pillow
"""

import sys

import numpy as np
import tensorflow as tf
from PIL import Image

if len(sys.argv) != 4:
    sys.exit(__doc__.splitlines()[0])
model, source, destination = sys.argv[1:]
luma = np.asarray(Image.open(source).convert("L"))
height, width = luma.shape
padded = np.pad(luma, ((0, -height % 8), (0, -width % 8)), mode="edge")

loaded = tf.saved_model.load(model)  # must live as long as its signatures
restore = loaded.signatures["serving_default"]
if restore.structured_input_signature[1]["image"].dtype != tf.uint8:
    sys.exit(f"{model} does not take uint8 images; export it with --part blind_uint8.")
result = restore(image=tf.constant(padded[None, :, :, None]))

Image.fromarray(result["restored"].numpy()[0, :height, :width, 0]).save(destination)
print(f"quality {result['quality'].numpy()[0]:.2f}")
