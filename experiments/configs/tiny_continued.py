"""The second part of the training of `tiny`: continues from `tiny.py`, with mosaics.

Run:      python -m experiments.train --config=experiments/configs/tiny_continued.py \\
            --workdir=DIR --config.init_from=FILE --config.data.train_dir=TRAIN \\
            --config.data.eval_dir=VALID
          FILE contains the restorer trained by `tiny.py` (`experiments.pack_weights`); without
          --config.init_from, training starts from the shipped weights.
Hardware: two CPU cores, shared with other jobs (60 to 110 thousand pixels per second).
Duration: about 130 minutes, 20,000 steps, 655 million pixels (2026-11-25), starting from the `tiny`
          of 2026-11-24. The first 10,000 steps, at a constant learning rate, used the L1 loss; with
          this file as it stands, all steps use the root-mean-square loss.
Result:   +1.33 dB over the JPEG, mean over the cases of VALID of `tiny.py`, given the true quality:
          at Q 5, 10, 20, 40, 60, 80, 95, 100 +1.64, 1.59, 1.58, 1.62, 1.58, 1.42, 0.68, 0.00; at
          (10, 50) and (50, 30) with a shifted grid +1.51, 1.68. The gain was +1.15 at the start,
          and +1.14, 1.17, 1.21, 1.26, 1.29, 1.32 after 2,500, 5,000, 10,000, 12,500, 15,000, 17,500
          steps. Held-out results are in agarnet_jax/weights/tiny.md.
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
