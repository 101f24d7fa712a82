"""The third part of the training of `small`: on from its weights, with Muon, on larger crops."""

import ml_collections

from experiments.configs import small


def get_config() -> ml_collections.ConfigDict:
    config = small.get_config()
    config.init_from = "small"
    config.train.init_fit = "exact"
    config.data.crop = 128
    config.data.planes.full, config.data.planes.studio = 0.4, 0.4
    config.data.planes.cb, config.data.planes.cr = 0.1, 0.1
    config.train.optimizer.kind = "muon"
    config.train.batch_size = 4
    config.train.seed = 5
    config.train.steps = 7_000
    config.train.learning_rate = 1.5e-3
    config.train.schedule.decay_share = 0.9
    return config
