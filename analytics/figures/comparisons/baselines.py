"""Compare figures with further baselines, beside the base year of the plan. Pure.

The base year of a plan may be unusual: in 2020, offices were closed for months. A further baseline
shows the change against other years.

Laws:

1. A baseline is a row of `plan.toml` with its years and a reason. It has no target and no verdict.
2. The baseline of several years is the mean of their values. If one value is unknown, or lacks the
   data that a verdict would need, the mean is unknown.
3. A period is compared with the same days of each year, and only with earlier years.
"""

import math
from collections.abc import Sequence

import msgspec

from analytics.figures.figure import FigureComparison, relative_change_pct, rounded
from analytics.figures.indicator_results import IndicatorResult, PeriodInputs
from analytics.figures.targets import Baseline


class BaselineInputs(msgspec.Struct, frozen=True):
    """Inputs of the indicators in the years of a baseline.

    Attributes:
        baseline: the row.
        years: the same days of each year.
    """

    baseline: Baseline
    years: tuple[PeriodInputs, ...]


def baseline_comparison(
    inputs: BaselineInputs,
    current: IndicatorResult,
    years: Sequence[IndicatorResult],
    coverage_floor: float,
) -> FigureComparison:
    """Return the comparison of an indicator with a further baseline.

    Args:
        inputs: the baseline and its periods.
        current: the indicator in the period.
        years: the indicator in each year of the baseline.
        coverage_floor: least coverage of a year, 0 to 1.
    """
    values = [year.value if year.is_sufficient(coverage_floor) else math.nan for year in years]
    mean = sum(values) / len(values) if values else math.nan
    change = relative_change_pct(current.value, mean)
    periods = [year.period.id for year in inputs.years]
    first, last = periods[0], periods[-1]
    return FigureComparison(
        id=inputs.baseline.id,
        name=inputs.baseline.name or inputs.baseline.id,
        reason=inputs.baseline.reason,
        value=rounded(current.value),
        baseline=rounded(mean),
        baseline_period=first if first == last else f"{first}..{last}",
        change_pct=rounded(change),
        decrease_pct=rounded(-change),
        coverage=rounded(min((year.coverage for year in (current, *years)), default=math.nan)),
    )
