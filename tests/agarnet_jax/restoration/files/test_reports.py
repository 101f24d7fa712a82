import json
import os

import pytest

from agarnet_jax.restoration.files.errors import InputError
from agarnet_jax.restoration.files.reports import Report


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="requires /dev/full")
def test_a_full_disk_names_the_report(tmp_path):
    report = Report(tmp_path / "report.jsonl", resume=False)
    report._file.close()
    report._file = open("/dev/full", "w")  # noqa: SIM115
    message = r"Report '.*report.jsonl' cannot be written: No space"
    with pytest.raises(InputError, match=message), report:
        report.add({"source": "a.jpg"})


@pytest.mark.parametrize("resume", [True, False])
def test_a_report_in_use_by_another_run_is_left_untouched(tmp_path, resume):
    path = tmp_path / "report.jsonl"
    line = {"source": "a.jpg", "status": "restored"}
    with Report(path, resume=False) as first:
        first.add(line)
        with pytest.raises(InputError, match=r"report\.jsonl' is in use by another run; wait"):
            Report(path, resume=resume)
        first.add(line)
    found = [json.loads(text) for text in path.read_text().splitlines()]
    assert [each["source"] for each in found] == ["a.jpg", "a.jpg"]
    with Report(path, resume=resume) as again:
        again.add(line)
    assert len(path.read_text().splitlines()) == (3 if resume else 1)
