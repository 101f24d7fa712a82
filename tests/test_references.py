"""Documents that docstrings, comments and other documents refer to by name exist."""

import re
import subprocess

# CONTRIBUTING.md, `docs/tpu.md`; not files that programs write, such as tables.md.
PAGE = re.compile(r"\b(?:docs/[\w-]+|[A-Z]{4,})\.md\b")


def test_referenced_documents_exist(repository):
    listed = subprocess.run(
        ["git", "ls-files", "*.py", "*.md"],
        cwd=repository,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    missing = {
        f"{file}: {page}"
        for file in listed
        for page in PAGE.findall((repository / file).read_text(encoding="utf-8"))
        if not any((folder / page).is_file() for folder in (repository, repository / "docs"))
    }
    assert len(listed) > 100
    assert not missing
