"""Markdown tables that also read well as plain text."""

from collections.abc import Collection, Sequence

_MIN_WIDTH = 4


def aligned_table(
    header: Sequence[str], rows: Sequence[Sequence[str]], *, left_aligned: Collection[int]
) -> str:
    """Formats a Markdown table whose cells are padded to the width of their column.

    Args:
      left_aligned: indices of the left-aligned columns; all others are right-aligned.
    """
    widths = [max(_MIN_WIDTH, *map(len, column)) for column in zip(header, *rows)]

    def line(cells: Sequence[str]) -> str:
        padded = (
            cell.ljust(width) if column in left_aligned else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(cells, widths))
        )
        return f"| {' | '.join(padded)} |"

    rule = (
        "-" * (width + 2) if column in left_aligned else "-" * (width + 1) + ":"
        for column, width in enumerate(widths)
    )
    return "\n".join([line(header), f"|{'|'.join(rule)}|", *map(line, rows)])
