"""Add comparisons other than that of the plan to a figure. Pure.

Law: a comparison adds findings of severity `info` at most, so it never changes a verdict.
"""

from collections.abc import Mapping

import msgspec

from analytics.figures.area_history.area_changes import AreaChange
from analytics.figures.comparisons.baselines import BaselineInputs, baseline_comparison
from analytics.figures.comparisons.like_for_like import (
    LikeForLike,
    like_for_like_comparison,
    like_for_like_findings,
)
from analytics.figures.figure import Figure, FigureComparison
from analytics.figures.indicator_results import IndicatorResult, PeriodInputs, indicator_result
from analytics.figures.roll_up import Scope
from jieneng.metering.findings import Finding
from jieneng.metering.indicators import Indicator


class FurtherInputs(msgspec.Struct, frozen=True):
    """Inputs of the comparisons that are shown beside that with the plan's base year.

    Attributes:
        like_for_like: inputs of both periods, reduced to the areas that existed in both; None if no
            area joined or left.
        baselines: the further baselines.
        own_changes: changes of the scopes that joined or left themselves, by scope id.
        coverage_floor: least coverage of compared values, 0 to 1.
    """

    like_for_like: LikeForLike | None
    baselines: tuple[BaselineInputs, ...]
    own_changes: Mapping[str, tuple[AreaChange, ...]]
    coverage_floor: float


def with_comparisons(
    figure: Figure,
    further: FurtherInputs,
    scope: Scope,
    indicator: Indicator,
    current: IndicatorResult,
) -> Figure:
    """Return a figure with its further comparisons, and the findings about them.

    Args:
        figure: the figure, with its other findings.
        further: inputs of the comparisons.
        scope: the scope of the figure.
        indicator: the indicator of the figure.
        current: the result of the indicator in the period.
    """

    def result(inputs: PeriodInputs) -> IndicatorResult:
        return indicator_result(inputs, scope, indicator, figure.factor_series)

    floor = further.coverage_floor
    comparisons = []
    findings = figure.findings
    for inputs in further.baselines:
        years = [result(year) for year in inputs.years]
        compared = baseline_comparison(inputs, current, years, floor)
        comparisons.append(compared)
        if compared.baseline is None and any(year.coverage > 0 for year in years):
            findings += (_unknown_baseline(compared),)
    alike = further.like_for_like
    # The inputs of a nonlinear indicator are series of the whole scope: areas can't be left out.
    if alike is not None and scope.id in alike.changes and indicator.sum_of is not None:
        changes = alike.changes[scope.id]
        compared = like_for_like_comparison(
            changes, alike.same_days, result(alike.current), result(alike.same_days), floor
        )
        comparisons.insert(0, compared)
        findings += tuple(like_for_like_findings(scope, indicator, changes, compared))
    for change in further.own_changes.get(scope.id, ()):
        findings += (Finding.of(f"area_{change.kind}", change.area, day=change.day),)
    return msgspec.structs.replace(figure, comparisons=tuple(comparisons), findings=findings)


def _unknown_baseline(compared: FigureComparison) -> Finding:
    """Return the finding about a baseline whose years lack data."""
    return Finding.of(
        "no_comparison", compared.id, name=compared.name, years=compared.baseline_period
    )
