"""Render the page's tables.

On a phone, each row is shown as a block. The attribute `data-label` then labels each cell.
"""

from collections.abc import Sequence

from analytics.figures.figure import Figure, Status
from analytics.report import figure_selection, figure_texts
from analytics.report.html_elements import Html, element, join
from analytics.report.report_data import LatestReading, NamedScope, PageData
from jieneng.locale import Translate
from jieneng.locale.finding_text import finding_text
from jieneng.metering.indicators import BINDING_INDICATORS


def status_badge(status: Status, text: str) -> Html:
    """Return a verdict as symbol, text and colour."""
    sign = element("span", figure_texts.STATUS_SYMBOLS[status], class_="sign", aria_hidden="true")
    return element("span", sign, text, class_=f"badge {status}")


def verdict_badge(figure: Figure, translate: Translate) -> Html:
    """Return the verdict of a figure as symbol, text and colour."""
    return status_badge(figure.status, figure_texts.verdict_text(figure, translate))


def scope_table(data: PageData, kind: str, translate: Translate) -> Html:
    """Return the table of the four binding indicators of each building or institution."""
    rows = [_scope_row(data, scope, translate) for scope in data.scopes if scope.kind == kind]
    headings = [
        figure_texts.indicator_name(indicator, translate) for indicator in BINDING_INDICATORS
    ]
    return table([translate("Scope"), *headings], rows, "matrix") if rows else Html("")


def details_table(data: PageData, translate: Translate) -> Html:
    """Return the table of all figures with all their texts."""
    headings = [
        translate("Indicator"),
        translate("Value"),
        translate("Unit"),
        translate("Base value"),
        translate("Change"),
        translate("Target"),
        translate("This year's path"),
        translate("Verdict"),
        translate("Coverage"),
        translate("Estimated"),
        translate("Findings"),
        translate("Basis"),
    ]
    listed = figure_selection.FindingList(data.figures)
    groups = [
        group
        for scope in data.scopes
        for group in _detail_group(data, scope, headings, listed, translate)
    ]
    return table(headings, groups, "details")


def readings_table(readings: Sequence[LatestReading], translate: Translate) -> Html:
    """Return the table of each meter's latest reading."""
    headings = [
        translate("Meter"),
        translate("Medium"),
        translate("Register"),
        translate("Power or flow"),
        translate("Time"),
    ]
    rows = [
        element(
            "tr",
            cell(headings[0], reading.meter, "name"),
            cell(headings[1], figure_texts.medium_name(reading.medium, translate)),
            cell(
                headings[2],
                _amount(
                    figure_texts.register(reading.register),
                    figure_texts.unit(reading.unit, translate),
                ),
                "number",
            ),
            cell(
                headings[3],
                _amount(
                    figure_texts.number(reading.rate),
                    figure_texts.unit(reading.rate_unit, translate),
                ),
                "number",
            ),
            cell(headings[4], _time(reading), "number"),
        )
        for reading in readings
    ]
    return table(headings, rows, "live")


def findings_table(data: PageData, translate: Translate) -> Html:
    """Return the table of findings about the figures; a sentence if there are none."""
    headings = [
        translate("No."),
        translate("Kind"),
        translate("Finding"),
        translate("Share of the figure"),
        translate("Scopes concerned"),
    ]
    labels = data.labels
    rows = [
        element(
            "tr",
            cell(headings[0], str(one.number), "number"),
            cell(headings[1], figure_texts.severity_word(one.finding.severity, translate), "name"),
            cell(headings[2], finding_text(one.finding, translate, labels)),
            cell(headings[3], figure_texts.share(one.finding.weight), "number"),
            cell(headings[4], translate(", ").join(map(labels.name, one.scopes))),
        )
        for one in figure_selection.FindingList(data.figures).findings
    ]
    if not rows:
        return element("p", translate("No doubts about these figures."), class_="quiet")
    return table(headings, rows, "doubts")


def _scope_row(data: PageData, scope: NamedScope, translate: Translate) -> Html:
    cells = [
        cell(
            figure_texts.indicator_name(indicator, translate),
            _status_cell(
                figure_selection.find_figure(data.figures, scope.id, indicator, data.period),
                translate,
            ),
        )
        for indicator in BINDING_INDICATORS
    ]
    return element("tr", element("th", scope.name, scope="row"), join(cells))


def _status_cell(figure: Figure | None, translate: Translate) -> Html:
    if figure is None:
        return Html(figure_texts.UNKNOWN)
    row = figure_texts.figure_row(figure, translate)
    return join(
        (
            element("div", _amount(element("b", row.value), row.unit)),
            element("div", row.change, element("small", f" / {row.target}"), class_="change"),
            element(
                "div",
                verdict_badge(figure, translate),
                element("small", f"{translate('Coverage')} {row.coverage}"),
            ),
        )
    )


def _detail_group(
    data: PageData,
    scope: NamedScope,
    headings: list[str],
    listed: figure_selection.FindingList,
    translate: Translate,
) -> list[Html]:
    figures = [f for f in data.figures if (f.scope, f.period) == (scope.id, data.period)]
    if not figures:
        return []
    title = element(
        "tr", element("th", scope.name, colspan=len(headings), scope="rowgroup"), class_="group"
    )
    return [title, *(_detail_row(figure, headings, listed, translate) for figure in figures)]


def _detail_row(
    figure: Figure,
    headings: list[str],
    listed: figure_selection.FindingList,
    translate: Translate,
) -> Html:
    row = figure_texts.figure_row(figure, translate)
    texts = (row.value, row.unit, row.baseline, row.change, row.target, row.path)
    kinds = ("number strong", "unit", "number", "number", "number", "number")
    shares = (row.coverage, row.estimated)
    return element(
        "tr",
        cell(headings[0], row.label, "name"),
        join([cell(h, t, k) for h, t, k in zip(headings[1:7], texts, kinds, strict=True)]),
        cell(headings[7], verdict_badge(figure, translate)),
        join([cell(h, t, "number") for h, t in zip(headings[8:10], shares, strict=True)]),
        cell(headings[10], figure_texts.findings_summary(figure, listed, translate), "basis"),
        cell(headings[11], row.basis, "basis"),
    )


def _amount(number: str, unit: str) -> Html:
    """Return a number with its unit; an unknown number has no unit."""
    if figure_texts.UNKNOWN in number or not unit:
        return join((number,))
    return join((number, " ", element("small", unit)))


def _time(reading: LatestReading) -> str:
    return figure_texts.UNKNOWN if reading.time is None else f"{reading.time:%m-%d %H:%M:%S}"


def sentences(texts: Sequence[str]) -> Html:
    """Return a list of sentences; an empty text if there are none."""
    items = [element("li", text) for text in texts]
    return element("ul", join(items), class_="notes") if items else Html("")


def cell(heading: str, content: str, name: str | None = None) -> Html:
    """Return a cell; `heading` labels the cell on a phone, and `name` is its class."""
    return element("td", content, data_label=heading, class_=name)


def table(headings: Sequence[str], rows: Sequence[Html], name: str) -> Html:
    """Return a table of rows, with a class of the style sheet."""
    heading = element(
        "thead", element("tr", join([element("th", text, scope="col") for text in headings]))
    )
    return element("table", heading, element("tbody", join(rows)), class_=name)
