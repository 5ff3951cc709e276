"""Write figures as CSV: one line for each figure, with the names and numbers of the JSON form.

Laws: an unknown value is an empty cell, never 0. Numbers keep all their digits, so that
calculations with the CSV file give exact results.
"""

import csv
import io
from collections.abc import Sequence
from typing import Final

import msgspec

from analytics.figures.figure import Figure
from analytics.report import figure_texts
from analytics.report.analyses import comparison_output
from jieneng.locale import Translate
from jieneng.locale.finding_text import Labels, finding_text

_COLUMNS: Final = (
    *(field.name for field in msgspec.structs.fields(Figure) if field.name != "comparisons"),
    "name",
    "definition",
)


def to_csv(figures: Sequence[Figure], translate: Translate, labels: Labels) -> str:
    """Return the text of the CSV file, with a header and CRLF line ends (RFC 4180).

    All findings of a figure are in one cell: `code: sentence`, separated by semicolons. Each
    further comparison has columns of its own, such as `like_for_like_change_pct`.
    """
    out = io.StringIO()
    writer = csv.writer(out)
    compared = comparison_output.csv_columns(figures)
    writer.writerow((*_COLUMNS, *compared))
    for figure in figures:
        cells = msgspec.structs.asdict(figure)
        del cells["comparisons"]
        cells["findings"] = "; ".join(
            f"{finding.code}: {finding_text(finding, translate, labels)}"
            for finding in figure.findings
        )
        cells["name"] = figure_texts.indicator_name(figure.indicator, translate)
        cells["definition"] = figure_texts.indicator_definition(figure.indicator, translate)
        for column, (comparison, field) in compared.items():
            cells[column] = comparison_output.csv_cell(figure, comparison, field)
        writer.writerow(["" if value is None else str(value) for value in cells.values()])
    return out.getvalue()
