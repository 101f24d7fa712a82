"""The restorer that ships as `tiny`: a narrow AGARNet for machines without an accelerator.

Run:      python -m experiments.train --config=experiments/configs/tiny.py --workdir=DIR \\
            --config.data.train_dir=TRAIN --config.data.eval_dir=VALID
Hardware: two CPU cores, shared with the estimator's run.
Duration: 98 minutes, 19,000 steps, 623 million pixels (2026-11-22). The schedule was laid out for
          22,000 steps and shortened to 19,000 at step 12,000; the data order was that of seed 0.
Result:   +1.35 dB over the JPEG, mean over Q 10, 20, 40, 60, 80 of VALID (100 crops of DIV2K),
          true quality; held-out results are in agarnet_jax/weights/tiny.md.
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
    config.data.eval_qualities = (5, 10, 20, 40, 60, 80, 95, 100)
    config.data.eval_doubles = ((10, 50), (50, 30))
    config.train.steps = 19_000
    config.train.batch_size = 8
    return config
