"""Trains a restorer, an estimator, or both jointly.

    python -m experiments.train --config=experiments/configs/tiny.py --workdir=DIR \\
      --config.data.train_dir=FOLDER [--config.data.eval_dir=FOLDER] [--config.KEY=VALUE …]

Run again with the same --workdir to continue from the latest checkpoint. SIGTERM, SIGINT and SIGHUP
(a closed terminal) save a checkpoint and exit with codes 143, 130 and 129; a second signal exits at
once. Invalid settings, and gradients that stay non-finite, end the program with a one-line message
and exit code 1.

For several hosts, run the same command on each with --distributed (TPU pods, Slurm and GKE provide
the addresses) or with --coordinator_address=HOST:PORT --num_processes=N --process_id=I
(docs/tpu.md).
"""

import contextlib
import errno
import os
import sys

import jax
from absl import flags
from ml_collections import config_flags

from agarnet_jax import distributed, runtime
from agarnet_jax.checkpoint import CheckpointError
from agarnet_jax.remote_paths import check_reachable
from agarnet_jax.training.growth import MisfitError
from experiments import program
from experiments.config import from_config_dict
from experiments.training_run import run

_CONFIG = config_flags.DEFINE_config_file("config", None, "Experiment configuration file.")
_WORKDIR = flags.DEFINE_string("workdir", None, "Folder for checkpoints and logs.", required=True)
_STOP_AT = flags.DEFINE_integer(
    "stop_at", None, "Save and exit at this step; run again without it to continue.", lower_bound=1
)
_PROFILE = flags.DEFINE_list(
    "profile_steps", None, "FIRST,LAST step to profile, counted from 1; written to WORKDIR/profile."
)
_DISTRIBUTED = flags.DEFINE_boolean(
    "distributed", False, "Run as one of several processes, found automatically."
)
_COORDINATOR = flags.DEFINE_string("coordinator_address", None, "HOST:PORT of process 0.")
_PROCESSES = flags.DEFINE_integer("num_processes", None, "Number of processes of the run.")
_PROCESS = flags.DEFINE_integer("process_id", None, "Index of this process, from 0.")
_PROCESS_TIMEOUT = flags.DEFINE_float(
    "process_timeout",
    60,
    "Seconds without a heartbeat after which a process counts as lost; at least 1.",
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
    raise ValueError(
        f"--profile_steps is {given}; expected the first and last step, such as 10,20."
    )


def _join_processes() -> contextlib.AbstractContextManager[None]:
    """Joins the other processes of the run, if the flags name any."""
    cluster = distributed.Cluster(_COORDINATOR.value, _PROCESSES.value, _PROCESS.value)
    if _DISTRIBUTED.value or cluster != distributed.Cluster():
        return distributed.joined(cluster, timeout=_PROCESS_TIMEOUT.value)
    return contextlib.nullcontext()


def _disk_full_reason(error: Exception) -> str:
    """Returns the system's message for a full disk or quota if the error contains it, else ""."""
    messages = (os.strerror(number) for number in (errno.ENOSPC, errno.EDQUOT))
    return next((message for message in messages if message in f"{error}"), "")


def main() -> None:
    with contextlib.ExitStack() as stack:
        with program.one_line_errors():
            experiment = from_config_dict(_CONFIG.value)
            profile_steps = _profile_steps()
            check_reachable(_WORKDIR.value)
            stack.enter_context(_join_processes())
        runtime.prepare(batch_size=experiment.batch_size_gcd)
        try:
            run(experiment, _WORKDIR.value, stop_at=_STOP_AT.value, profile_steps=profile_steps)
        except (CheckpointError, MisfitError, FloatingPointError) as error:
            raise SystemExit(f"{error}") from None
        except (OSError, ValueError) as error:  # checkpointing raises both for a full disk
            if not (reason := _disk_full_reason(error)):
                raise
            message = (
                f"{_WORKDIR.value!r} cannot be written: {reason}; free space and run the same "
                "command again."
            )
            if jax.process_count() == 1:  # several end at once, too, in `distributed.joined`
                print(message, file=sys.stderr)
                runtime.exit_now(1)  # otherwise, writes that Orbax has abandoned print tracebacks
            raise SystemExit(message) from None


if __name__ == "__main__":
    flags.mark_flag_as_required("config")
    program.start(main)
