"""An Apache Beam pipeline from a folder of images to verified, deduplicated ArrayRecord shards.

Needs the extra `beam`.
"""
