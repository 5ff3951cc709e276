"""Add comparisons other than that of the plan to a figure. Pure.

Law: a comparison adds findings of severity `info` at most, so it never changes a verdict.
"""

import msgspec

from analytics.figures.comparisons.baselines import BaselineInputs, baseline_comparison
from analytics.figures.comparisons.like_for_like import (
    LikeForLike,
    like_for_like_comparison,
    like_for_like_findings,
)
from analytics.figures.figure import Figure
from analytics.figures.indicator_results import IndicatorResult, PeriodInputs, indicator_result
from analytics.figures.roll_up import Scope
from jieneng.metering.indicators import Indicator


class FurtherInputs(msgspec.Struct, frozen=True):
    """Inputs of the comparisons other than that of the plan.

    Attributes:
        like_for_like: the two periods by the areas that existed in both; None if no area joined or
            left.
        baselines: the further baselines.
    """

    like_for_like: LikeForLike | None
    baselines: tuple[BaselineInputs, ...]


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

    comparisons = [
        baseline_comparison(inputs, current, [result(year) for year in inputs.years])
        for inputs in further.baselines
    ]
    findings = figure.findings
    alike = further.like_for_like
    # The inputs of a nonlinear indicator are series of the whole scope: areas can't be left out.
    if alike is not None and scope.id in alike.changes and indicator.sum_of is not None:
        changes = alike.changes[scope.id]
        compared = like_for_like_comparison(
            changes, alike.same_days, result(alike.current), result(alike.same_days)
        )
        comparisons.insert(0, compared)
        findings += tuple(like_for_like_findings(scope, indicator, changes, compared))
    return msgspec.structs.replace(figure, comparisons=tuple(comparisons), findings=findings)
