"""Runs a Beam pipeline, locally or on the runner that its options name."""

import contextlib
from collections.abc import Callable

from data_pipelines.preparation import beam_options, local
from data_pipelines.preparation.quiet_beam import PipelineOptions, PipelineState, beam


class PipelineError(ValueError):
    """Raised when a pipeline cannot run or finish; the one-line message gives the reason."""


def run(build: Callable[[beam.Pipeline], None], options: PipelineOptions) -> None:
    """Builds a pipeline, runs it and waits until it finishes.

    Args:
      build: adds all steps to the pipeline.
      options: Beam's options.

    Raises:
      PipelineError: the runner is not available, a worker failed, or the run did not complete.
    """
    is_local = beam_options.is_local(options)
    with local.runner(options) if is_local else contextlib.nullcontext() as runner:
        try:
            pipeline = beam.Pipeline(runner=runner, options=options)
        except (ImportError, ValueError) as error:  # the runner's reasons, one per line
            reasons = "; ".join(line.strip() for line in str(error).strip().splitlines())
            raise PipelineError(f"Beam: {reasons}") from error
        build(pipeline)
        try:
            state = local.finish(pipeline) if is_local else pipeline.run().wait_until_finish()
        except Exception as error:  # a step's own exception, or a worker's whole traceback
            lines = str(error).strip().splitlines() or [type(error).__name__]
            raise PipelineError(f"Beam: {lines[-1]}") from error
    if state != PipelineState.DONE:
        raise PipelineError(f"Beam: the pipeline ended in state {state}.")
