"""The last part of the training of `tiny`: continues from `tiny_muon.py`, also on text and shapes.

Run:      python -m experiments.train --config=experiments/configs/tiny_graphics.py \\
            --workdir=FIRST --config.init_from=FILE --config.data.train_dir=TRAIN \\
            --config.data.eval_dir=VALID
          FILE contains the restorer trained by `tiny_muon.py` (`experiments.pack_weights`); without
          --config.init_from, training starts from the shipped weights. Photographs lose a little by
          this, which the mean with the weights before hardly does. Then again, from that mean:
          python -m experiments.pack_weights --restorer=FILE --restorer=FIRST --estimator=tiny \\
            --out=MEAN
          python -m experiments.train --config=experiments/configs/tiny_graphics.py \\
            --workdir=SECOND --config.init_from=MEAN --config.data.train_dir=TRAIN \\
            --config.data.eval_dir=VALID --config.train.seed=23 --config.train.steps=3600 \\
            --config.train.learning_rate=6e-4
          and the mean of all three is shipped:
          python -m experiments.pack_weights --restorer=FILE --restorer=FIRST --restorer=SECOND \\
            --estimator=tiny --out=tiny.safetensors
Hardware: two CPU cores, shared with other jobs (150 to 220 thousand pixels per second).
Duration: 60 minutes for 9,000 steps, 20 minutes for 3,600 steps; 826 million pixels (2026-12-01).
Result:   RESULT
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
