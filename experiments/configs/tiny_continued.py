"""The second part of the training of `tiny`: on from the weights of `tiny.py`, with mosaics.

Run:      python -m experiments.train --config=experiments/configs/tiny_continued.py \\
            --workdir=DIR --config.init_from=FILE --config.data.train_dir=TRAIN \\
            --config.data.eval_dir=VALID
          FILE has the restorer that `tiny.py` trained (`experiments.pack_weights`). Without it, on
          from the shipped weights.
Hardware: two CPU cores, shared with other work (60 to 110 thousand pixels a second).
Duration: about DURATION minutes, 20,000 steps, 655 million pixels (2026-11-25), on from the
          `tiny` of 2026-11-24. The first 10,000 steps, at a constant rate, had the loss L1; as it
          stands, all have the root of the mean square.
Result:   RESULT
"""

import ml_collections

from experiments.configs import tiny


def get_config() -> ml_collections.ConfigDict:
    config = tiny.get_config()
    config.init_from = "tiny"
    config.data.degradation.mixture.jpeg = 0.65
    config.data.degradation.mixture.recompression = 0.25
    config.data.degradation.mixture.mosaic = 0.1
    config.data.planes.full, config.data.planes.studio = 0.42, 0.42
    config.data.planes.cb, config.data.planes.cr = 0.08, 0.08
    config.train.seed = 1
    config.train.steps = 20_000
    config.train.warmup_steps = 100
    config.train.schedule.decay_share = 0.5
    config.train.loss.kind = "rmse"
    return config
