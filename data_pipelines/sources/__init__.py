"""Random-access sources of clean images: folder, ArrayRecord shards, TFDS, in memory."""
