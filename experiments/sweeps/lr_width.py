"""Learning rate and width of a restorer: does a wider network need a smaller learning rate?

Run:   python -m experiments.sweep --config=experiments/configs/smoke.py \\
         --space=experiments/sweeps/lr_width.py --study=lr_width --workdir=DIR --trials=20 \\
         --config.data.train_dir=TRAIN --config.data.eval_dir=VALID
Claim: none; an example for `docs/sweeps.md`.
"""

import optuna

# For --sampler=grid: the values of each parameter of `suggest`.
GRID = {"learning_rate": [1e-3, 3e-3], "width": [4, 8]}


def suggest(trial: optuna.Trial) -> dict[str, object]:
    """Returns settings by their dotted names; one parameter may determine several settings."""
    width = trial.suggest_int("width", 4, 8, step=4)
    return {
        "train.learning_rate": trial.suggest_float("learning_rate", 1e-4, 1e-2, log=True),
        "model.pixel_features": width,
        "model.dct_features": width,
        "model.gate_features": 2 * width,
    }
