"""Plots of a study, drawn by Optuna with Matplotlib, without network or browser."""

import io
import warnings

import matplotlib
import matplotlib.pyplot as plt
import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.trial import TrialState
from optuna.visualization import matplotlib as optuna_plots

_MIN_COMPLETED = 2


def draw(study: optuna.Study) -> dict[str, bytes]:
    """Draws optimization history, parallel coordinates and parameter importance as PNG files.

    Importance is computed by PED-ANOVA (Watanabe et al. 2023).

    Returns:
      The contents of the files by name; empty with fewer than two completed trials.
    """
    if len(study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))) < _MIN_COMPLETED:
        return {}
    matplotlib.use("Agg")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        # About few trials, or a parameter with one value.
        warnings.simplefilter("ignore", UserWarning)
        axes = {
            "history.png": optuna_plots.plot_optimization_history(study, target_name="Score"),
            "parallel_coordinates.png": optuna_plots.plot_parallel_coordinate(study),
            "importance.png": optuna_plots.plot_param_importances(study),
        }
    return {name: _png(plot) for name, plot in axes.items()}


def _png(plot: matplotlib.axes.Axes) -> bytes:
    buffer = io.BytesIO()
    plot.figure.savefig(buffer, format="png", dpi=120, bbox_inches="tight")  # type: ignore[union-attr]
    plt.close(plot.get_figure(root=True))
    return buffer.getvalue()
