"""Write results as the text of a JSON document or of a CSV file. Pure.

Law: an unknown value is null in JSON and an empty cell in CSV, never 0.
"""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from jieneng.locale import Translate
from jieneng.locale.finding_text import Labels, finding_text
from jieneng.metering.findings import Finding


def json_text(content: object) -> str:
    """Return the text of a JSON document, indented by one space."""
    return msgspec.json.format(msgspec.json.encode(content), indent=1).decode()


def csv_text(columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> str:
    """Return the text of a CSV file, with a header and CRLF line ends (RFC 4180).

    Args:
        columns: names of the columns.
        rows: values by column; a missing value is an empty cell, and values of other names are left
            out.
    """
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, restval="", extrasaction="ignore")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def finding_sentences(
    findings: Iterable[Finding], translate: Translate, labels: Labels
) -> list[dict[str, str]]:
    """Return the code and the sentence of each finding, in the reader's language."""
    return [{"code": one.code, "text": finding_text(one, translate, labels)} for one in findings]
