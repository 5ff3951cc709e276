"""Figures as CSV: one line a figure, names and numbers as in the JSON form.

Law: what is unknown is an empty cell, never 0; numbers keep all their digits, so that what a
person computes from the sheet is what the system computed.
"""

import csv
import io
from collections.abc import Iterable
from typing import Final

import msgspec

from analytics.figures.figure import Figure

COLUMNS: Final = tuple(field.name for field in msgspec.structs.fields(Figure))


def to_csv(figures: Iterable[Figure]) -> str:
    """The sheet's text, with a header; lines end as RFC 4180 says.

    Findings stand in one cell, `code subject detail` each, separated by semicolons.
    """
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    writer.writerows([_cell(figure, name) for name in COLUMNS] for figure in figures)
    return out.getvalue()


def _cell(figure: Figure, name: str) -> str:
    if name == "findings":
        return "; ".join(
            " ".join(filter(None, (one.code, one.subject, one.detail))) for one in figure.findings
        )
    value = getattr(figure, name)
    return "" if value is None else str(value)
