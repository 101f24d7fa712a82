"""The quality estimator that ships with `tiny`: the released topology, but narrower.

Run:      python -m experiments.train --config=experiments/configs/estimator.py --workdir=DIR \\
            --config.data.train_dir=TRAIN --config.data.eval_dir=VALID
Hardware: two CPU cores, shared with many other jobs.
Duration: about 85 minutes (2026-11-24), 9,000 steps. The first 1,946 steps used 8 crops of 256×256,
          and the start of the decay was chosen during the run. Training started (`init_from`) from
          weights that had been trained on single compression of luma for 77 minutes on 2026-11-22.
          As it stands, this file starts from random weights, which has not been run.
          With crops of 128×128, four times as many per step, the estimator learned to recognize an
          earlier compression: the error on (10, 50) fell from 32 to 7 in 2,000 steps; before that,
          it fell from 51 to 32 in 1,500. But in these crops every cell touches the border, where
          convolutions see zero padding, so the last 3,000 steps use crops of 256×256.
Result:   mean absolute error on 192×192 centres of VALID (100 crops of DIV2K) at Q 5, 10, 20, 40,
          60, 80, 90, 95: 0.6, 0.8, 1.4, 3.2, 3.6, 2.6, 2.1, 2.3; after double compression with a
          shifted grid at (30, 10), (10, 50), (50, 30), (10, 90): 0.8, 5.5, 3.9, 8.5; on images
          whose halves have Q 10 and 50, or 30 and 80: 2.1, 2.3.
"""

import ml_collections

from experiments.config import default_config


def get_config() -> ml_collections.ConfigDict:
    config = default_config("estimator")
    config.model.features = (16, 32, 48, 80)
    config.data.degradation.mixture.jpeg = 0.45
    config.data.degradation.mixture.recompression = 0.35
    config.data.degradation.mixture.mosaic = 0.2
    config.data.planes.full, config.data.planes.studio = 0.43, 0.43
    config.data.planes.cb, config.data.planes.cr = 0.07, 0.07
    config.data.crop = 128  # 2×2 cells
    config.data.crop_schedule = ((6000, 256, 8),)  # 4×4, four of them away from the border
    config.data.eval_crop = 192
    config.data.eval_qualities = (5, 10, 20, 40, 60, 80, 90, 95)
    config.data.eval_doubles = ((30, 10), (10, 50), (50, 30), (10, 90))
    config.data.eval_mosaics = ((10, 50), (30, 80))
    config.train.learning_rate = 6e-4
    config.train.schedule.kind = "stable_decay"
    config.train.schedule.decay_share = 0.4
    config.train.steps = 9_000
    config.train.batch_size = 32
    config.train.eval_every = 1_000
    return config
