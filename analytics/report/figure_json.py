"""Write figures as JSON, the output of `jieneng indicators --format json` for other programs.

Laws: an unknown value is null, never 0. A finding is an object with code, severity, subject, weight
and text. The text of a finding, and an indicator's name and definition, are in the reader's
language.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from analytics.figures.figure import Figure
from analytics.report import figure_texts
from analytics.report.output_text import json_text
from jieneng.locale import Translate
from jieneng.locale.finding_text import Labels, finding_text
from jieneng.metering.findings import Finding


def to_json(figures: Sequence[Figure], translate: Translate, labels: Labels) -> str:
    """Return the figures as the text of one JSON array."""
    elements = json_elements(figures, translate, labels)
    return json_text(elements)


def json_elements(
    figures: Sequence[Figure], translate: Translate, labels: Labels
) -> tuple[dict[str, Any], ...]:
    """Return the elements of the JSON array: one object of JSON's own types for each figure."""
    elements = (
        {
            **msgspec.structs.asdict(figure),
            "findings": [
                finding_element(finding, translate, labels) for finding in figure.findings
            ],
            "name": figure_texts.indicator_name(figure.indicator, translate),
            "definition": figure_texts.indicator_definition(figure.indicator, translate),
        }
        for figure in figures
    )
    return tuple(msgspec.to_builtins(element) for element in elements)


def finding_element(finding: Finding, translate: Translate, labels: Labels) -> dict[str, object]:
    """Return the JSON object of a finding, with its text in the reader's language."""
    return {
        "code": finding.code,
        "severity": finding.severity,
        "subject": finding.subject,
        "weight": finding.weight,
        "text": finding_text(finding, translate, labels),
    }
