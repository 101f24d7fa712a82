"""`tiny`: a narrow AGARNet restorer for machines without an accelerator, from random weights.

The shipped weights were trained further by `tiny_continued.py`, `tiny_large_crops.py`,
`tiny_muon.py` and `tiny_graphics.py`.

Run:      python -m experiments.train --config=experiments/configs/tiny.py --workdir=DIR \\
            --config.data.train_dir=TRAIN --config.data.eval_dir=VALID
Hardware: two CPU cores, shared with other jobs (40 to 130 thousand pixels per second).
Duration: about 80 minutes, 11,500 steps, 377 million pixels (2026-11-24). The schedule was chosen
          during the run: a constant learning rate until step 7,650, then a linear decay; so the
          first 1,200 steps are those of the sweep in experiments/sweeps/tiny_split.py. With this
          file as it stands, the decay also starts at step 7,650; the data order is that of seed 0.
          The last convolution of the pixel branch was initialized at random, as in all runs until
          2026-11-30; now it is initialized to zero. 382,653 parameters, 0.103 M multiply-adds per
          pixel.
Result:   +1.15 dB over the JPEG, mean over the cases below of VALID (100 crops of DIV2K, their
          128×128 centres), given the true quality: at Q 5, 10, 20, 40, 60, 80, 95, 100 +1.45, 1.42,
          1.40, 1.42, 1.38, 1.23, 0.39, 0.00; at (10, 50) and (50, 30) with a shifted grid +1.35,
          1.49. After 7,500 and 10,000 steps the gain was +1.04 and +1.12.
"""

import ml_collections

from experiments.config import default_config


def get_config() -> ml_collections.ConfigDict:
    config = default_config("restorer")
    config.model.pixel_features = 16
    config.model.dct_features = 8
    config.model.dct_blocks = 6
    config.model.encoder1_blocks = 1
    config.model.encoder2_blocks = 2
    config.model.encoder4_blocks = 2
    config.model.decoder2_blocks = 0
    config.model.decoder2_gated_blocks = 2
    config.model.decoder1_blocks = 0
    config.model.decoder1_gated_blocks = 2
    config.model.gate_features = 32
    config.model.correction_gate = True
    config.data.degradation.mixture.jpeg = 0.7
    config.data.degradation.mixture.recompression = 0.3
    config.data.planes.full, config.data.planes.studio = 0.45, 0.45
    config.data.planes.cb, config.data.planes.cr = 0.05, 0.05
    config.data.eval_crop = 128
    config.data.eval_qualities = (5, 10, 20, 40, 60, 80, 95, 100)
    config.data.eval_doubles = ((10, 50), (50, 30))
    config.train.schedule.kind = "stable_decay"
    config.train.schedule.decay_share = 0.35
    config.train.steps = 11_500
    config.train.batch_size = 8
    return config
