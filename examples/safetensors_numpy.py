"""Reads the parameters with NumPy alone: python safetensors_numpy.py MODEL [OUT.npz]

MODEL: agarnet export --format safetensors -o MODEL
Needs: pip install numpy
"""

import json
import sys

import numpy as np

if len(sys.argv) not in (2, 3):
    sys.exit(__doc__.splitlines()[0])
with open(sys.argv[1], "rb") as file:
    header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    data = file.read()
metadata, dtypes = header.pop("__metadata__"), {"F32": "<f4", "F16": "<f2"}
tensors = {
    name: np.frombuffer(data[slice(*entry["data_offsets"])], dtypes[entry["dtype"]]).reshape(
        entry["shape"]
    )
    for name, entry in header.items()
}
if sys.argv[2:]:
    np.savez(sys.argv[2], **tensors)
print(f"{metadata['name']}: {sum(t.size for t in tensors.values())} parameters")
