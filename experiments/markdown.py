"""Tables as Markdown that also reads well as plain text."""

from collections.abc import Collection, Sequence

_NARROWEST = 4


def aligned(header: Sequence[str], rows: Sequence[Sequence[str]], *, words: Collection[int]) -> str:
    """Lays cells out as a Markdown table with columns of one width.

    Args:
      words: numbers of the columns that stand at the left; all others stand at the right.
    """
    widths = [max(_NARROWEST, *map(len, column)) for column in zip(header, *rows)]

    def line(cells: Sequence[str]) -> str:
        padded = (
            cell.ljust(width) if column in words else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(cells, widths))
        )
        return f"| {' | '.join(padded)} |"

    rule = (
        "-" * (width + 2) if column in words else "-" * (width + 1) + ":"
        for column, width in enumerate(widths)
    )
    return "\n".join([line(header), f"|{'|'.join(rule)}|", *map(line, rows)])
