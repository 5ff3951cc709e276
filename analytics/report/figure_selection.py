"""Select the figures of a table or chart. Pure; nothing is computed."""

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
    """Return the figure of a scope, indicator and period; None if there is none.

    Args:
        figures: the figures to search.
        scope: id of the scope.
        indicator: id of the indicator.
        period: id of the period.
        series: series of the grid's carbon factor. None for the figure that is compared with the
            target: the `fixed` one if there are two.
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
    """Return the figures of whole years, by year."""
    return _periods(data, scope, indicator, 4)


def month_figures(data: PageData, scope: str, indicator: str, year: str) -> list[Figure]:
    """Return the figures of the months of a year, by month."""
    found = _periods(data, scope, indicator, 7)
    return [figure for figure in found if figure.period.startswith(f"{year}-")]


def distinct_findings(figures: Sequence[Figure]) -> list[tuple[Finding, list[str]]]:
    """Return each finding once, with its greatest weight and the ids of the scopes concerned."""
    scopes: dict[Finding, list[str]] = {}
    weights: dict[Finding, list[float]] = {}
    for figure in figures:
        for finding in figure.findings:
            same = msgspec.structs.replace(finding, weight=None)
            concerned = scopes.setdefault(same, [])
            if figure.scope not in concerned:
                concerned.append(figure.scope)
            if finding.weight is not None:
                weights.setdefault(same, []).append(finding.weight)
    return [
        (msgspec.structs.replace(same, weight=max(weights.get(same, ()), default=None)), concerned)
        for same, concerned in scopes.items()
    ]


def _periods(data: PageData, scope: str, indicator: str, length: int) -> list[Figure]:
    """Return the figures of periods whose id has a length, in the order of time.

    A figure of the report's own period takes precedence over one of its history.
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
