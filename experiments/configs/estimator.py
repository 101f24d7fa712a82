"""The quality estimator that ships with `tiny`: the released topology, narrower.

Run:      python -m experiments.train --config=experiments/configs/estimator.py --workdir=DIR \\
            --config.data.train_dir=TRAIN --config.data.eval_dir=VALID
Hardware: two CPU cores, shared with much other work.
Duration: about 85 minutes (2026-11-24), 9,000 steps. The first 1,946 had 8 crops of 256×256; when
          decay begins was decided during the run. It began (`init_from`) from weights that had
          learned single compression of luma in 77 minutes on 2026-11-22; as this file stands it
          begins at random, which was not run.
          Crops of 128×128 four times as many a step taught it old compressions under new ones: the
          error on (10, 50) fell from 32 to 7 in 2,000 steps, from 51 to 32 in 1,500 before. But in
          them every cell touches the border, where convolutions see zeros: hence the last 3,000
          steps with crops of 256×256.
Result:   mean absolute error on 192×192 centres of VALID (100 crops of DIV2K) at Q 5, 10, 20, 40,
          60, 80, 90, 95: 0.6, 0.8, 1.4, 3.2, 3.6, 2.6, 2.1, 2.3; on two compressions off the
          grid (30, 10), (10, 50), (50, 30), (10, 90): 0.8, 5.5, 3.9, 8.5; on halves of 10 and 50,
          of 30 and 80: 2.1, 2.3.
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
