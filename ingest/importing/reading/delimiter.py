"""Determine the delimiter (the sign between cells) of a text file from its first lines. Pure.

Law: with the right delimiter, most lines have the same number of cells, and few cells contain
    another possible delimiter. A cell that is a number or a time may contain one, because a comma
    may also be a thousands separator or a decimal sign.
"""

import csv
from collections import Counter
from collections.abc import Sequence
from typing import Final

from ingest.importing.cells.cell_kind import cell_kind

_DELIMITERS: Final = ",;\t|，；"
#: Number of lines that are examined.
JUDGED_LINES: Final = 200


def detect_delimiter(lines: Sequence[str]) -> str:
    """Return the delimiter; a comma for a file with only one column."""
    judged = [line for line in lines[:JUDGED_LINES] if line.strip() and not line.startswith("#")]
    scores = {delimiter: _score(judged, delimiter) for delimiter in _DELIMITERS}
    return max(scores, key=lambda delimiter: scores[delimiter])


def _score(lines: Sequence[str], delimiter: str) -> float:
    """Return the share of lines of the usual width, times the share of their cells that are clean.

    A clean cell contains no other delimiter.
    """
    try:
        rows = list(csv.reader(lines, delimiter=delimiter))
    except csv.Error:
        return 0.0
    widths = Counter(map(len, rows))
    # Titles have only one cell. The usual width is determined from lines with more cells.
    several = {width: count for width, count in widths.items() if width > 1}
    if not several:
        return 0.0
    width = max(several, key=lambda one: (several[one], one))
    usual = [row for row in rows if len(row) == width]
    cells = [cell for row in usual for cell in row]
    clean = sum(not _is_mixed(cell, delimiter) for cell in cells)
    return clean / len(cells) * len(usual) / len(rows)


def _is_mixed(cell: str, delimiter: str) -> bool:
    """Return True if a cell contains another delimiter and is not a number."""
    return any(other in cell for other in _DELIMITERS if other != delimiter) and cell_kind(
        cell
    ) not in {"number", "time"}
