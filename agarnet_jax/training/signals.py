"""SIGTERM, SIGINT and SIGHUP: save, leave, and let the same command continue later.

The exit code is 128 + the signal's number, as shells report it: 143, 130 and 129. A closed terminal
or a lost connection sends SIGHUP; where it is ignored already, as under nohup, it stays so.
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

from agarnet_jax.runtime import end_now

_HANGUP = getattr(signal, "SIGHUP", None)  # Windows has none
# Some senders, such as timeout(1), signal the process and then its group.
_SAME_REQUEST_SECONDS = 1.0
_LAST_WORDS_SECONDS = 20.0  # a database may not answer


def stop_signals() -> list[signal.Signals]:
    """Lists the signals that ask this process to leave."""
    asks = [signal.SIGTERM, signal.SIGINT]
    if _HANGUP is not None and signal.getsignal(_HANGUP) is not signal.SIG_IGN:
        asks.append(_HANGUP)
    return asks


def _do_without_terminal() -> None:
    """Discards what a closed terminal, or a pipe to a program in it, can no longer take.

    Writing there would raise OSError, and end the process before it has saved. Files stay.
    """
    with open(os.devnull, "w") as nobody:
        for stream in (1, 2):
            with contextlib.suppress(OSError):  # closed
                if not stat.S_ISREG(os.fstat(stream).st_mode):
                    os.dup2(nobody.fileno(), stream)


def on_signal(number: int, _: object = None) -> None:
    """Does at once what a signal needs; a handler in Python. After SIGHUP nothing is printed."""
    if number == _HANGUP:
        _do_without_terminal()


class Interrupted(SystemExit):
    """A signal asked to leave, and what was to be saved is saved."""

    def __init__(self, number: int):
        super().__init__(128 + number)


class StopSignals:
    """A listener for signals while it is open, even while the main thread is compiling.

    The first signal asks the loop to save and leave. While there is nothing to save, it ends the
    process at once, and so does a second one; `before_leaving` is then called first, in another
    thread, for some seconds at most. In threads other than the main one, where Python allows no
    handlers, nothing is noted.
    """

    def __init__(self, before_leaving: Callable[[], None] | None = None) -> None:
        self._before_leaving = before_leaving
        self.something_to_save = False
        self.number = 0  # of the signal that asked to leave
        self._since = 0.0
        self._active = threading.current_thread() is threading.main_thread()

    def __enter__(self) -> "StopSignals":
        if self._active:
            # The interpreter writes the numbers of signals here from its C-level handler; those
            # in Python wait for the main thread.
            self._reader, self._writer = socket.socketpair()
            self._writer.setblocking(False)
            self._earlier_fd = signal.set_wakeup_fd(self._writer.fileno())
            self._earlier = {s: signal.signal(s, on_signal) for s in stop_signals()}
            self._thread = threading.Thread(target=self._watch, daemon=True, name="stop signals")
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._active:
            for number, handler in self._earlier.items():
                signal.signal(number, handler)
            signal.set_wakeup_fd(self._earlier_fd)
            self._writer.close()
            self._thread.join()
            self._reader.close()

    def _watch(self) -> None:
        while data := self._reader.recv(1):
            if data[0] in self._earlier:
                self._receive(data[0])

    def _receive(self, number: int) -> None:
        on_signal(number)
        name = signal.Signals(number).name
        if not self.something_to_save:
            self._leave(number, f"{name}: leaving before the first step; there is nothing to save.")
        elif not self.number:
            self.number, self._since = number, time.monotonic()
            print(f"{name}: saving and leaving; a second signal leaves now.", file=sys.stderr)
        elif time.monotonic() - self._since > _SAME_REQUEST_SECONDS:
            self._leave(number, f"{name} again: leaving without saving.")

    def _leave(self, number: int, message: str) -> None:
        print(message, file=sys.stderr)
        if self._before_leaving is not None:
            last = threading.Thread(target=self._before_leaving, daemon=True)
            last.start()
            last.join(_LAST_WORDS_SECONDS)
        end_now(128 + number)

    def requested(self, *, agree: bool) -> bool:
        """Tells whether a signal asked to stop, with the same answer in all processes.

        One process that was asked is enough. Where `agree`, all processes have to call this
        together; elsewhere the answer of several processes is always no.
        """
        if jax.process_count() == 1:
            return self.number != 0
        if not agree:
            return False
        numbers = multihost_utils.process_allgather(np.array(self.number, np.int32))
        # A signal that arrives during the exchange is for the next one: `number` keeps it, and
        # this answer is the one that the other processes have, too.
        agreed = int(numbers.max())
        if agreed:
            self.number = agreed
        return agreed != 0
