"""Small pipelines on Beam's local runner."""

import subprocess
import sys

import pytest

pytest.importorskip("apache_beam")
from data_pipelines.preparation import beam_options, execution
from data_pipelines.preparation.quiet_beam import beam

# A separate program, since Beam waits forever for lost workers.
WRITE_IN_PROCESSES = """
import sys
from data_pipelines.preparation import beam_options, execution, files
from data_pipelines.preparation.quiet_beam import beam

def build(pipeline):
    pipeline | beam.Create(sys.argv[1:]) | beam.Map(files.write, b"done")

execution.run(build, beam_options.parse(["--direct_num_workers=2"]))
"""


def test_worker_processes_run_arbitrary_pipelines(tmp_path):
    paths = [tmp_path / name for name in "ab"]
    command = [sys.executable, "-c", WRITE_IN_PROCESSES, *paths]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr
    assert [path.read_bytes() for path in paths] == [b"done", b"done"]


def test_an_exception_in_a_step_is_reported_on_one_line():
    def fail(_):
        raise KeyError("this")

    def build(pipeline):
        _ = pipeline | beam.Create([1]) | "Failing" >> beam.Map(fail)

    options = beam_options.parse(["--direct_running_mode=in_memory"])
    with pytest.raises(execution.PipelineError, match=r"^Beam: .*this.*Failing") as error:
        execution.run(build, options)
    assert "\n" not in f"{error.value}"
