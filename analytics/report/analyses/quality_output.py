"""Render the rating of data quality: tables for the terminal, part of the page, JSON and CSV. Pure.

Laws: an unknown value is "—" in a table, null in JSON and an empty cell in CSV, never 0. The tables
show the issues of the whole site once, those with most points first; JSON and CSV have all of them.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec
from rich import box
from rich.table import Table

from analytics.quality.completeness import LEAST_COMPLETE, Completeness
from analytics.quality.figure_meters import RatedFigure
from analytics.quality.quality_rules import PART_POINTS, Part
from analytics.quality.quality_score import QualityIssue, QualityReport, QualityResult
from analytics.report import figure_texts, html_tables
from analytics.report.html_elements import Html, element, join
from analytics.report.output_text import csv_text, json_text
from analytics.report.report_data import PageData
from jieneng.locale import Translate
from jieneng.locale.finding_text import Labels, finding_text

#: Number of issues that a table shows.
_FIRST: Final = 10
#: Number of points, and of days, that the table of completeness shows.
_LISTED: Final = 10
_UNITS: Final[dict[RatedFigure, str]] = {"energy_total": "kgce", "water_total": "m3"}
_COLUMNS: Final = (
    "scope",
    "figure",
    "period",
    "score",
    *PART_POINTS,
    "coverage",
    "readings",
    "code",
    "subject",
    "part",
    "share",
    "amount",
    "unit",
    "points",
    "text",
)


def score_table(report: QualityReport, labels: Labels, translate: Translate) -> Table:
    """Return the table of scores and their parts, by scope and figure."""
    table = _table(translate("Quality of the data"))
    for heading in (translate("Scope"), translate("Figure")):
        table.add_column(heading, overflow="fold")
    for heading in _score_headings(translate):
        table.add_column(heading, justify="right", no_wrap=True)
    for result in report.results:
        name = figure_texts.indicator_name(result.figure, translate)
        table.add_row(labels.name(result.scope), name, *_score_cells(result))
    return table


def _score_headings(translate: Translate) -> list[str]:
    parts = [f"{part_word(part, translate)}\n/ {points:g}" for part, points in PART_POINTS.items()]
    return [
        f"{translate('Score')}\n/ 100",
        *parts,
        translate("Coverage"),
        translate("Readings"),
    ]


def _score_cells(result: QualityResult) -> list[str]:
    def points(value: float | None) -> str:
        return figure_texts.UNKNOWN if value is None else f"{value:.1f}"

    return [
        points(result.score),
        *(points(None if result.score is None else part.score) for part in result.parts),
        figure_texts.share(result.coverage),
        figure_texts.share(result.readings),
    ]


def part_word(part: Part, translate: Translate) -> str:
    """Return the name of a part of the score."""
    return {
        "completeness": translate("Complete"),
        "plausibility": translate("Plausible"),
        "consistency": translate("Consistent"),
        "denominators": translate("Denominators"),
    }[part]


def issue_table(report: QualityReport, labels: Labels, translate: Translate) -> Table:
    """Return the table of the issues with most points in the first scope."""
    title = translate("What to correct first: {scope}")
    results = first_scope(report)
    scope = labels.name(results[0].scope) if results else figure_texts.UNKNOWN
    table = _table(title.format(scope=scope))
    for heading in _issue_headings(translate)[:3]:
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column(_issue_headings(translate)[3], overflow="fold")
    for figure, one in first_issues(results):
        table.add_row(*_issue_cells(figure, one, labels, translate))
    if not table.row_count:
        table.add_row("", "", "", translate("No issues."))
    return table


def first_scope(report: QualityReport) -> list[QualityResult]:
    """Return the results of the first scope: the site, if all scopes were rated."""
    return [one for one in report.results if one.scope == report.results[0].scope]


def first_issues(results: Sequence[QualityResult]) -> list[tuple[RatedFigure, QualityIssue]]:
    """Return the ten issues that cost most, with their figures."""
    issues = [(result.figure, one) for result in results for one in result.issues]
    return sorted(issues, key=lambda one: -one[1].points)[:_FIRST]


def _issue_headings(translate: Translate) -> list[str]:
    return [
        translate("Points"),
        translate("Share of the figure"),
        translate("Amount"),
        translate("Finding"),
    ]


def _issue_cells(
    figure: RatedFigure, one: QualityIssue, labels: Labels, translate: Translate
) -> list[str]:
    unit = figure_texts.unit(_UNITS[figure], translate)
    return [
        f"{one.points:.2f}",
        figure_texts.share(one.share),
        f"{figure_texts.number(one.amount)} {unit}",
        finding_text(one.finding, translate, labels),
    ]


def completeness_table(report: QualityReport, labels: Labels, translate: Translate) -> Table:
    """Return the table of the points and days with the most missing readings."""
    table = _table(translate("Stored readings"))
    table.add_column(translate("Meter or scope"), overflow="fold")
    table.add_column(translate("Quantity or day"), overflow="fold")
    for heading in (translate("To be polled"), translate("Stored"), translate("Share")):
        table.add_column(heading, justify="right", no_wrap=True)
    for rows in (_short(report.points), _short(report.days)):
        table.add_section()
        for one in rows:
            table.add_row(
                labels.name(one.subject),
                one.quantity or f"{one.day}",
                f"{one.expected:,}",
                f"{one.stored:,}",
                figure_texts.share(one.share),
            )
    if not table.row_count:
        text = translate("At least {share} of the readings of each point are stored.")
        if not report.points:
            text = translate("No meter was polled on a whole day of the period.")
        table.add_row(text.format(share=figure_texts.share(LEAST_COMPLETE)), "", "", "", "")
    return table


def _short(rows: Sequence[Completeness]) -> list[Completeness]:
    """Return the rows below the required completeness, the worst first."""
    short = [one for one in rows if one.share < LEAST_COMPLETE]
    return sorted(short, key=lambda one: one.share)[:_LISTED]


def _table(title: str) -> Table:
    return Table(
        title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, min_width=60
    )


def page_part(data: PageData, translate: Translate) -> Html:
    """Return the page's part about the quality of the data; an empty text if it was not rated."""
    if data.quality is None or not data.quality.results:
        return Html("")
    results = first_scope(data.quality)
    scores = translate(", ").join(
        f"{figure_texts.indicator_name(one.figure, translate)} {_score_cells(one)[0]}"
        for one in results
    )
    note = translate(
        "Score of the data, 0 to 100: {scores}. An issue costs the share of the figure that it"
        " concerns, times the points of its part: completeness 40, plausibility 25, consistency"
        " 25, denominators 10. The issues that cost most:"
    ).format(scores=scores)
    headings = _issue_headings(translate)
    rows = [
        element(
            "tr",
            join(
                [
                    html_tables.cell(heading, text, None if heading == headings[-1] else "number")
                    for heading, text in zip(
                        headings, _issue_cells(figure, one, data.labels, translate), strict=True
                    )
                ]
            ),
        )
        for figure, one in first_issues(results)
    ]
    listed = html_tables.table(headings, rows, "doubts") if rows else Html("")
    return join((element("p", note, class_="quiet"), listed))


def to_json(report: QualityReport, translate: Translate, labels: Labels) -> str:
    """Return the rating as the text of one JSON object."""
    content = {
        "results": [
            {
                **msgspec.structs.asdict(result),
                "unit": _UNITS[result.figure],
                "issues": [_issue(one, translate, labels) for one in result.issues],
            }
            for result in report.results
        ],
        "points": report.points,
        "days": report.days,
    }
    return json_text(content)


def _issue(one: QualityIssue, translate: Translate, labels: Labels) -> dict[str, Any]:
    return {
        "code": one.finding.code,
        "subject": one.finding.subject,
        "part": one.part,
        "share": one.share,
        "amount": one.amount,
        "points": one.points,
        "text": finding_text(one.finding, translate, labels),
    }


def to_csv(report: QualityReport, translate: Translate, labels: Labels) -> str:
    """Return the text of the CSV file, with a header and CRLF line ends (RFC 4180).

    Each issue has a line; a figure without issues has one line without an issue.
    """
    return csv_text(_COLUMNS, _csv_rows(report, translate, labels))


def _csv_rows(
    report: QualityReport, translate: Translate, labels: Labels
) -> Iterator[dict[str, Any]]:
    for result in report.results:
        rated: dict[str, Any] = {
            "scope": result.scope,
            "figure": result.figure,
            "period": result.period,
            "score": result.score,
            **{part.part: part.score for part in result.parts},
            "coverage": result.coverage,
            "readings": result.readings,
            "unit": _UNITS[result.figure],
        }
        if not result.issues:
            yield rated
        for one in result.issues:
            yield {**rated, **_issue(one, translate, labels)}
