"""A restorer that trains in seconds, for tests and the demo; not for real use.

Run:      python -m experiments.train --config=experiments/configs/smoke.py --workdir=DIR \\
            --config.data.train_dir=TRAIN --config.data.eval_dir=VALID
Hardware: two CPU cores.
Duration: about half a minute for all 600 steps, as run by `make demo`.
Result:   +0.48 dB over the JPEG, mean over Q 10, 40, 80 of the 128×128 centres of the two held-out
          images of `make demo` (2026-11-30).
"""

import ml_collections

from experiments.config import default_config


def get_config() -> ml_collections.ConfigDict:
    config = default_config("restorer")
    config.model.pixel_features = 4
    config.model.dct_features = 4
    config.model.gate_features = 8
    for name in config.model:
        if name.endswith("_blocks"):
            config.model[name] = 1
    config.data.crop = 32
    config.data.eval_crop = 128
    config.data.eval_qualities = (10, 40, 80)
    config.train.steps = 600
    config.train.batch_size = 8
    config.train.warmup_steps = 50
    config.train.learning_rate = 6e-3
    config.train.ema_decay = 0.98
    config.train.log_every = 20
    config.train.eval_every = 300
    config.train.checkpoint_every = 150
    return config
