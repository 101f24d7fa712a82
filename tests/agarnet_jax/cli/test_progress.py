import io

import pytest

from agarnet_jax.cli import progress
from agarnet_jax.cli.progress import Progress, in_words


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def clock(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def test_time_left_goes_by_bytes_that_were_worked_on(clock):
    line = Progress(files=4, size=1000, stream=Terminal())
    assert line.text() == "0 of 4 files"
    line.add(500, failed=False, skipped=True)
    clock[0] += 10
    line.add(100, failed=True, skipped=False)
    assert line.text() == "2 of 4 files, 1 failed, about 40 s left"
    line.add(400, failed=False, skipped=False)
    line.add(0, failed=False, skipped=False)
    assert line.text() == "4 of 4 files, 1 failed"


def test_lines_are_kept_apart(clock, capsys):
    terminal = Terminal()
    line = Progress(files=2, size=2, stream=terminal)
    line.add(1, failed=False, skipped=False)
    line.say("a line")
    line.close()
    assert capsys.readouterr().out == "a line\n"
    first, second, third, last = terminal.getvalue().split("\r\x1b[K")[1:]
    assert (first, second, third) == ("1 of 2 files, about 0 s left", "", first)
    assert last == ""


def test_silent_outside_terminals_and_for_one_file(capsys):
    for files, stream in ((2, io.StringIO()), (1, Terminal())):
        line = Progress(files=files, size=2, stream=stream)
        line.add(1, failed=False, skipped=False)
        line.say("a line")
        line.close()
        assert stream.getvalue() == ""


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.4, "0 s"), (89, "89 s"), (91, "2 min"), (3000, "50 min"), (12000, "3 h 20 min")],
)
def test_durations(seconds, words):
    assert in_words(seconds) == words
