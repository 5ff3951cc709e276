"""Select the figures of a table or chart. Pure; nothing is computed."""

import math
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
            target: if there are two series, the one with the fixed factor.
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


class NumberedFinding(msgspec.Struct, frozen=True):
    """A finding of one or more figures.

    Attributes:
        number: number in the list of findings, from 1.
        finding: the finding, with its largest weight in any figure.
        scopes: ids of the scopes that have the finding.
    """

    number: int
    finding: Finding
    scopes: tuple[str, ...]


class FindingList:
    """The findings of figures, without repetitions, numbered, with the largest weight first.

    Args:
        figures: the figures, in their order.
    """

    def __init__(self, figures: Sequence[Figure]) -> None:
        self.findings = tuple(
            NumberedFinding(number, finding, tuple(scopes))
            for number, (finding, scopes) in enumerate(
                sorted(
                    distinct_findings(figures), key=lambda one: _weight_order(one[0]), reverse=True
                ),
                1,
            )
        )
        self._numbers = {_without_weight(one.finding): one.number for one in self.findings}

    def heaviest(self, figure: Figure) -> NumberedFinding | None:
        """Return the finding with the largest weight in a figure; None if it has no finding.

        A doubt without a known limit counts as the largest weight. Findings without a doubt count
        as the smallest.
        """
        if not figure.findings:
            return None
        finding = max(figure.findings, key=_weight_order)
        return NumberedFinding(self._numbers[_without_weight(finding)], finding, (figure.scope,))


def _without_weight(finding: Finding) -> Finding:
    return msgspec.structs.replace(finding, weight=None)


def _weight_order(finding: Finding) -> tuple[bool, float, bool]:
    is_unbounded = finding.doubt is not None and math.isinf(finding.doubt)
    return is_unbounded, finding.weight or 0.0, finding.severity != "info"


def distinct_findings(figures: Sequence[Figure]) -> list[tuple[Finding, list[str]]]:
    """Return each finding once, with its largest weight, and the ids of the scopes that have it."""
    scopes: dict[Finding, list[str]] = {}
    weights: dict[Finding, list[float]] = {}
    for figure in figures:
        for finding in figure.findings:
            same = _without_weight(finding)
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
    """Return the figures of years (id length 4) or months (id length 7), in order of time.

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
