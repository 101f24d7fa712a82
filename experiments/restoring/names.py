"""Paths of a corpus's files and of their restored images."""

import dataclasses
import posixpath
import re


@dataclasses.dataclass(frozen=True)
class CorpusNames:
    """Maps the paths of input files to the paths of their outputs.

    pattern: of the inputs, such as `gs://bucket/photos/**.jpg`. output: folder, without a trailing
    slash. suffix: of restored images, with its dot.
    """

    pattern: str
    output: str
    suffix: str

    @property
    def root(self) -> str:
        """The last folder before any wildcard; outputs keep the folder structure below it."""
        literal = re.split(r"[*?\[]", self.pattern, maxsplit=1)[0]
        return literal[: literal.rfind("/") + 1]

    def output_path(self, path: str) -> str:
        """Returns the path of a file's output, which keeps the whole input name to be unique."""
        if not path.startswith(self.root):
            raise ValueError(f"{path!r} is not in {self.root!r}.")
        return f"{posixpath.join(self.output, path[len(self.root) :])}{self.suffix}"
