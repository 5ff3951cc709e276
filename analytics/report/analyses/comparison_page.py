"""Render the page's section about further comparisons: table, reasons and doubts. Pure.

Laws: beside each change stands the change against the plan's base year. A sentence names each value
that is unknown, lacks coverage or is not comparable.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Final

import msgspec

from analytics.figures.figure import Figure, FigureComparison
from analytics.report import figure_texts, html_tables
from analytics.report.analyses import comparison_output
from analytics.report.html_elements import Html, element, join
from analytics.report.report_data import PageData
from jieneng.locale import Translate
from jieneng.locale.finding_text import finding_text
from jieneng.metering import schema
from jieneng.metering.findings import Finding
from jieneng.metering.quantities import MEDIA

#: Codes of the findings about areas that are left out.
_ABOUT_AREAS: Final = frozenset({"area_joined", "area_left"})
_KINDS: Final = ("name", None, "number", "number", "number", "number", "number", None)


def page_part(data: PageData, translate: Translate) -> Html:
    """Return the section's content; an empty text if there are no further comparisons."""
    figures = [
        figure
        for figure in data.figures
        if figure.period == data.period
        and figure.factor_series != "current"
        and figure.comparisons
        and figure.value is not None
    ]
    if not figures:
        return Html("")
    note = translate(
        "These comparisons are in addition to that with the plan's base year, and change no"
        " verdict. Like-for-like leaves out the areas that joined or left. Further baselines are"
        " rows of plan.toml, with their reason: {reasons}"
    ).format(reasons=translate("; ").join(_reasons(figures)) or figure_texts.UNKNOWN)
    return join(
        (
            element("p", note, class_="quiet"),
            _table(data, figures, translate),
            html_tables.sentences([*_doubts(data, figures, translate)]),
        )
    )


def _table(data: PageData, figures: Sequence[Figure], translate: Translate) -> Html:
    first, second, value, base, change, *last = comparison_output.headings(translate)
    plain = translate("Change, plan's base year")
    headings = [first, second, value, base, change, plain, *last]
    rows: list[Html] = []
    for scope in data.scopes:
        cells = [
            row
            for figure in figures
            if figure.scope == scope.id
            for row in _rows(figure, data, translate)
        ]
        if cells:
            title = element("th", scope.name, colspan=len(headings), scope="rowgroup")
            rows.append(element("tr", title, class_="group"))
        rows += [element("tr", join(map(html_tables.cell, headings, row, _KINDS))) for row in cells]
    return html_tables.table(headings, rows, "compared") if rows else Html("")


def _rows(figure: Figure, data: PageData, translate: Translate) -> Iterator[tuple[str, ...]]:
    """Yield the cells of each comparison of a figure with a known change."""
    name = figure_texts.indicator_name(figure.indicator, translate)
    plain = figure_texts.change(figure.change_pct)
    for compared in comparison_output.known(figure.comparisons):
        row = comparison_output.comparison_row(compared, data.labels, translate)
        *numbers, coverage, left_out = msgspec.structs.astuple(row)
        yield (name, *numbers, plain, coverage, left_out)


def _reasons(figures: Iterable[Figure]) -> list[str]:
    """Return the name and reason of each further baseline, once."""
    found = (
        f"{one.name}: {one.reason}"
        for figure in figures
        for one in figure.comparisons
        if one.id != schema.LIKE_FOR_LIKE
    )
    return list(dict.fromkeys(found))


def _doubts(data: PageData, figures: Sequence[Figure], translate: Translate) -> Iterator[str]:
    """Yield a sentence for each doubt about the comparisons."""
    by_id: dict[str, list[FigureComparison]] = {}
    for one in chain.from_iterable(figure.comparisons for figure in figures):
        by_id.setdefault(one.id, []).append(one)
    for compared in by_id.values():
        yield from _gaps(compared, data, translate)
    findings = [finding for figure in figures for finding in figure.findings]
    about = [one for one in findings if one.code in _ABOUT_AREAS]
    for finding in dict.fromkeys((*about, *_unmetered(findings))):
        yield finding_text(finding, translate, data.labels)


def _unmetered(findings: Iterable[Finding]) -> Iterator[Finding]:
    """Yield one finding for each area without own meters; it joins the media of all figures."""
    media: dict[str, set[str]] = {}
    for one in findings:
        if one.code == "left_out_unmetered":
            found = media.setdefault(one.subject, set())
            found.update(str(dict(one.values)["media"]).split())
    for area, of_area in media.items():
        words = " ".join(medium for medium in MEDIA if medium in of_area)
        yield Finding.of("left_out_unmetered", area, media=words)


def _gaps(
    compared: Sequence[FigureComparison], data: PageData, translate: Translate
) -> Iterator[str]:
    """Yield a sentence with the number of changes that are unknown, or rest on too few data."""
    row = comparison_output.comparison_row(compared[0], data.labels, translate)
    known = list(comparison_output.known(compared))
    short = [one for one in known if (one.coverage or 0.0) < data.coverage_floor]
    if len(known) < len(compared):
        yield translate(
            "{comparison}: {count} of {total} changes are unknown, as the base value is unknown or"
            " 0."
        ).format(
            comparison=row.compared_with, count=len(compared) - len(known), total=len(compared)
        )
    if short:
        yield translate(
            "{comparison}: {count} of {total} changes rest on a coverage below {floor}; missing"
            " consumption may look like a decrease."
        ).format(
            comparison=row.compared_with,
            count=len(short),
            total=len(compared),
            floor=figure_texts.percent(100 * data.coverage_floor),
        )
