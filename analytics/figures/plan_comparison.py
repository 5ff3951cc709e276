"""Compare the indicator of a scope with a target or a cap of the plan, and reach a verdict.

Laws:

1. The verdict on a running year depends on the forecast of the whole year, if last year is known.
   Without a forecast, and in other periods, the verdict depends on the days so far.
2. Without enough data there is no verdict. A scope that existed only in a part of the compared
   periods has no verdict either. The rules are in `analytics.figures.targets`.

Pure: structs in, figures out.
"""

import math
from collections.abc import Iterator
from datetime import date, timedelta

import msgspec

from analytics.figures import targets
from analytics.figures.figure import Figure, Status, rounded
from analytics.figures.indicator_results import IndicatorResult, PeriodInputs
from analytics.figures.roll_up import Scope
from analytics.figures.rule_files import Rules
from analytics.figures.targets import Cap, Plan, Range, Target
from analytics.periods import Period, calendar_year
from jieneng.metering.findings import Finding
from jieneng.metering.quantities import CONSUMPTION, QUANTITIES


class Comparison(msgspec.Struct, frozen=True):
    """Inputs of the figures of a period and of its base year.

    Attributes:
        rules: factors, plans, targets and caps.
        period: the whole period, including future days.
        plan: the plan in force in the period; None if there is none.
        current: the complete days of the period.
        same_days: the same days of the base year; None if there is no base year.
        base_year: the whole base year; None if there is none.
        partial: ids of the scopes that existed only in a part of the compared periods.
    """

    rules: Rules
    period: Period
    plan: Plan | None
    current: PeriodInputs
    same_days: PeriodInputs | None
    base_year: PeriodInputs | None
    partial: frozenset[str] = frozenset()

    @property
    def is_complete(self) -> bool:
        """True if the period is over."""
        return self.current.period.end == self.period.end

    @property
    def is_running_year(self) -> bool:
        """True for a calendar year that has begun and is not over."""
        return self.period.whole_year and self.until is not None

    @property
    def until(self) -> date | None:
        """The last complete day of a period that is not over; None if no day is complete."""
        is_running = not self.is_complete and self.current.period.days > 0
        return self.current.period.end - timedelta(days=1) if is_running else None

    @property
    def is_final(self) -> bool:
        """True if the period is the plan's last year and is over: targets are met or missed."""
        is_last = self.plan is not None and self.plan.to == self.period.year
        return is_last and self.period.whole_year and self.is_complete


def with_target(
    figure: Figure,
    target: Target,
    plan: Plan,
    comparison: Comparison,
    current: IndicatorResult,
    baseline: IndicatorResult,
    base_year: IndicatorResult,
) -> Figure:
    """Return a figure with the plan's target, the glide path and the verdict."""
    year, floor = comparison.period.year, comparison.rules.coverage_floor
    status: Status = "doubtful"
    is_known = current.is_sufficient(floor) and baseline.is_sufficient(floor)
    if not (is_known and baseline.value > 0) or figure.scope in comparison.partial:
        status = "insufficient_data"
    elif current.is_plausible(floor) and baseline.is_plausible(floor):
        ratio = current.range.per(baseline.range).times(_lag(current, baseline, base_year, floor))
        status = targets.certain_verdict(
            lambda ratio: targets.decrease_status(
                plan, target, year, 100 * (ratio - 1), is_final=comparison.is_final
            ),
            [ratio.value],
            [ratio.least],
            [ratio.greatest],
        )
    path_share = targets.glide_path_share(plan, target.decrease_pct, year)
    return msgspec.structs.replace(
        figure,
        findings=(*figure.findings, *_plan_findings(plan)),
        target_pct=target.decrease_pct,
        operator=target.operator,
        target=rounded(baseline.value * (1 - target.decrease_pct / 100)),
        path=rounded(baseline.value * path_share),
        status=status,
        **_year_limit(
            comparison,
            current,
            base_year.value * path_share if base_year.is_sufficient(floor) else math.nan,
        ),
    )


def _year_limit(
    comparison: Comparison, current: IndicatorResult, limit: float
) -> dict[str, float | str | None]:
    """Return the fields of a running year's figure about the plan's limit for the year."""
    if not comparison.is_running_year:
        return {}
    to_save = rounded(current.year_end.to_save(limit))
    unit = QUANTITIES[CONSUMPTION[current.year_end.saved_medium]].unit
    return {
        "year_limit": rounded(limit),
        "to_save": to_save,
        "to_save_unit": None if to_save is None else unit,
    }


def _lag(
    current: IndicatorResult, same_days: IndicatorResult, base_year: IndicatorResult, floor: float
) -> float:
    """Return the ratio of the year to the base year, divided by the ratio of the days so far.

    The ratio of the year is its forecast over the base year. The ratio of the days so far is their
    value over the value of the same days of the base year. If the quotient is above 1, the whole
    year is expected to compare worse than its days so far. The quotient is 1 without a forecast, or
    if the base year is not known.
    """
    whole = current.year_end.value / base_year.value if base_year.value > 0 else math.nan
    so_far = current.value + max(current.missing, 0.0)
    lag = whole / (so_far / same_days.value) if so_far > 0 else math.nan
    return lag if math.isfinite(lag) and base_year.is_sufficient(floor) else 1.0


def with_cap(
    figure: Figure,
    cap: Cap,
    comparison: Comparison,
    current: IndicatorResult,
    same_days: IndicatorResult,
    base_year: IndicatorResult,
) -> Figure:
    """Return a figure with a cap, the cap's part for the days of the period, and the verdict."""
    floor = comparison.rules.coverage_floor
    if comparison.period.whole_year and comparison.is_complete:
        share = Range.exact(1.0)
    elif same_days.is_sufficient(floor) and base_year.is_sufficient(floor) and base_year.value > 0:
        share = same_days.range.per(base_year.range)
    else:
        year = calendar_year(comparison.period.year)
        share = Range.exact(comparison.current.period.days / year.days)
    status: Status = "doubtful"
    if not current.is_sufficient(floor):
        status = "insufficient_data"
    elif current.is_plausible(floor):
        value, allowed = current.range, share.times(cap.value)
        if math.isfinite(current.growth):
            value, allowed = value.times(current.growth), Range.exact(cap.value)
        status = targets.certain_verdict(
            lambda value, part: targets.limit_status(
                cap.operator, value, part, is_final=comparison.is_final
            ),
            [value.value, allowed.value],
            [value.least, allowed.greatest],
            [value.greatest, allowed.least],
        )
    return msgspec.structs.replace(
        figure,
        operator=cap.operator,
        target=cap.value,
        path=rounded(cap.value * share.value),
        status=status,
        **_year_limit(comparison, current, cap.value),
    )


def _plan_findings(plan: Plan) -> Iterator[Finding]:
    """Yield a finding if the plan's targets are known from reports only."""
    if plan.confidence == "reported":
        yield Finding.of("reported_plan", plan.id)


def applies_to(cap: Cap, scope: Scope) -> bool:
    """Return True if a cap applies to a scope. A cap of a whole division applies to no scope."""
    return cap.scope == scope.id or (cap.scope == "site" and scope.kind == "site")
