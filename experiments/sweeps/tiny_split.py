"""How to split the budget of `tiny` (0.4 M parameters, 0.12 M multiply-adds per pixel).

Run:   python -m experiments.sweep --config=experiments/configs/tiny.py \\
         --space=experiments/sweeps/tiny_split.py --study=tiny_split --workdir=DIR \\
         --sampler=grid --pruner=none \\
         --config.data.train_dir=TRAIN --config.data.eval_dir=VALID \\
         --config.data.eval_qualities="(10,40,80,95)" --config.data.eval_doubles="()" \\
         --config.data.eval_crop=128 --config.train.schedule.kind=constant \\
         --config.train.steps=1200 --config.train.eval_every=600
Claim: gain in PSNR, dB, mean over those qualities on 100 crops of DIV2K after 600 and 1,200 steps
       of 8 crops of 64×64 (2026-11-24, two CPU cores under other load, about 10 minutes each):

       | split          | parameters | multiply-adds / pixel | 600    | 1,200  |
       |----------------|------------|-----------------------|--------|--------|
       | pixel 16-8     |    382,653 |               0.103 M | +0.271 | +0.430 |
       | deep 12-8      |    366,153 |               0.087 M | +0.240 | +0.338 |
       | frequency 8-16 |    297,773 |               0.115 M | +0.196 | +0.336 |
       | balanced 12-12 |    391,021 |               0.111 M | +0.230 | +0.322 |

       The last one was trained on 2026-11-29, when pixel 16-8 had +0.233 after 600 steps.

       This early, the shallower and wider network may be ahead because it learns faster, not
       because it ends higher. But training time is limited as well, so `tiny` uses the first split.

       The last convolution of the pixel branch was initialized at random, as in all runs until
       2026-11-30.
"""

import optuna

# pixel width, DCT width, 3D blocks; encoder 1, encoder 2, gated bottom; gated decoder 2, 1
SPLITS = {
    "balanced 12-12": (12, 12, 6, 2, 2, 5, 2, 2),
    "deep 12-8": (12, 8, 8, 2, 2, 5, 2, 2),
    "frequency 8-16": (8, 16, 5, 2, 2, 8, 2, 2),
    "pixel 16-8": (16, 8, 6, 1, 2, 2, 2, 2),
}
GRID = {"split": list(SPLITS)}
_SETTINGS = (
    "pixel_features",
    "dct_features",
    "dct_blocks",
    "encoder1_blocks",
    "encoder2_blocks",
    "encoder4_blocks",
    "decoder2_gated_blocks",
    "decoder1_gated_blocks",
)


def suggest(trial: optuna.Trial) -> dict[str, object]:
    """Returns settings by their dotted names; one parameter may determine several settings."""
    sizes = SPLITS[trial.suggest_categorical("split", list(SPLITS))]
    blocks: dict[str, object] = {"model.decoder2_blocks": 0, "model.decoder1_blocks": 0}
    return blocks | {f"model.{name}": size for name, size in zip(_SETTINGS, sizes)}
