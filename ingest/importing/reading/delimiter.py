"""Tell the sign between the cells of a text file from its first lines. Pure.

Law: the sign is the one with which most lines have equally many cells, and the cells no other sign
of this kind. A comma may be a sign between cells, of thousands, or of decimals.
"""

import csv
from collections import Counter
from collections.abc import Sequence
from typing import Final

from ingest.importing.cells.cell_kind import cell_kind

_DELIMITERS: Final = ",;\t|，；"
#: Number of lines that are judged.
JUDGED_LINES: Final = 200


def detect_delimiter(lines: Sequence[str]) -> str:
    """Return the sign between the cells; a comma for a file with one column."""
    judged = [line for line in lines[:JUDGED_LINES] if line.strip() and not line.startswith("#")]
    scores = {delimiter: _score(judged, delimiter) for delimiter in _DELIMITERS}
    return max(scores, key=lambda delimiter: scores[delimiter])


def _score(lines: Sequence[str], delimiter: str) -> float:
    """Return the share of cells that stand in lines of the usual width and are clean."""
    try:
        rows = list(csv.reader(lines, delimiter=delimiter))
    except csv.Error:
        return 0.0
    widths = Counter(map(len, rows))
    # Titles have one cell: the usual width is that of the lines that have more.
    several = {width: count for width, count in widths.items() if width > 1}
    if not several:
        return 0.0
    width = max(several, key=lambda one: (several[one], one))
    usual = [row for row in rows if len(row) == width]
    cells = [cell for row in usual for cell in row]
    clean = sum(not _is_mixed(cell, delimiter) for cell in cells)
    return clean / len(cells) * len(usual) / len(rows)


def _is_mixed(cell: str, delimiter: str) -> bool:
    """Return True for a cell in which another delimiter stands, and which is no number."""
    return any(other in cell for other in _DELIMITERS if other != delimiter) and cell_kind(
        cell
    ) not in {"number", "time"}
