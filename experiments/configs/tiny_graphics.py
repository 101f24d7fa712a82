"""Continues the training of `tiny` after `tiny_muon.py`, now also on text and shapes.

Run:      not run
"""

import ml_collections

from experiments.configs import tiny_muon


def get_config() -> ml_collections.ConfigDict:
    config = tiny_muon.get_config()
    config.data.graphics = 0.15
    config.train.seed = 22
    config.train.steps = 9_000
    config.train.learning_rate = 1.2e-3
    return config
