"""Select the figures of a report that belong in a table or chart; nothing is computed."""

from collections.abc import Iterable, Sequence

import msgspec

from analytics.figures.figure import FactorSeries, Figure
from analytics.report.report_data import PageData
from jieneng.metering.findings import Finding


def find_figure(
    figures: Iterable[Figure],
    scope: str,
    indicator: str,
    period: str,
    series: FactorSeries | None = None,
) -> Figure | None:
    """The figure of a scope, indicator and period; None where there is none.

    Args:
        figures: to look through.
        scope: id.
        indicator: id.
        period: as the figure names it.
        series: of the grid's factor. Where None: the one that the target is judged by, which is
            the fixed one where carbon has two.
    """
    wanted = (None, "fixed") if series is None else (series,)
    found = [
        figure
        for figure in figures
        if (figure.scope, figure.indicator, figure.period) == (scope, indicator, period)
        and figure.factor_series in wanted
    ]
    return found[0] if found else None


def year_figures(data: PageData, scope: str, indicator: str) -> list[Figure]:
    """The figures of whole years, by year."""
    return _periods(data, scope, indicator, 4)


def month_figures(data: PageData, scope: str, indicator: str, year: str) -> list[Figure]:
    """The figures of the months of a year, by month."""
    found = _periods(data, scope, indicator, 7)
    return [figure for figure in found if figure.period.startswith(f"{year}-")]


def distinct_findings(figures: Sequence[Figure]) -> list[tuple[Finding, list[str]]]:
    """Return each finding once, with its greatest weight and the scopes it touches."""
    scopes: dict[Finding, list[str]] = {}
    weights: dict[Finding, list[float]] = {}
    for figure in figures:
        for finding in figure.findings:
            same = msgspec.structs.replace(finding, weight=None)
            touched = scopes.setdefault(same, [])
            if figure.scope not in touched:
                touched.append(figure.scope)
            if finding.weight is not None:
                weights.setdefault(same, []).append(finding.weight)
    return [
        (msgspec.structs.replace(same, weight=max(weights.get(same, ()), default=None)), touched)
        for same, touched in scopes.items()
    ]


def _periods(data: PageData, scope: str, indicator: str, length: int) -> list[Figure]:
    """Return the figures whose period is so many characters long, in the order of time.

    If the report's own figures and its history both have a period, the report's own is taken.
    """
    found: dict[str, Figure] = {}
    for figure in (*data.figures, *data.history):
        if (
            (figure.scope, figure.indicator) == (scope, indicator)
            and len(figure.period) == length
            and figure.factor_series != "current"
        ):
            found.setdefault(figure.period, figure)
    return [found[period] for period in sorted(found)]
