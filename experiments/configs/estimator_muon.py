"""The last part of the training of the estimator of `tiny`: on from the weights of `estimator.py`,
with Muon, on crops of 256×256 from the start.

Run:      python -m experiments.train --config=experiments/configs/estimator_muon.py \\
            --workdir=DIR --config.init_from=FILE --config.data.train_dir=TRAIN \\
            --config.data.eval_dir=VALID
          FILE has the estimator that `estimator.py` trained (`experiments.pack_weights`). Without
          it, on from the shipped weights. Then on from its own, packed into FILE, with
          --config.train.seed=2 --config.train.steps=4500.
Hardware: one NVIDIA H200 with 16 cores for a first part, then two CPU cores.
Duration: 3 minutes (2026-11-28): the first 987 of 2,500 steps, with
          --config.train.batch_size=32 --config.train.warmup_steps=100
          --config.train.schedule.decay_share=0.7, on 503 of the 802 images, some cut smaller. From
          their average, as it stands: 10 minutes, 2,000 steps; on from these: 22 minutes, 4,500
          steps. 8,886 million pixels in all.
Result:   mean absolute error as in `estimator.py`, at Q 5, 10, 20, 40, 60, 80, 90, 95: 0.6, 0.6,
          1.3, 2.6, 3.3, 1.6, 1.6, 1.9 (`estimator.py`: 0.6, 0.8, 1.4, 3.2, 3.6, 2.6, 2.1, 2.3); on
          two compressions off the grid (30, 10), (10, 50), (50, 30), (10, 90): 0.7, 2.3, 3.4, 2.1
          (0.8, 5.5, 3.9, 8.5); on halves of 10 and 50, of 30 and 80: 1.8, 1.6 (2.1, 2.3). The mean
          over images was 3.1, 2.4, 2.2, 2.1 after 500, 1,000, 1,500, 2,000 steps of the second
          part, 2.3, 2.0, 1.8 after 1,500, 3,000, 4,500 of the third: still falling.
"""

import ml_collections

from experiments.configs import estimator


def get_config() -> ml_collections.ConfigDict:
    config = estimator.get_config()
    config.init_from = "tiny"
    config.data.crop = 256
    config.data.crop_schedule = ()
    config.train.optimizer.kind = "muon"
    config.train.learning_rate = 2e-3
    config.train.seed = 1
    config.train.steps = 2_000
    config.train.batch_size = 16
    config.train.warmup_steps = 50
    config.train.schedule.decay_share = 0.9
    config.train.eval_every = 500
    return config
