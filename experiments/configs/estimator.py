"""The quality estimator that ships with `tiny`.

Run:      python -m experiments.train --config=experiments/configs/estimator.py --workdir=DIR \\
            --config.data.train_dir=TRAIN --config.data.eval_dir=VALID
"""

import ml_collections

from experiments.config import default_config


def get_config() -> ml_collections.ConfigDict:
    config = default_config("estimator")
    config.model.features = (16, 32, 48, 80)
    config.data.crop = 128  # four cells, so that most have neighbours as in a whole image
    config.train.steps = 18_000
    config.train.batch_size = 16
    return config
