"""Imports Beam without its side effects on logging.

If BigQuery's client is missing, importing Beam would log a warning and install a handler for it.
"""

import logging

_handlers = list(logging.root.handlers)
logging.disable(logging.WARNING)
try:
    import apache_beam as beam
    from apache_beam.io.filesystem import CompressionTypes
    from apache_beam.io.filesystems import FileSystems
    from apache_beam.options.pipeline_options import (
        DirectOptions,
        PipelineOptions,
        StandardOptions,
    )
    from apache_beam.portability.api import beam_provision_api_pb2
    from apache_beam.runners.portability.fn_api_runner import fn_runner
    from apache_beam.runners.portability.portable_runner import JobServiceHandle
    from apache_beam.runners.runner import PipelineState
    from apache_beam.runners.worker import sdk_worker_main
    from apache_beam.transforms.environments import SubprocessSDKEnvironment
except ModuleNotFoundError as error:
    if error.name != "apache_beam":
        raise
    raise ModuleNotFoundError(
        "Apache Beam is not installed: pip install 'agarnet-jax[beam]'."
    ) from error
finally:
    logging.disable(logging.NOTSET)
    logging.root.handlers[:] = _handlers

__all__ = [
    "CompressionTypes",
    "DirectOptions",
    "FileSystems",
    "JobServiceHandle",
    "PipelineOptions",
    "PipelineState",
    "StandardOptions",
    "SubprocessSDKEnvironment",
    "beam",
    "beam_provision_api_pb2",
    "fn_runner",
    "sdk_worker_main",
]
