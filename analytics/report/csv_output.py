"""Write figures as CSV: one line for each figure, with the names and numbers of the JSON form.

Laws: an unknown value is an empty cell, never 0. Numbers keep all their digits, so that
calculations with the CSV file give exact results.
"""

import csv
import io
from collections.abc import Iterable
from typing import Final

import msgspec

from analytics.figures.figure import Figure
from analytics.report import figure_texts
from jieneng.locale import Translate
from jieneng.locale.finding_text import Labels, finding_text

COLUMNS: Final = (
    *(field.name for field in msgspec.structs.fields(Figure)),
    "name",
    "definition",
)


def to_csv(figures: Iterable[Figure], translate: Translate, labels: Labels) -> str:
    """Return the text of the CSV file, with a header and CRLF line ends (RFC 4180).

    All findings of a figure are in one cell: `code: sentence`, separated by semicolons.
    """
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for figure in figures:
        cells = msgspec.structs.asdict(figure)
        cells["findings"] = "; ".join(
            f"{finding.code}: {finding_text(finding, translate, labels)}"
            for finding in figure.findings
        )
        cells["name"] = figure_texts.indicator_name(figure.indicator, translate)
        cells["definition"] = figure_texts.indicator_definition(figure.indicator, translate)
        writer.writerow(["" if value is None else str(value) for value in cells.values()])
    return out.getvalue()
