"""On from the estimator of `estimator.py`, with Muon, on crops of 256×256 from the start.

RUN
"""

import ml_collections

from experiments.configs import estimator


def get_config() -> ml_collections.ConfigDict:
    config = estimator.get_config()
    config.init_from = "tiny"
    config.data.crop = 256
    config.data.crop_schedule = ()
    config.train.optimizer.kind = "muon"
    config.train.learning_rate = 2e-3
    config.train.seed = 1
    config.train.steps = 2_000
    config.train.batch_size = 16
    config.train.warmup_steps = 50
    config.train.schedule.decay_share = 0.9
    config.train.eval_every = 500
    return config
