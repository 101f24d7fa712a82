"""How to split the budget of `tiny` (0.4 M parameters, 0.12 M multiply-adds a pixel).

Run:   python -m experiments.sweep --config=experiments/configs/tiny.py \\
         --space=experiments/sweeps/tiny_split.py --study=tiny_split --workdir=DIR --sampler=grid \\
         --config.data.train_dir=TRAIN --config.data.eval_dir=VALID \\
         --config.train.schedule.kind=constant --config.train.steps=1500 \\
         --config.train.eval_every=500
Claim: running.
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
    """Settings of the experiment by their dotted names; one parameter may decide several."""
    sizes = SPLITS[trial.suggest_categorical("split", list(SPLITS))]
    blocks: dict[str, object] = {"model.decoder2_blocks": 0, "model.decoder1_blocks": 0}
    return blocks | {f"model.{name}": size for name, size in zip(_SETTINGS, sizes)}
