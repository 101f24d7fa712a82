"""Plots of a study, drawn by Optuna with Matplotlib: no network, no browser."""

import io
import warnings

import matplotlib
import matplotlib.pyplot as plt
import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.trial import TrialState
from optuna.visualization import matplotlib as drawings

_ENOUGH = 2  # completed trials


def draw(study: optuna.Study) -> dict[str, bytes]:
    """Draws optimization history, parallel coordinates and parameter importance: PNG files by name.

    Importance is that of PED-ANOVA (Watanabe et al. 2023). Empty with fewer than two completed
    trials.
    """
    if len(study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))) < _ENOUGH:
        return {}
    matplotlib.use("Agg")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        warnings.simplefilter("ignore", UserWarning)  # few trials, a parameter with one value
        axes = {
            "history.png": drawings.plot_optimization_history(study, target_name="Score"),
            "parallel_coordinates.png": drawings.plot_parallel_coordinate(study),
            "importance.png": drawings.plot_param_importances(study),
        }
    return {name: _png(drawn) for name, drawn in axes.items()}


def _png(drawn: matplotlib.axes.Axes) -> bytes:
    buffer = io.BytesIO()
    drawn.figure.savefig(buffer, format="png", dpi=120, bbox_inches="tight")  # type: ignore[union-attr]
    plt.close(drawn.get_figure(root=True))
    return buffer.getvalue()
