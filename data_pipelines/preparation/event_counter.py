"""Counts events across the worker processes of a local run."""

import dataclasses

_MARKS = {"kept": b"k", "rejected": b"r", "duplicate": b"d", "packed": b"p"}


@dataclasses.dataclass(frozen=True)
class EventCounter:
    """A file on this machine to which every event appends one byte.

    Without a `path`, as on a cluster, events are not counted.
    """

    path: str | None = None

    def add(self, kind: str) -> None:
        if self.path is not None:
            # In append mode, the bytes of several processes do not overwrite each other.
            with open(self.path, "ab") as file:
                file.write(_MARKS[kind])

    def counts(self) -> dict[str, int]:
        """Returns the number of events so far, by kind."""
        if self.path is None:
            return dict.fromkeys(_MARKS, 0)
        with open(self.path, "rb") as file:
            content = file.read()
        return {kind: content.count(mark) for kind, mark in _MARKS.items()}
