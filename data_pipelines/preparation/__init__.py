"""From a folder of images to verified, deduplicated ArrayRecord shards, as an Apache Beam pipeline.

Needs the extra `beam`.
"""
