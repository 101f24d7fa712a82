import fcntl
import io
import os
import struct
import termios

import pytest

from agarnet_jax.cli import progress
from agarnet_jax.cli.progress import Progress, StatusLine, format_duration


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def clock(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def test_remaining_time_is_estimated_from_processed_bytes(clock):
    line = Progress(files=4, size=1000, stream=Terminal())
    assert line.text() == "0 of 4 files"
    line.add(500, failed=False, skipped=True)
    clock[0] += 10
    line.add(100, failed=True, skipped=False)
    assert line.text() == "2 of 4 files, 1 failed, about 40 s left"
    line.add(400, failed=False, skipped=False)
    line.add(0, failed=False, skipped=False)
    assert line.text() == "4 of 4 files, 1 failed"


def test_printed_lines_do_not_mix_with_the_status_line(clock, capsys):
    terminal = Terminal()
    line = Progress(files=2, size=2, stream=terminal)
    line.add(1, failed=False, skipped=False)
    line.say("a line")
    line.close()
    assert capsys.readouterr().out == "a line\n"
    start, first, second, third, last = terminal.getvalue().split("\r\x1b[K")[1:]
    assert start == "0 of 2 files"
    assert (first, second, third) == ("1 of 2 files, about 0 s left", "", first)
    assert last == ""


def test_nothing_is_drawn_outside_terminals(capsys):
    stream = io.StringIO()
    line = Progress(files=2, size=2, stream=stream)
    line.add(1, failed=False, skipped=False)
    line.say("a line")
    line.close()
    assert stream.getvalue() == ""


def test_long_texts_are_truncated_to_the_terminal_width():
    """The terminal that is written to, not that of standard output."""
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("4H", 10, 20, 0, 0))
    with open(theirs, "w") as terminal:
        StatusLine(terminal).draw("restoring " + "x" * 40)
        assert os.read(ours, 100) == b"\r\x1b[Krestoring xxxxxxxxx"
    os.close(ours)


def test_a_closed_terminal_is_not_an_error():
    class Gone(Terminal):
        def write(self, _):
            raise OSError(5, "Input/output error")

    Progress(files=2, size=2, stream=Gone()).close()


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.4, "0 s"), (89, "89 s"), (91, "2 min"), (3000, "50 min"), (12000, "3 h 20 min")],
)
def test_durations_are_formatted(seconds, words):
    assert format_duration(seconds) == words
