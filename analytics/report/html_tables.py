"""The page's tables. On a phone each row stands as a block, its cells named by `data-label`."""

from collections.abc import Sequence

from analytics.figures.figure import Figure, Status
from analytics.report import figure_selection, figure_texts
from analytics.report.html_elements import Html, join, tag
from analytics.report.report_data import PageData, Reading, Scope
from jieneng.locale import Translate
from jieneng.locale.finding_text import finding_text
from jieneng.metering.indicators import HEADLINES


def badge(status: Status, translate: Translate) -> Html:
    """A verdict as sign, word and colour."""
    sign = tag("span", figure_texts.SIGNS[status], class_="sign", aria_hidden="true")
    return tag("span", sign, figure_texts.status(status, translate), class_=f"badge {status}")


def scopes(data: PageData, kind: str, translate: Translate) -> Html:
    """The four indicators of each building or institution."""
    rows = [_scope(data, scope, translate) for scope in data.scopes if scope.kind == kind]
    heads = [figure_texts.indicator(indicator, translate) for indicator in HEADLINES]
    return _table([translate("Scope"), *heads], rows, "matrix") if rows else Html("")


def details(data: PageData, translate: Translate) -> Html:
    """Every figure with all that is known of it."""
    heads = [
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
        translate("Basis"),
    ]
    groups = [
        group for scope in data.scopes for group in _detail_group(data, scope, heads, translate)
    ]
    return _table(heads, groups, "details")


def live(readings: Sequence[Reading], translate: Translate) -> Html:
    """Return the table of each meter's latest reading."""
    heads = [
        translate("Meter"),
        translate("Medium"),
        translate("Register"),
        translate("Power or flow"),
        translate("Time"),
    ]
    rows = [
        tag(
            "tr",
            _cell(heads[0], reading.meter, "name"),
            _cell(heads[1], figure_texts.medium(reading.medium, translate)),
            _cell(
                heads[2],
                _amount(
                    figure_texts.register(reading.register),
                    figure_texts.unit(reading.unit, translate),
                ),
                "number",
            ),
            _cell(
                heads[3],
                _amount(
                    figure_texts.number(reading.rate),
                    figure_texts.unit(reading.rate_unit, translate),
                ),
                "number",
            ),
            _cell(heads[4], _time(reading), "number"),
        )
        for reading in readings
    ]
    return _table(heads, rows, "live")


def doubts(data: PageData, translate: Translate) -> Html:
    """Return the table of findings about the figures, or a sentence that there are none."""
    heads = [
        translate("Kind"),
        translate("Finding"),
        translate("Share of the figure"),
        translate("Figures of"),
    ]
    labels = data.labels
    rows = [
        tag(
            "tr",
            _cell(heads[0], figure_texts.severity(finding.severity, translate), "name"),
            _cell(heads[1], finding_text(finding, translate, labels)),
            _cell(heads[2], figure_texts.share(finding.weight), "number"),
            _cell(heads[3], translate(", ").join(map(labels.name, touched))),
        )
        for finding, touched in figure_selection.findings(data.figures)
    ]
    if not rows:
        return tag("p", translate("Nothing is to be said against these figures."), class_="quiet")
    return _table(heads, rows, "doubts")


def _scope(data: PageData, scope: Scope, translate: Translate) -> Html:
    cells = [
        _cell(
            figure_texts.indicator(indicator, translate),
            _verdict(
                figure_selection.one(data.figures, scope.id, indicator, data.period), translate
            ),
        )
        for indicator in HEADLINES
    ]
    return tag("tr", tag("th", scope.name, scope="row"), join(cells))


def _verdict(figure: Figure | None, translate: Translate) -> Html:
    if figure is None:
        return Html(figure_texts.UNKNOWN)
    row = figure_texts.row(figure, translate)
    return join(
        (
            tag("div", _amount(tag("b", row.value), row.unit)),
            tag("div", row.change, tag("small", f" / {row.target}"), class_="change"),
            tag(
                "div",
                badge(figure.status, translate),
                tag("small", f"{translate('Coverage')} {row.coverage}"),
            ),
        )
    )


def _detail_group(
    data: PageData, scope: Scope, heads: list[str], translate: Translate
) -> list[Html]:
    figures = [f for f in data.figures if (f.scope, f.period) == (scope.id, data.period)]
    if not figures:
        return []
    title = tag("tr", tag("th", scope.name, colspan=len(heads), scope="rowgroup"), class_="group")
    return [title, *(_detail(figure, heads, translate) for figure in figures)]


def _detail(figure: Figure, heads: list[str], translate: Translate) -> Html:
    row = figure_texts.row(figure, translate)
    texts = (row.value, row.unit, row.baseline, row.change, row.target, row.path)
    kinds = ("number strong", "unit", "number", "number", "number", "number")
    shares = (row.coverage, row.estimated)
    return tag(
        "tr",
        _cell(heads[0], row.label, "name"),
        join([_cell(h, t, k) for h, t, k in zip(heads[1:7], texts, kinds, strict=True)]),
        _cell(heads[7], badge(figure.status, translate)),
        join([_cell(h, t, "number") for h, t in zip(heads[8:10], shares, strict=True)]),
        _cell(heads[10], row.basis, "basis"),
    )


def _amount(number: str, unit: str) -> Html:
    """A number and its unit; what is unknown has none."""
    if figure_texts.UNKNOWN in number or not unit:
        return join((number,))
    return join((number, " ", tag("small", unit)))


def _time(reading: Reading) -> str:
    return figure_texts.UNKNOWN if reading.time is None else f"{reading.time:%m-%d %H:%M:%S}"


def _cell(head: str, content: str, name: str | None = None) -> Html:
    return tag("td", content, data_label=head, class_=name)


def _table(heads: Sequence[str], rows: Sequence[Html], name: str) -> Html:
    head = tag("thead", tag("tr", join([tag("th", text, scope="col") for text in heads])))
    return tag("table", head, tag("tbody", join(rows)), class_=name)
