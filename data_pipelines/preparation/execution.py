"""Runs a Beam pipeline, here or where its options say."""

import contextlib
from collections.abc import Callable

from data_pipelines.preparation import beam_options, local
from data_pipelines.preparation.quiet_beam import PipelineOptions, PipelineState, beam


class PipelineError(ValueError):
    """The failure of a pipeline to run or to finish; the message says why, on one line."""


def run(build: Callable[[beam.Pipeline], None], options: PipelineOptions) -> None:
    """Builds a pipeline and waits for its end.

    Args:
      build: adds all steps.
      options: of Beam.

    Raises:
      PipelineError: the runner is not to be had, a worker failed, or the run was not completed.
    """
    is_local = beam_options.is_local(options)
    with local.runner(options) if is_local else contextlib.nullcontext() as runner:
        try:
            pipeline = beam.Pipeline(runner=runner, options=options)
        except (ImportError, ValueError) as error:  # the runner's, one line each
            reasons = "; ".join(line.strip() for line in str(error).strip().splitlines())
            raise PipelineError(f"Beam: {reasons}") from error
        build(pipeline)
        try:
            state = local.finish(pipeline) if is_local else pipeline.run().wait_until_finish()
        except Exception as error:  # what a step raised here, or a worker's whole traceback
            lines = str(error).strip().splitlines() or [type(error).__name__]
            raise PipelineError(f"Beam: {lines[-1]}") from error
    if state != PipelineState.DONE:
        raise PipelineError(f"Beam: the pipeline ended as {state}.")
