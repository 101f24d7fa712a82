import json
import os

import pytest

from agarnet_jax.restoration.files.errors import InputError
from agarnet_jax.restoration.files.reports import Report


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no device that is always full")
def test_a_report_that_cannot_be_written_is_named(tmp_path):
    report = Report(tmp_path / "report.jsonl", resume=False)
    report._file.close()
    report._file = open("/dev/full", "w")  # noqa: SIM115
    said = r"The report '.*report.jsonl' cannot be written: No space"
    with pytest.raises(InputError, match=said), report:
        report.add({"source": "a.jpg"})


@pytest.mark.parametrize("resume", [True, False])
def test_a_report_of_a_run_that_goes_on_is_left_alone(tmp_path, resume):
    path = tmp_path / "report.jsonl"
    line = {"source": "a.jpg", "status": "restored"}
    with Report(path, resume=False) as first:
        first.add(line)
        with pytest.raises(InputError, match=r"report\.jsonl' is written by another run; wait"):
            Report(path, resume=resume)
        first.add(line)
    found = [json.loads(text) for text in path.read_text().splitlines()]
    assert [each["source"] for each in found] == ["a.jpg", "a.jpg"]
    with Report(path, resume=resume) as again:
        again.add(line)
    assert len(path.read_text().splitlines()) == (3 if resume else 1)
