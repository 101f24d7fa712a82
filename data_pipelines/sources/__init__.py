"""Random-access sources of clean images: folders, ArrayRecord shards, TFDS datasets and arrays."""
