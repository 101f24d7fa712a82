"""The third part of the training of `tiny`: on from the weights of `tiny_continued.py`, on crops
four times as large, which have less border, and with more chroma.

Run:      python -m experiments.train --config=experiments/configs/tiny_large_crops.py \\
            --workdir=DIR --config.init_from=FILE --config.data.train_dir=TRAIN \\
            --config.data.eval_dir=VALID
          FILE has the restorer that `tiny_continued.py` trained (`experiments.pack_weights`).
          Without it, on from the shipped weights.
Hardware: two CPU cores, shared with other work (90 to 120 thousand pixels a second).
Duration: 85 minutes, 8,000 steps, 524 million pixels (2026-11-25), on from the `tiny` of that day.
Result:   +1.36 dB over the JPEG, mean over the cases of VALID of `tiny.py` (their 128×128 centres),
          true quality: at Q 5, 10, 20, 40, 60, 80, 95, 100 +1.68, 1.61, 1.61, 1.65, 1.61, 1.45,
          0.71, 0.00; at (10, 50) and (50, 30) off the grid +1.54, 1.70. It began at +1.33; after
          2,000, 4,000, 6,000 steps it was +1.31, 1.33, 1.35. What of it is due to the crops and
          what to more training, no run tells. Held-out results are in agarnet_jax/weights/tiny.md.
"""

import ml_collections

from experiments.configs import tiny_continued


def get_config() -> ml_collections.ConfigDict:
    config = tiny_continued.get_config()
    config.data.crop = 128
    config.data.planes.full, config.data.planes.studio = 0.4, 0.4
    config.data.planes.cb, config.data.planes.cr = 0.1, 0.1
    config.train.batch_size = 4
    config.train.seed = 4
    config.train.steps = 8_000
    config.train.learning_rate = 7e-4
    config.train.schedule.decay_share = 0.9
    return config
