"""Select the figures of each chart on the page, and draw the charts."""

from analytics.figures.figure import Figure
from analytics.report import figure_selection, figure_texts
from analytics.report.drawing import svg_charts
from analytics.report.html_elements import Html, element, join
from analytics.report.report_data import NamedScope, PageData
from jieneng.locale import Translate
from jieneng.metering.indicators import BINDING_INDICATORS, CONSUMPTION_INDICATORS

_MONTHS = tuple(f"{month:02}" for month in range(1, 13))


def glide_path_charts(data: PageData, translate: Translate) -> Html:
    """Draw the four binding indicators of the site by year, against the glide path."""
    charts = [_glide_path_chart(data, indicator, translate) for indicator in BINDING_INDICATORS]
    return element("div", join(charts), class_="charts four") if any(charts) else Html("")


def consumption_charts(data: PageData, scope: NamedScope, translate: Translate) -> Html:
    """Draw a scope's consumption by month, one chart for each medium, with the coverage below."""
    charts = [
        _consumption_chart(data, scope, indicator, translate)
        for indicator in CONSUMPTION_INDICATORS
        if figure_selection.month_figures(data, scope.id, indicator, data.period[:4])
    ]
    return element("div", join(charts), class_="charts three") if charts else Html("")


def _glide_path_chart(data: PageData, indicator: str, translate: Translate) -> Html:
    scope = data.scopes[0]
    figures = figure_selection.year_figures(data, scope.id, indicator)
    name = figure_texts.indicator_name(indicator, translate)
    if not figures:
        return Html("")
    base = next((f.baseline_period for f in figures if f.baseline_period), None)
    points = [
        # In the base year, the glide path equals the value.
        svg_charts.YearPoint(
            f.period, f.value, f.value if f.period == base else f.path, _is_uncertain(f, data)
        )
        for f in figures
    ]
    target = next((f.target for f in reversed(figures) if f.target is not None), None)
    chart = svg_charts.glide_path_chart(
        name, figure_texts.unit(figures[0].unit, translate), points, target
    )
    return element("figure", element("figcaption", name), chart)


def _consumption_chart(
    data: PageData, scope: NamedScope, indicator: str, translate: Translate
) -> Html:
    year = data.period[:4]
    figures = {
        f.period[5:]: f for f in figure_selection.month_figures(data, scope.id, indicator, year)
    }
    bars = [_bar(month, figures.get(month), data) for month in _MONTHS]
    unit = figure_texts.unit(next(iter(figures.values())).unit, translate)
    name = figure_texts.indicator_name(indicator, translate)
    coverage = [(m, figures[m].coverage if m in figures else None) for m in _MONTHS]
    covered = translate("Coverage")
    return element(
        "figure",
        element("figcaption", name),
        svg_charts.month_bar_chart(f"{scope.name}, {name}", unit, bars),
        svg_charts.coverage_strip(
            f"{scope.name}, {name}, {covered}", covered, coverage, data.coverage_floor
        ),
    )


def _bar(month: str, figure: Figure | None, data: PageData) -> svg_charts.MonthBar:
    if figure is None:
        return svg_charts.MonthBar(month, None)
    return svg_charts.MonthBar(month, figure.value, figure.baseline, _is_uncertain(figure, data))


def _is_uncertain(figure: Figure, data: PageData) -> bool:
    """Return True if the coverage of a figure is below the floor, or its verdict is doubtful."""
    is_covered = figure.coverage is not None and figure.coverage >= data.coverage_floor
    return not is_covered or figure.status == "doubtful"
