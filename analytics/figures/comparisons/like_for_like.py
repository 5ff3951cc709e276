"""Compare a scope with its base period by the areas that existed throughout both. Pure.

Laws:

1. Areas that joined or left are left out, with all areas inside them. So both sides of a comparison
   consist of the same areas (`analytics.figures.area_history.area_changes`).
2. If an area joined or left within a period, or between the periods, it is treated in both periods
   as if it were let out. The consumption of its meters, its floor area and headcount are deducted.
3. Meters that are replaced or added within an area are no reason to leave the area out, because its
   use goes on.
4. If an area that is left out has no meter of its own for a medium, its consumption of the medium
   stays in the comparison, and a finding says so.
"""

import math
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from analytics.figures.area_history.area_changes import AreaChange
from analytics.figures.figure import FigureComparison, relative_change_pct, rounded
from analytics.figures.indicator_results import IndicatorResult, PeriodInputs
from analytics.figures.roll_up import Scope
from jieneng.metering import schema
from jieneng.metering.findings import Finding
from jieneng.metering.indicators import BINDING_INDICATORS, Indicator


class LikeForLike(msgspec.Struct, frozen=True):
    """Two periods by the areas that existed throughout both.

    Attributes:
        changes: for each scope with a comparison, by its id: its areas that joined or left.
        current: the complete days of the period.
        same_days: the same days of the base year.
    """

    changes: Mapping[str, tuple[AreaChange, ...]]
    current: PeriodInputs
    same_days: PeriodInputs


def like_for_like_comparison(
    changes: Sequence[AreaChange],
    same_days: PeriodInputs,
    current: IndicatorResult,
    baseline: IndicatorResult,
    coverage_floor: float,
) -> FigureComparison:
    """Return the comparison of an indicator by the areas that existed throughout both periods.

    Args:
        changes: the areas of the scope that are left out.
        same_days: inputs of the base period.
        current: the indicator without these areas.
        baseline: the indicator without these areas in the base period.
        coverage_floor: least coverage of both periods for which a change is stated, 0 to 1.
    """
    is_known = current.is_sufficient(coverage_floor) and baseline.is_sufficient(coverage_floor)
    change = relative_change_pct(current.value, baseline.value) if is_known else math.nan
    return FigureComparison(
        id=schema.LIKE_FOR_LIKE,
        name=schema.LIKE_FOR_LIKE,
        reason="",
        value=rounded(current.value),
        baseline=rounded(baseline.value),
        baseline_period=same_days.period.id,
        change_pct=rounded(change),
        decrease_pct=rounded(-change),
        coverage=rounded(min(current.coverage, baseline.coverage)),
        left_out=tuple(one.area for one in changes),
    )


def like_for_like_findings(
    scope: Scope, indicator: Indicator, changes: Sequence[AreaChange], compared: FigureComparison
) -> Iterator[Finding]:
    """Yield a finding for each area that joined or left, and one with the result.

    The result is a finding for the indicators of binding targets only: a scope has many others.
    """
    for change in changes:
        yield Finding.of(f"area_{change.kind}", change.area, day=change.day)
        media = [medium for medium in indicator.media if medium in change.unmetered]
        if media:
            yield Finding.of("left_out_unmetered", change.area, media=" ".join(media))
    if compared.change_pct is not None and indicator.id in BINDING_INDICATORS:
        yield Finding.of(
            schema.LIKE_FOR_LIKE, scope.id, indicator=indicator.id, change=compared.change_pct
        )
