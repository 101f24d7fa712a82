"""Learning rate and width of a restorer: does a wider network want a smaller rate?

Run:   python -m experiments.sweep --config=experiments/configs/smoke.py \\
         --space=experiments/sweeps/lr_width.py --study=lr_width --workdir=DIR --trials=20 \\
         --config.data.train_dir=TRAIN --config.data.eval_dir=VALID
Claim: an example, see `docs/sweeps.md`.
"""

import optuna

# For --sampler=grid: the values of each parameter that `suggest` asks for.
GRID = {"learning_rate": [1e-3, 3e-3], "width": [4, 8]}


def suggest(trial: optuna.Trial) -> dict[str, object]:
    """Settings of the experiment by their dotted names; one parameter may decide several."""
    width = trial.suggest_int("width", 4, 8, step=4)
    return {
        "train.learning_rate": trial.suggest_float("learning_rate", 1e-4, 1e-2, log=True),
        "model.pixel_features": width,
        "model.dct_features": width,
        "model.gate_features": 2 * width,
    }
