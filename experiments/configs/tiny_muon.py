"""The last part of the training of `tiny`: on from the weights of `tiny_large_crops.py`, with Muon.

Run:      python -m experiments.train --config=experiments/configs/tiny_muon.py --workdir=DIR \\
            --config.init_from=FILE --config.data.train_dir=TRAIN --config.data.eval_dir=VALID
          FILE has the restorer that `tiny_large_crops.py` trained (`experiments.pack_weights`).
          Without it, on from the shipped weights.
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
