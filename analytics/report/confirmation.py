"""Write the lines of `site.toml` by which a person confirms findings. Pure.

Law: only findings that make a verdict doubtful have to be confirmed.
"""

from collections.abc import Sequence
from datetime import datetime

from analytics.figures.figure import Figure
from jieneng.locale import Translate
from jieneng.locale.finding_text import Labels
from jieneng.metering.findings import BASELINE, Finding
from jieneng.value_examples import toml_text


def to_confirm(figures: Sequence[Figure]) -> list[Finding]:
    """Return the findings that make verdicts doubtful, without repetitions."""
    return list(
        dict.fromkeys(
            Finding(finding.code.removeprefix(BASELINE), finding.subject, finding.values)
            for figure in figures
            if figure.status == "doubtful"
            for finding in figure.findings
            if finding.doubt
        )
    )


def how_to_confirm(translate: Translate) -> str:
    """Return the explanation that is shown before the lines."""
    return translate(
        "These findings make verdicts doubtful. If a reading is wrong, import the corrected"
        " reading. If the readings are right, confirm the finding: write your name and the"
        " reason into these lines, and add them to site.toml."
    )


def confirmation_lines(findings: Sequence[Finding], labels: Labels, translate: Translate) -> str:
    """Return a table `[[confirmed]]` for each finding; a person adds name and reason."""
    return "\n\n".join(_lines(finding, labels, translate) for finding in findings)


def _lines(finding: Finding, labels: Labels, translate: Translate) -> str:
    values = dict(finding.values)
    first, last = (
        datetime.fromtimestamp(float(str(values[name])) / 1000, labels.zone).date()
        for name in ("first_ms", "until_ms")
    )
    rows = {"meter": finding.subject, "finding": finding.code, "at": first}
    if values["count"] != 1 and last > first:
        rows["until"] = last
    rows |= {"by": translate("name"), "reason": translate("reason")}
    return "\n".join(["[[confirmed]]", *(f"{key} = {toml_text(rows[key])}" for key in rows)])
