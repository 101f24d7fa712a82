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
