"""Where a corpus's files lie and where their restored images go."""

import dataclasses
import posixpath
import re


@dataclasses.dataclass(frozen=True)
class CorpusNames:
    """Names of the outputs of files that match a pattern.

    pattern: of the inputs, such as `gs://bucket/photos/**.jpg`. output: folder, without a slash at
    its end. suffix: of restored images, with its dot.
    """

    pattern: str
    output: str
    suffix: str

    @property
    def root(self) -> str:
        """The last folder before any wildcard; outputs keep the folders that inputs have below."""
        fixed = re.split(r"[*?\[]", self.pattern, maxsplit=1)[0]
        return fixed[: fixed.rfind("/") + 1]

    def of(self, path: str) -> str:
        """Returns a file's output. It keeps the whole input name, so that no two have the same."""
        if not path.startswith(self.root):
            raise ValueError(f"{path!r} does not lie in {self.root!r}.")
        return f"{posixpath.join(self.output, path[len(self.root) :])}{self.suffix}"
