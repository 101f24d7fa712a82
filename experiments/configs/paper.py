"""The paper's sizes: 9.66 M parameters, 2.14 M multiply-adds per pixel. For accelerators; not run.

Run:      python -m experiments.train --config=experiments/configs/paper.py --workdir=DIR \\
            --config.data.train_dir=TRAIN --config.data.eval_dir=VALID
Hardware: -
Duration: -
Result:   not run. The training settings are this project's choice; the paper's were not released.
"""

import ml_collections

from experiments.config import default_config


def get_config() -> ml_collections.ConfigDict:
    config = default_config("restorer")
    config.data.workers = 8
    config.data.eval_batch_size = 64
    config.train.steps = 500_000
    config.train.batch_size = 64
    config.train.learning_rate = 2e-4
    return config
