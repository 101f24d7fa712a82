"""The third part of the training of `tiny`: continues from `tiny_continued.py` with crops of four
times the area, which have relatively less border, and with more chroma.

Run:      python -m experiments.train --config=experiments/configs/tiny_large_crops.py \\
            --workdir=DIR --config.init_from=FILE --config.data.train_dir=TRAIN \\
            --config.data.eval_dir=VALID
          FILE contains the restorer trained by `tiny_continued.py` (`experiments.pack_weights`);
          without --config.init_from, training starts from the shipped weights.
Hardware: two CPU cores, shared with other jobs (90 to 120 thousand pixels per second).
Duration: 85 minutes, 8,000 steps, 524 million pixels (2026-11-25), starting from the `tiny` of that
          day.
Result:   +1.36 dB over the JPEG, mean over the cases of VALID of `tiny.py` (their 128×128 centres),
          given the true quality: at Q 5, 10, 20, 40, 60, 80, 95, 100 +1.68, 1.61, 1.61, 1.65, 1.61,
          1.45, 0.71, 0.00; at (10, 50) and (50, 30) with a shifted grid +1.54, 1.70. The gain was
          +1.33 at the start; after 2,000, 4,000, 6,000 steps it was +1.31, 1.33, 1.35. No run
          separates the effect of the larger crops from that of more training. Held-out results are
          in agarnet_jax/weights/tiny.md.
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
