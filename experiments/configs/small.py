"""`small`: twice the widths of `tiny`, initialized by growing its weights.

The shipped weights were trained further by `small_large_crops.py` and `small_graphics.py`.

Run:      python -m experiments.train --config=experiments/configs/small.py --workdir=FIRST \\
            --config.data.train_dir=TRAIN --config.data.eval_dir=VALID
          Then again, from its own weights packed into FILE by `experiments.pack_weights`:
          python -m experiments.train --config=experiments/configs/small.py --workdir=SECOND \\
            --config.data.train_dir=TRAIN --config.data.eval_dir=VALID --config.init_from=FILE \\
            --config.train.init_fit=exact --config.train.seed=3 --config.train.steps=6250 \\
            --config.train.schedule.decay_share=0.8
          The first 3,062 steps of this part ran with --config.train.steps=7500; after the change,
          the learning rate, which had begun to decay, decayed faster.
Hardware: two CPU cores, shared with other jobs (30 to 50 thousand pixels per second).
Duration: 76 minutes for 6,000 steps and about 85 minutes for 6,250 steps; 401 million pixels
          (2026-11-25), starting from the `tiny` of that day. Evaluated on 128×128 centres of VALID.
Result:   +1.39 dB over the JPEG, mean over the cases of VALID of `tiny.py`, given the true quality
          (`tiny`: +1.33): at Q 5, 10, 20, 40, 60, 80, 95, 100 +1.67, 1.62, 1.65, 1.71, 1.68, 1.52,
          0.79, 0.00; at (10, 50) and (50, 30) with a shifted grid +1.54, 1.73. After 2,000, 4,000,
          6,000 steps of the first part the gain was +1.29, 1.31, 1.35; after 2,500 steps of the
          second, at a high learning rate again, +1.33. Held-out results are in
          agarnet_jax/weights/small.md.
"""

import ml_collections

from experiments.configs import tiny_continued


def get_config() -> ml_collections.ConfigDict:
    config = tiny_continued.get_config()
    config.train.init_fit = "grown"
    config.model.pixel_features = 32
    config.model.dct_features = 16
    config.train.seed = 2
    config.train.steps = 6_000
    return config
