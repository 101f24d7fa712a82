"""The fourth part of the training of `tiny`: continues from `tiny_large_crops.py` with Muon.

Run:      python -m experiments.train --config=experiments/configs/tiny_muon.py --workdir=FIRST \\
            --config.init_from=FILE --config.data.train_dir=TRAIN --config.data.eval_dir=VALID
          FILE contains the restorer trained by `tiny_large_crops.py` (`experiments.pack_weights`);
          without --config.init_from, training starts from the shipped weights. Then again, from
          its own weights packed into FILE:
          python -m experiments.train --config=experiments/configs/tiny_muon.py --workdir=SECOND \\
            --config.init_from=FILE --config.data.train_dir=TRAIN --config.data.eval_dir=VALID \\
            --config.train.seed=8 --config.train.steps=11500 --config.train.learning_rate=1.5e-3
Hardware: two CPU cores, shared with light jobs (150 to 210 thousand pixels per second).
Duration: 91 minutes for 15,000 steps and 72 minutes for 11,500 steps; 1,737 million pixels
          (2026-11-28).
Result:   +1.44 dB over the JPEG, mean over the cases of VALID of `tiny.py` (their 128×128 centres),
          given the true quality: at Q 5, 10, 20, 40, 60, 80, 95, 100 +1.76, 1.69, 1.70, 1.77, 1.74,
          1.58, 0.83, 0.00; at (10, 50) and (50, 30) with a shifted grid +1.59, 1.78. The gain was
          +1.36 at the start; after 3,000, 6,000, 9,000, 12,000, 15,000 steps of the first part it
          was +1.30, 1.34, 1.37, 1.40, 1.42, after 2,500, 5,000, 7,500, 10,000 of the second +1.38,
          1.40, 1.42, 1.44. Held-out results are in agarnet_jax/weights/tiny.md.
"""

import ml_collections

from experiments.configs import tiny_large_crops


def get_config() -> ml_collections.ConfigDict:
    config = tiny_large_crops.get_config()
    config.train.optimizer.kind = "muon"
    config.train.seed = 6
    config.train.steps = 15_000
    config.train.learning_rate = 2e-3
    return config
