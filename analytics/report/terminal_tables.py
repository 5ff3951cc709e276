"""Render figures as tables for a terminal with 100 columns, with the library rich. Pure.

Laws: an unknown value is shown as "—". A verdict is shown as a symbol and a word, not only as a
colour.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from rich import box
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from analytics.figures.figure import Figure, Status
from analytics.report import figure_selection, figure_texts
from analytics.report.report_data import LatestReading, NamedScope
from jieneng.locale import Translate
from jieneng.locale.finding_text import Labels, finding_text
from jieneng.metering.indicators import BINDING_INDICATORS, CAPPED_INDICATORS

_STATUS_COLOURS: Final[dict[Status, str]] = {
    "met": "green",
    "on_track": "blue",
    "at_risk": "yellow",
    "missed": "red",
    "doubtful": "magenta",
    "insufficient_data": "bright_black",
    "not_applicable": "bright_black",
    "no_target": "bright_black",
}


def overview_table(
    figures: Sequence[Figure], scopes: Sequence[NamedScope], period: str, translate: Translate
) -> Table:
    """Return the table of each scope's four binding indicators and their lowest coverage."""
    table = _table(translate("Binding targets"), period)
    table.add_column(translate("Scope"), no_wrap=True)
    for indicator in BINDING_INDICATORS:
        heading = figure_texts.indicator_name(indicator, translate)
        target = next(
            (figure_texts.target_text(f) for f in figures if f.indicator == indicator),
            figure_texts.UNKNOWN,
        )
        table.add_column(f"{heading}\n{translate('Target')} {target}", justify="right")
    table.add_column(translate("Coverage"), justify="right", no_wrap=True)
    for scope in scopes:
        found = [
            figure_selection.find_figure(figures, scope.id, indicator, period)
            for indicator in BINDING_INDICATORS
        ]
        shares = [f.coverage for f in found if f is not None and f.coverage is not None]
        table.add_row(
            Text(scope.name, style="bold" if scope.kind == "site" else ""),
            *(_overview_cell(figure, translate) for figure in found),
            figure_texts.share(min(shares, default=None)),
        )
    return table


def figures_table(
    figures: Sequence[Figure], names: Mapping[str, str], translate: Translate
) -> Table:
    """Return the table of all figures, grouped by scope.

    Args:
        figures: the figures, in the order of the table.
        names: names of the scopes by id.
        translate: function that translates a msgid.
    """
    periods = sorted({figure_texts.period_text(figure, translate) for figure in figures})
    table = _table(translate("All figures"), ", ".join(periods))
    table.add_column(translate("Indicator"), overflow="fold", min_width=21)
    for heading in (
        translate("Value"),
        translate("Base value"),
        translate("Change"),
        translate("Target"),
    ):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column(translate("Verdict"), no_wrap=True)
    table.add_column(translate("Coverage"), justify="right", no_wrap=True)
    for scope in dict.fromkeys(figure.scope for figure in figures):
        table.add_section()
        table.add_row(Text(names.get(scope, scope), style="bold"))
        for figure in figures:
            if figure.scope == scope:
                _add_figure(table, figure, translate)
    return table


def basis_table(figures: Sequence[Figure], names: Mapping[str, str], translate: Translate) -> Table:
    """Return the table of each figure's basis, by scope: coverage, estimates, factors, findings.

    Findings are referred to by their numbers in `findings_table`.

    Args:
        figures: the figures, in the order of the table.
        names: names of the scopes by id.
        translate: function that translates a msgid.
    """
    listed = figure_selection.FindingList(figures)
    table = _table(translate("Basis of each figure"), "")
    table.add_column(translate("Indicator"), overflow="fold", min_width=21)
    for heading in (translate("Coverage"), translate("Estimated")):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column(translate("Findings"), no_wrap=True)
    table.add_column(translate("Basis"), overflow="fold")
    known = [figure for figure in figures if figure.value is not None]
    for scope in dict.fromkeys(figure.scope for figure in known):
        table.add_section()
        table.add_row(Text(names.get(scope, scope), style="bold"))
        for figure in known:
            if figure.scope == scope:
                row = figure_texts.figure_row(figure, translate)
                table.add_row(
                    row.label,
                    row.coverage,
                    row.estimated,
                    figure_texts.findings_summary(figure, listed, translate),
                    row.basis,
                )
    return table


def forecast_table(
    figures: Sequence[Figure], names: Mapping[str, str], translate: Translate
) -> Table:
    """Return the table of what is expected at the end of a running year, by scope."""
    table = _table(translate("Expected at the year's end"), "")
    table.add_column(translate("Indicator"), overflow="fold", min_width=21)
    for heading in (
        translate("Expected"),
        translate("80 % of outcomes"),
        translate("Allowed"),
        translate("To be saved"),
        translate("A day"),
    ):
        table.add_column(heading, justify="right", no_wrap=True)
    expected = [figure for figure in figures if figure.forecast is not None]
    for scope in dict.fromkeys(figure.scope for figure in expected):
        table.add_section()
        table.add_row(Text(names.get(scope, scope), style="bold"))
        for figure in expected:
            if figure.scope == scope and figure.factor_series != "current":
                row = figure_texts.forecast_row(figure, translate)
                table.add_row(
                    row.label,
                    _amount(row.expected, row.unit),
                    row.band,
                    row.allowed,
                    row.to_save,
                    row.a_day,
                )
    return table


def findings_table(figures: Sequence[Figure], labels: Labels, translate: Translate) -> Table:
    """Return the table of the findings of figures, without repetitions, with their scopes."""
    table = _table(translate("Doubts"), "")
    table.add_column(translate("No."), justify="right", no_wrap=True)
    table.add_column(translate("Kind"), no_wrap=True)
    table.add_column(translate("Finding"), overflow="fold")
    table.add_column(translate("Share"), justify="right", no_wrap=True)
    table.add_column(translate("Scopes concerned"), overflow="fold")
    for one in figure_selection.FindingList(figures).findings:
        table.add_row(
            str(one.number),
            figure_texts.severity_word(one.finding.severity, translate),
            Text(finding_text(one.finding, translate, labels)),
            figure_texts.share(one.finding.weight),
            Text(translate(", ").join(map(labels.name, one.scopes))),
        )
    return table


def definitions_table(figures: Sequence[Figure], translate: Translate) -> Table:
    """Return the table of the definitions of the figures' indicators."""
    table = _table(translate("Definitions"), "")
    table.add_column(translate("Indicator"), overflow="fold", min_width=21)
    table.add_column(translate("Definition"), overflow="fold")
    for name in dict.fromkeys(figure.indicator for figure in figures):
        table.add_row(
            figure_texts.indicator_name(name, translate),
            figure_texts.indicator_definition(name, translate),
        )
    return table


def caps_table(figures: Sequence[Figure], scope: str, period: str, translate: Translate) -> Table:
    """Return the table of the two caps of a scope, with the used share."""
    table = _table(translate("Caps"), period)
    table.add_column(translate("Indicator"), no_wrap=True)
    for heading in (
        translate("Value"),
        translate("Cap"),
        translate("Share used"),
        translate("Coverage"),
    ):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column(translate("Verdict"), no_wrap=True)
    for indicator in CAPPED_INDICATORS:
        figure = figure_selection.find_figure(figures, scope, indicator, period)
        if figure is None:
            continue
        row = figure_texts.figure_row(figure, translate)
        table.add_row(
            row.label,
            _amount(row.value, row.unit),
            row.target,
            figure_texts.share(figure_texts.cap_share(figure)),
            row.coverage,
            _verdict(figure, translate),
        )
    return table


def readings_table(readings: Sequence[LatestReading], translate: Translate) -> Table:
    """Return the table of each meter's latest reading."""
    table = _table(translate("Live readings"), "")
    table.add_column(translate("Meter"), no_wrap=True)
    for heading in (translate("Register"), translate("Power or flow"), translate("Time")):
        table.add_column(heading, justify="right", no_wrap=True)
    for reading in readings:
        table.add_row(
            Text(reading.meter),
            _amount(
                figure_texts.register(reading.register), figure_texts.unit(reading.unit, translate)
            ),
            _amount(
                figure_texts.number(reading.rate), figure_texts.unit(reading.rate_unit, translate)
            ),
            figure_texts.UNKNOWN if reading.time is None else f"{reading.time:%H:%M:%S}",
        )
    return table


def _add_figure(table: Table, figure: Figure, translate: Translate) -> None:
    row = figure_texts.figure_row(figure, translate)
    table.add_row(
        f"{row.label} {figure_texts.factor_series_name(figure, translate)}".strip(),
        _amount(row.value, row.unit),
        row.baseline,
        row.change,
        row.target,
        _verdict(figure, translate),
        row.coverage,
    )


def _overview_cell(figure: Figure | None, translate: Translate) -> Text:
    if figure is None:
        return Text(figure_texts.UNKNOWN)
    row = figure_texts.figure_row(figure, translate)
    return Text.assemble(
        (row.value, "bold"),
        f" {row.change}\n",
        _verdict(figure, translate),
    )


def _verdict(figure: Figure, translate: Translate) -> Text:
    symbol = figure_texts.STATUS_SYMBOLS[figure.status]
    return Text(
        f"{symbol} {figure_texts.verdict_text(figure, translate)}",
        style=_STATUS_COLOURS[figure.status],
    )


def _amount(number: str, unit: str) -> Text:
    text = Text(number)
    if number != figure_texts.UNKNOWN:
        text.append(f" {unit}", style="dim")
    return text


def _table(title: str, period: str) -> Table:
    return Table(
        title=escape(f"{title} {period}".strip()),
        title_justify="left",
        title_style="bold",
        header_style="dim",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=True,
    )
