"""A corpus of images restored by an Apache Beam pipeline (extra `beam`)."""
