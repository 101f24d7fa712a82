"""Fine-tunes `tiny` for blind use: the restorer is trained on the estimator's output.

Run:      python -m experiments.train --config=experiments/configs/joint.py --workdir=DIR \\
            --config.data.train_dir=TRAIN --config.data.eval_dir=VALID
          python -m experiments.pack_weights --joint=DIR --out=FILE.safetensors
Hardware: -
Duration: -
Result:   not run. The settings are this project's choice: a tenth of the learning rate of `tiny`,
          and crops large enough that some cells do not touch the border.
"""

import ml_collections

from experiments.config import default_config
from experiments.configs import estimator, tiny


def get_config() -> ml_collections.ConfigDict:
    config = default_config("joint")
    config.init_from = "tiny"
    config.model.restorer.update(tiny.get_config().model)
    config.model.estimator.update(estimator.get_config().model)
    config.data.crop = 256
    config.train.steps = 5_000
    config.train.batch_size = 4
    config.train.learning_rate = 1e-4
    config.train.warmup_steps = 100
    return config
