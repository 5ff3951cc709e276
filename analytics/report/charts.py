"""Choose the figures of each chart on the page, and draw it."""

from analytics.figures.figure import Figure
from analytics.report import figure_selection, figure_texts, svg_charts
from analytics.report.html_elements import Html, join, tag
from analytics.report.report_data import PageData, Scope
from jieneng.locale import Translate
from jieneng.metering.indicators import CONSUMED, HEADLINES

_MONTHS = tuple(f"{month:02}" for month in range(1, 13))


def glide_paths(data: PageData, translate: Translate) -> Html:
    """The four indicators of the centre, by year, against the path to the target."""
    charts = [_glide_path(data, indicator, translate) for indicator in HEADLINES]
    return tag("div", join(charts), class_="charts four") if any(charts) else Html("")


def consumption(data: PageData, scope: Scope, translate: Translate) -> Html:
    """A scope's consumption by month, a chart a medium, with its coverage below."""
    charts = [
        _consumption(data, scope, indicator, translate)
        for indicator in CONSUMED
        if figure_selection.months(data, scope.id, indicator, data.period[:4])
    ]
    return tag("div", join(charts), class_="charts three") if charts else Html("")


def _glide_path(data: PageData, indicator: str, translate: Translate) -> Html:
    scope = data.scopes[0]
    figures = figure_selection.years(data, scope.id, indicator)
    name = figure_texts.indicator(indicator, translate)
    if not figures:
        return Html("")
    base = next((f.baseline_period for f in figures if f.baseline_period), None)
    marks = [
        # The path starts at the base period's own value.
        svg_charts.Mark(
            f.period, f.value, f.value if f.period == base else f.path, _doubtful(f, data)
        )
        for f in figures
    ]
    target = next((f.target for f in reversed(figures) if f.target is not None), None)
    chart = svg_charts.glide_path(
        name, figure_texts.unit(figures[0].unit, translate), marks, target
    )
    return tag("figure", tag("figcaption", name), chart)


def _consumption(data: PageData, scope: Scope, indicator: str, translate: Translate) -> Html:
    year = data.period[:4]
    figures = {f.period[5:]: f for f in figure_selection.months(data, scope.id, indicator, year)}
    bars = [_bar(month, figures.get(month), data) for month in _MONTHS]
    unit = figure_texts.unit(next(iter(figures.values())).unit, translate)
    name = figure_texts.indicator(indicator, translate)
    coverage = [(m, figures[m].coverage if m in figures else None) for m in _MONTHS]
    covered = translate("Coverage")
    return tag(
        "figure",
        tag("figcaption", name),
        svg_charts.month_bars(f"{scope.name}, {name}", unit, bars),
        svg_charts.coverage_strip(
            f"{scope.name}, {name}, {covered}", covered, coverage, data.coverage_floor
        ),
    )


def _bar(month: str, figure: Figure | None, data: PageData) -> svg_charts.Bar:
    if figure is None:
        return svg_charts.Bar(month, None)
    return svg_charts.Bar(month, figure.value, figure.baseline, _doubtful(figure, data))


def _doubtful(figure: Figure, data: PageData) -> bool:
    return figure.coverage is None or figure.coverage < data.coverage_floor
