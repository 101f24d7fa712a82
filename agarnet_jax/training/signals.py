"""Preemption: SIGTERM, SIGINT and SIGHUP save and stop a run; the same command resumes it.

The exit code is 128 + the signal's number, as shells report it: 143, 130 and 129. A closed terminal
or a lost connection sends SIGHUP; it stays ignored if it already is, as under nohup.
"""

import contextlib
import os
import signal
import socket
import stat
import sys
import threading
import time
from collections.abc import Callable

import jax
import numpy as np
from jax.experimental import multihost_utils

from agarnet_jax.runtime import exit_now

_HANGUP = getattr(signal, "SIGHUP", None)  # Windows has none
# Some senders, such as timeout(1), signal the process and then its group.
_SAME_REQUEST_SECONDS = 1.0
_BEFORE_LEAVING_SECONDS = 20.0  # limit of `before_leaving`: a database may not answer


def stop_signals() -> list[signal.Signals]:
    """Returns the signals that ask this process to stop."""
    signals = [signal.SIGTERM, signal.SIGINT]
    if _HANGUP is not None and signal.getsignal(_HANGUP) is not signal.SIG_IGN:
        signals.append(_HANGUP)
    return signals


def _detach_from_terminal() -> None:
    """Redirects stdout and stderr to the null device unless they are files.

    Writing to a closed terminal, or to a pipe to a program in it, would raise OSError and end the
    process before it has saved.
    """
    with open(os.devnull, "w") as null:
        for stream in (1, 2):
            with contextlib.suppress(OSError):  # closed
                if not stat.S_ISREG(os.fstat(stream).st_mode):
                    os.dup2(null.fileno(), stream)


def on_signal(number: int, _: object = None) -> None:
    """Handles a signal at once: after SIGHUP, nothing more is printed to a terminal or pipe."""
    if number == _HANGUP:
        _detach_from_terminal()


class Interrupted(SystemExit):
    """Ends the program after a signal asked to stop and the state was saved."""

    def __init__(self, number: int):
        super().__init__(128 + number)


class StopSignals:
    """A context manager that listens for signals, even while the main thread is compiling.

    The first signal asks the loop to save and stop. While there is nothing to save, it ends the
    process at once, as does a second signal; `before_leaving` is called before that, in another
    thread and for a limited time. In threads other than the main one, where Python allows no
    handlers, signals are not handled.
    """

    def __init__(self, before_leaving: Callable[[], None] | None = None) -> None:
        self._before_leaving = before_leaving
        self.something_to_save = False
        self.number = 0  # of the signal that asked to stop; 0 for none
        self._received_at = 0.0
        self._active = threading.current_thread() is threading.main_thread()

    def __enter__(self) -> "StopSignals":
        if self._active:
            # The interpreter's C-level handler writes signal numbers to this socket at once, while
            # Python handlers wait for the main thread.
            self._reader, self._writer = socket.socketpair()
            self._writer.setblocking(False)
            self._previous_fd = signal.set_wakeup_fd(self._writer.fileno())
            self._previous_handlers = {s: signal.signal(s, on_signal) for s in stop_signals()}
            self._thread = threading.Thread(target=self._watch, daemon=True, name="stop signals")
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._active:
            for number, handler in self._previous_handlers.items():
                signal.signal(number, handler)
            signal.set_wakeup_fd(self._previous_fd)
            self._writer.close()
            self._thread.join()
            self._reader.close()

    def _watch(self) -> None:
        while data := self._reader.recv(1):
            if data[0] in self._previous_handlers:
                self._receive(data[0])

    def _receive(self, number: int) -> None:
        on_signal(number)
        name = signal.Signals(number).name
        if not self.something_to_save:
            self._leave(number, f"{name}: stopping before the first step, with nothing to save.")
        elif not self.number:
            self.number, self._received_at = number, time.monotonic()
            print(f"{name}: saving and stopping; a second signal stops at once.", file=sys.stderr)
        elif time.monotonic() - self._received_at > _SAME_REQUEST_SECONDS:
            self._leave(number, f"{name} again: stopping without saving.")

    def _leave(self, number: int, message: str) -> None:
        print(message, file=sys.stderr)
        if self._before_leaving is not None:
            thread = threading.Thread(target=self._before_leaving, daemon=True)
            thread.start()
            thread.join(_BEFORE_LEAVING_SECONDS)
        exit_now(128 + number)

    def requested(self, *, agree: bool) -> bool:
        """Returns whether a signal asked any process to stop; the same in all processes.

        With several processes, the result is False unless `agree` is set; all processes must then
        call this together.
        """
        if jax.process_count() == 1:
            return self.number != 0
        if not agree:
            return False
        numbers = multihost_utils.process_allgather(np.array(self.number, np.int32))
        # A signal that arrives during the exchange counts in the next one: `number` keeps it, while
        # this result must be that of the other processes.
        agreed = int(numbers.max())
        if agreed:
            self.number = agreed
        return agreed != 0
