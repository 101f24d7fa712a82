"""How the workers of a local run tell what they have done."""

import dataclasses

_SIGNS = {"kept": b"k", "aside": b"a", "duplicate": b"d", "packed": b"p"}


@dataclasses.dataclass(frozen=True)
class Marks:
    """A file on this machine that gets one byte for each mark.

    Without a `path`, as on a cluster, nothing is marked.
    """

    path: str | None = None

    def add(self, kind: str) -> None:
        if self.path is not None:
            # In append mode, the bytes of several processes follow each other.
            with open(self.path, "ab") as file:
                file.write(_SIGNS[kind])

    def counts(self) -> dict[str, int]:
        """Counts how often each kind was added so far."""
        if self.path is None:
            return dict.fromkeys(_SIGNS, 0)
        with open(self.path, "rb") as file:
            content = file.read()
        return {kind: content.count(sign) for kind, sign in _SIGNS.items()}
