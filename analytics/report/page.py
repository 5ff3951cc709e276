"""Render the figures of a year as an HTML page: self-contained, without scripts, ready to print.

Laws: the same data give the same bytes. Every figure has its unit, base value, change, target,
verdict and coverage. The foot of the page states sources and conventions.
"""

from analytics.figures.figure import Figure
from analytics.report import alert_tables, confirmation, figure_selection, figure_texts, html_tables
from analytics.report.analyses import carbon_page, comparison_page, quality_output
from analytics.report.drawing import charts, svg_charts
from analytics.report.html_elements import Html, element, join
from analytics.report.page_style import CSS
from analytics.report.report_data import NamedScope, PageData
from jieneng.locale import Translate
from jieneng.metering.indicators import BINDING_INDICATORS, CAPPED_INDICATORS


def render(data: PageData, translate: Translate, *, language: str = "zh") -> str:
    """Return the HTML text of the page, to be saved as UTF-8.

    Args:
        data: figures, names and readings.
        translate: function that translates a msgid.
        language: language of `translate`, for the page's `lang`.
    """
    title = translate("{site}: targets of {period}").format(site=data.site_name, period=data.period)
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", title),
        element("style", Html(CSS)),
    )
    body = element(
        "body",
        svg_charts.hatch_pattern(),
        element("main", _header(data, translate), *_parts(data, translate)),
    )
    lang = "zh-CN" if language == "zh" else language
    return f"<!DOCTYPE html>\n{element('html', head, body, lang=lang)}\n"


def _parts(data: PageData, translate: Translate) -> list[Html]:
    site = data.scopes[0]
    return [
        _section(translate("Binding targets"), _cards(data, site, translate)),
        _section(translate("Caps"), _caps(data, site, translate)),
        _section(translate("Alerts"), alert_tables.page_part(data, translate), id_="alerts"),
        _section(translate("Buildings"), html_tables.scope_table(data, "area", translate)),
        _section(
            translate("Institutions"), html_tables.scope_table(data, "institution", translate)
        ),
        _section(translate("Further comparisons"), comparison_page.page_part(data, translate)),
        _section(translate("Change of carbon, by cause"), carbon_page.page_part(data, translate)),
        _paths(data, translate),
        _months(data, translate),
        _section(translate("Live readings"), html_tables.readings_table(data.readings, translate))
        if data.readings
        else Html(""),
        _section(translate("All figures"), html_tables.details_table(data, translate)),
        _section(
            translate("Doubts"),
            html_tables.findings_table(data, translate),
            _how_to_confirm(data, translate),
        ),
        _section(translate("Quality of the data"), quality_output.page_part(data, translate)),
        _section(translate("Basis of the figures"), _notes(data, translate)),
    ]


def _header(data: PageData, translate: Translate) -> Html:
    return element(
        "header",
        element("p", translate("Energy and water of public institutions"), class_="over"),
        element("h1", data.site_name),
        element(
            "p",
            translate("Period {period}").format(period=_period_text(data, translate)),
            " · ",
            translate("as of {time}").format(time=f"{data.generated:%Y-%m-%d %H:%M %Z}"),
            class_="quiet",
        ),
        _verdicts(data, translate),
        alert_tables.page_notice(data, translate),
    )


def _period_text(data: PageData, translate: Translate) -> str:
    reported = [figure for figure in data.figures if figure.period == data.period]
    return figure_texts.period_text(reported[0], translate) if reported else data.period


def _verdicts(data: PageData, translate: Translate) -> Html:
    """Return the number of binding targets by verdict, in the order of `STATUS_SYMBOLS`."""
    found = [_binding_figure(data, data.scopes[0], indicator) for indicator in BINDING_INDICATORS]
    statuses = [figure.status for figure in found if figure is not None]
    counts = [
        element(
            "span",
            html_tables.status_badge(status, figure_texts.status_word(status, translate)),
            f" × {statuses.count(status)}",
        )
        for status in figure_texts.STATUS_SYMBOLS
        if status in statuses
    ]
    return element("p", join(counts), class_="verdicts")


def _binding_figure(data: PageData, scope: NamedScope, indicator: str) -> Figure | None:
    return figure_selection.find_figure(data.figures, scope.id, indicator, data.period)


def _cards(data: PageData, scope: NamedScope, translate: Translate) -> Html:
    cards = [
        _card(data, figure, translate)
        for indicator in BINDING_INDICATORS
        if (figure := _binding_figure(data, scope, indicator)) is not None
    ]
    return element("div", join(cards), class_="cards")


def _card(data: PageData, figure: Figure, translate: Translate) -> Html:
    row = figure_texts.figure_row(figure, translate)
    facts = [
        (
            translate("Base value {period}").format(
                period=figure.baseline_period or figure_texts.UNKNOWN
            ),
            row.baseline,
        ),
        (translate("Required decrease"), row.target),
        (translate("This year's path"), row.path),
        (translate("Coverage"), row.coverage),
        (translate("Estimated"), row.estimated),
        (translate("Basis"), row.basis),
        *_current_series(data, figure, translate),
        *_forecast(figure, translate),
    ]
    bar = (
        svg_charts.target_progress_bar(row.label, figure.change_pct, figure.target_pct)
        if figure.target_pct is not None
        else Html("")
    )
    return element(
        "article",
        element("h3", row.label, " ", html_tables.verdict_badge(figure, translate)),
        element("p", element("b", row.value), " ", element("span", row.unit), class_="value"),
        element("p", element("b", row.change), " ", translate("against the base"), class_="change"),
        bar,
        element(
            "dl",
            join(
                [element("div", element("dt", name), element("dd", text)) for name, text in facts]
            ),
        ),
        class_=f"card {figure.status}",
    )


def _forecast(figure: Figure, translate: Translate) -> list[tuple[str, str]]:
    """Return what is expected at the end of a running year; empty if there is no forecast."""
    if figure.forecast is None:
        return []
    row = figure_texts.forecast_row(figure, translate)
    return [
        (translate("Expected at the year's end"), f"{row.expected} {row.unit}"),
        (translate("80 % of outcomes"), row.band),
        (translate("Allowed"), row.allowed),
        (translate("To be saved"), row.to_save),
    ]


def _current_series(data: PageData, figure: Figure, translate: Translate) -> list[tuple[str, str]]:
    """Return label and value of the same carbon figure with each year's factor (inventory)."""
    if figure.factor_series != "fixed":
        return []
    other = figure_selection.find_figure(
        data.figures, figure.scope, figure.indicator, figure.period, "current"
    )
    if other is None:
        return []
    row = figure_texts.figure_row(other, translate)
    return [(translate("With each year's factor"), f"{row.value} ({row.change})")]


def _caps(data: PageData, scope: NamedScope, translate: Translate) -> Html:
    rows = [
        _cap(figure, translate)
        for indicator in CAPPED_INDICATORS
        if (figure := _binding_figure(data, scope, indicator)) is not None
    ]
    return element("div", join(rows), class_="caps")


def _cap(figure: Figure, translate: Translate) -> Html:
    row = figure_texts.figure_row(figure, translate)
    facts = [
        f"{translate('Cap')} {row.target}",
        f"{translate('Change')} {row.change}",
        f"{translate('Coverage')} {row.coverage}",
        *([row.basis] if figure.convention else []),
    ]
    used = translate("{share} of the cap").format(
        share=figure_texts.share(figure_texts.cap_share(figure))
    )
    return element(
        "article",
        element("h3", row.label, " ", html_tables.verdict_badge(figure, translate)),
        element(
            "p",
            element("b", row.value),
            " ",
            element("span", row.unit),
            element("span", used, class_="used") if figure.target else Html(""),
            class_="value",
        ),
        svg_charts.cap_bar(row.label, figure.value, figure.target) if figure.target else Html(""),
        element("p", " · ".join(facts), class_="quiet"),
        class_=f"card {figure.status}",
    )


def _paths(data: PageData, translate: Translate) -> Html:
    drawn = charts.glide_path_charts(data, translate)
    if not drawn:
        return drawn
    legend = _legend(
        ("actual", translate("actual")),
        ("path", translate("glide path")),
        ("target", translate("target")),
        ("hollow", translate("coverage below the floor, or doubtful")),
    )
    return _section(translate("On the way to the target"), drawn, legend)


def _months(data: PageData, translate: Translate) -> Html:
    groups = [
        join((element("h3", scope.name), drawn))
        for scope in data.scopes
        if (drawn := charts.consumption_charts(data, scope, translate))
    ]
    if not groups:
        return Html("")
    legend = _legend(
        ("bar", translate("this year")),
        ("base", translate("base year")),
        ("thin", translate("coverage below the floor, or doubtful")),
    )
    return _section(translate("Consumption by month"), legend, *groups)


def _how_to_confirm(data: PageData, translate: Translate) -> Html:
    """Return the section with the lines of `site.toml` that confirm findings."""
    findings = confirmation.to_confirm(data.figures)
    if not findings:
        return Html("")
    lines = confirmation.confirmation_lines(findings, data.labels, translate)
    return join(
        (
            element("p", confirmation.how_to_confirm(translate), class_="quiet"),
            element("pre", lines),
        )
    )


def _notes(data: PageData, translate: Translate) -> Html:
    notes = [
        translate(
            "Electricity is converted to coal equivalent with the equivalent value, unless a "
            "figure states the coal consumption value. Water is not energy and has no coal "
            "equivalent."
        ),
        translate(
            "Carbon is stated with two factors of the grid. With the base year's factor, the "
            "figure shows the institution's own performance and is compared with the target. "
            "With each year's factor, it is the figure of an emission inventory."
        ),
        translate(
            "Coverage is the share of the meters' time for which consumption is known, from"
            " readings before and after or from imports. If it is below {floor} in the"
            " elapsed period, there is no verdict."
        ).format(floor=figure_texts.percent(100 * data.coverage_floor)),
        translate(
            "Estimated is the share of the value that was divided, because the"
            " period begins or ends between two readings. The energy itself was measured;"
            " only its distribution over time is estimated."
        ),
        translate(
            "A verdict is doubtful if findings about the meters, in this period or in the"
            " base year, could change it. Each finding is listed with its share of the"
            " figure. If a person confirms a finding, it is listed with the person's name"
            " and reason, and no longer makes the verdict doubtful."
        ),
        translate("If a period is not over, value and base value are for the same elapsed days."),
        translate("Floor areas and headcounts are time-weighted means of dated values."),
        *data.sources,
    ]
    used = dict.fromkeys(figure.indicator for figure in data.figures)
    definitions = [
        element(
            "div",
            element("dt", figure_texts.indicator_name(name, translate)),
            element("dd", figure_texts.indicator_definition(name, translate)),
        )
        for name in used
    ]
    return join(
        (
            element("dl", join(definitions), class_="definitions"),
            element("ol", join([element("li", note) for note in notes]), class_="notes"),
        )
    )


def _legend(*entries: tuple[str, str]) -> Html:
    parts = [
        element("span", element("i", "", class_=f"key {name}"), text) for name, text in entries
    ]
    return element("p", join(parts), class_="legend quiet")


def _section(title: str, *content: Html, id_: str | None = None) -> Html:
    """Return a section of the page; an empty text if it has no content."""
    if not any(content):
        return Html("")
    return element("section", element("h2", title), *content, id_=id_)
