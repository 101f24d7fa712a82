"""Trains a restorer, an estimator, or both jointly.

    python -m experiments.train --config=experiments/configs/tiny.py --workdir=DIR \
      --config.data.train_dir=FOLDER [--config.data.eval_dir=FOLDER] [--config.KEY=VALUE …]

Run again with the same --workdir to continue from its latest checkpoint. SIGTERM, SIGINT and SIGHUP
(a closed terminal) save and leave, with exit codes 143, 130 and 129; a second one leaves at once.
What cannot be used, and gradients that stay non-finite, end the program with one line and exit code
1.

Many hosts run the same command with --distributed, where a TPU pod, Slurm or GKE says who they are,
or else each with --coordinator_address=HOST:PORT --num_processes=N --process_id=I (docs/tpu.md).
"""

import contextlib
import errno
import json
import os

from absl import flags
from ml_collections import config_flags

from agarnet_jax import distributed, runtime
from agarnet_jax.checkpoint import CheckpointError
from agarnet_jax.configs import to_plain
from agarnet_jax.remote_paths import check_reachable
from agarnet_jax.training.growth import MisfitError
from experiments import program
from experiments.config import from_config_dict
from experiments.training_run import run

_CONFIG = config_flags.DEFINE_config_file("config", None, "Experiment configuration file.")
_WORKDIR = flags.DEFINE_string("workdir", None, "Folder for checkpoints and logs.", required=True)
_STOP_AT = flags.DEFINE_integer(
    "stop_at", None, "Save and leave at this step, to continue later.", lower_bound=1
)
_PROFILE = flags.DEFINE_list(
    "profile_steps", None, "FIRST,LAST step, from 1, to profile below WORKDIR/profile."
)
_DISTRIBUTED = flags.DEFINE_boolean("distributed", False, "One of many processes of one run.")
_COORDINATOR = flags.DEFINE_string("coordinator_address", None, "HOST:PORT of process 0.")
_PROCESSES = flags.DEFINE_integer("num_processes", None, "How many processes the run has.")
_PROCESS = flags.DEFINE_integer("process_id", None, "Which of them this one is, from 0.")
_PROCESS_TIMEOUT = flags.DEFINE_float(
    "process_timeout",
    60,
    "Seconds, from 1, without a sign of life after which a process counts as lost.",
    lower_bound=1,
)


def _profile_steps() -> tuple[int, int] | None:
    if not _PROFILE.value:
        return None
    try:
        first, last = map(int, _PROFILE.value)
        if 1 <= first <= last:
            return first, last
    except ValueError:
        pass
    given = ",".join(_PROFILE.value)
    raise ValueError(f"--profile_steps is {given}; it takes the first and last step, as 10,20.")


def _joined() -> contextlib.AbstractContextManager[None]:
    """Joins the other processes that the flags name, if any."""
    cluster = distributed.Cluster(_COORDINATOR.value, _PROCESSES.value, _PROCESS.value)
    if _DISTRIBUTED.value or cluster != distributed.Cluster():
        return distributed.joined(cluster, timeout=_PROCESS_TIMEOUT.value)
    return contextlib.nullcontext()


def _full(error: Exception) -> str:
    """Returns the system's words for a full disk or quota if the error has them, else nothing."""
    known = (os.strerror(number) for number in (errno.ENOSPC, errno.EDQUOT))
    return next((words for words in known if words in f"{error}"), "")


def main() -> None:
    with contextlib.ExitStack() as stack:
        with program.one_line_errors():
            experiment = from_config_dict(_CONFIG.value)
            profile_steps = _profile_steps()
            check_reachable(_WORKDIR.value)
            stack.enter_context(_joined())
        runtime.prepare(batch_size=experiment.devices_divide)
        distributed.print_once(f"Configuration: {json.dumps(to_plain(experiment))}")
        try:
            run(experiment, _WORKDIR.value, stop_at=_STOP_AT.value, profile_steps=profile_steps)
        except (CheckpointError, MisfitError, FloatingPointError) as error:
            raise SystemExit(f"{error}") from None
        except (OSError, ValueError) as error:  # the storage of checkpoints raises both
            if not (reason := _full(error)):
                raise
            raise SystemExit(
                f"{_WORKDIR.value!r} cannot be written: {reason}; free space and run the same "
                "command again."
            ) from None


if __name__ == "__main__":
    flags.mark_flag_as_required("config")
    program.start(main)
