"""Packs a restorer and an estimator into one weights file: two finished runs, or one of both.

    python -m experiments.pack_weights --restorer=WORKDIR --estimator=WORKDIR --out=FILE.safetensors
    python -m experiments.pack_weights --joint=WORKDIR --out=FILE.safetensors

Takes the averaged parameters of each run's best checkpoint (by its held-out score).
"""

from absl import flags

from agarnet_jax import weights
from experiments import program
from experiments.trained import Trained, best_of

_RESTORER = flags.DEFINE_string("restorer", None, "Working folder of the restorer's run.")
_ESTIMATOR = flags.DEFINE_string("estimator", None, "Working folder of the estimator's run.")
_JOINT = flags.DEFINE_string("joint", None, "Working folder of a run of both, instead of the two.")
_OUT = flags.DEFINE_string("out", None, "File to write.", required=True)


def packed() -> weights.Weights:
    """The networks that the flags name.

    Raises:
      ValueError: a run without a checkpoint or of another task, or the wrong flags together.
    """
    restorer, estimator, joint = _RESTORER.value, _ESTIMATOR.value, _JOINT.value
    if joint and not (restorer or estimator):
        both = _best_of(joint, "joint")
        return weights.Weights(
            both.model.restorer,
            both.params["restorer"],
            both.model.estimator,
            both.params["estimator"],
        )
    if restorer and estimator and not joint:
        parts = _best_of(restorer, "restorer"), _best_of(estimator, "estimator")
        return weights.Weights(*(value for part in parts for value in (part.model, part.params)))
    raise ValueError("Give --restorer and --estimator, or --joint alone.")


def _best_of(workdir: str, task: str) -> Trained:
    best = best_of(workdir, task=task)
    print(f"{task}: {workdir}, step {best.step}")
    return best


def main() -> None:
    with program.one_line_errors():
        weights.save(packed(), _OUT.value)
    print(f"Wrote {_OUT.value}.")


if __name__ == "__main__":
    program.start(main)
