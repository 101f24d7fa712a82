"""Adam or Muon, and at which learning rate, for a restorer as narrow as `tiny` from random weights.

Run:   python -m experiments.sweep --config=experiments/configs/tiny_large_crops.py \\
         --space=experiments/sweeps/optimizers.py --study=optimizers --workdir=DIR \\
         --sampler=grid --pruner=none \\
         --config.data.train_dir=TRAIN --config.data.eval_dir=VALID --config.init_from= \\
         --config.data.crop=64 --config.train.batch_size=8 --config.train.seed=11 \\
         --config.train.steps=800 --config.train.eval_every=800 \\
         --config.train.warmup_steps=50 --config.train.ema_decay=0.99
Claim: gain in PSNR, dB, mean over the cases of `tiny.py` on 100 crops of DIV2K after 800 steps of
       8 crops of 64×64 (2026-11-28, two CPU cores, 3 to 5 minutes each; run one by one with
       `experiments.train` and the same settings):

       | optimizer | rate 1e-3 | rate 3e-3 |
       |-----------|-----------|-----------|
       | adam      | +0.436    | +0.706    |
       | muon      | +0.711    | +0.874    |

       A Muon step took 5 to 7 % longer (medians of the logs). From weights that had already been
       trained for long, the two are closer: 600 steps of 4 crops of 128×128 from `tiny` gave +1.345
       (adam) and +1.348 (muon) at 7e-4, and +1.356 (muon) at 2.5e-4; the start was +1.357.

       The last convolution of the pixel branch was initialized at random, as in all runs until
       2026-11-30.
"""

import optuna

KINDS, RATES = ["adam", "muon"], [1e-3, 3e-3]
GRID = {"kind": KINDS, "learning_rate": RATES}


def suggest(trial: optuna.Trial) -> dict[str, object]:
    """Returns settings by their dotted names; one parameter may determine several settings."""
    return {
        "train.optimizer.kind": trial.suggest_categorical("kind", KINDS),
        "train.learning_rate": trial.suggest_categorical("learning_rate", RATES),
    }
