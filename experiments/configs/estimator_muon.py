"""The last part of the training of `tiny`'s estimator: continues from `estimator.py` with Muon and
crops of 256×256 throughout.

Run:      python -m experiments.train --config=experiments/configs/estimator_muon.py \\
            --workdir=DIR --config.init_from=FILE --config.data.train_dir=TRAIN \\
            --config.data.eval_dir=VALID
          FILE contains the estimator trained by `estimator.py` (`experiments.pack_weights`);
          without --config.init_from, training starts from the shipped weights. Then again, from
          its own weights packed into FILE, with --config.train.seed=2 --config.train.steps=4500.
Hardware: one NVIDIA H200 with 16 cores for a first part, then two CPU cores.
Duration: first part: 3 minutes (2026-11-28), the first 987 of 2,500 steps, with
          --config.train.batch_size=32 --config.train.warmup_steps=100
          --config.train.schedule.decay_share=0.7, on 503 of the 802 images, some of them cropped.
          Second part, from the averaged weights of the first, with this file as it stands:
          10 minutes, 2,000 steps. Third part, from those: 22 minutes, 4,500 steps. 8,886 million
          pixels in total.
Result:   mean absolute error as in `estimator.py`, at Q 5, 10, 20, 40, 60, 80, 90, 95: 0.6, 0.6,
          1.3, 2.6, 3.3, 1.6, 1.6, 1.9 (`estimator.py`: 0.6, 0.8, 1.4, 3.2, 3.6, 2.6, 2.1, 2.3);
          after double compression with a shifted grid at (30, 10), (10, 50), (50, 30), (10, 90):
          0.7, 2.3, 3.4, 2.1 (0.8, 5.5, 3.9, 8.5); on images whose halves have Q 10 and 50, or 30
          and 80: 1.8, 1.6 (2.1, 2.3). The mean over all images was 3.1, 2.4, 2.2, 2.1 after 500,
          1,000, 1,500, 2,000 steps of the second part, and 2.3, 2.0, 1.8 after 1,500, 3,000, 4,500
          steps of the third: it was still falling.
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
