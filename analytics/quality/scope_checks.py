"""Find values of a scope that a person has to verify: floor area, headcount and quotas. Pure."""

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Final, get_args

import numpy as np

from analytics.figures.quotas.quota_results import QuotaResult
from analytics.figures.roll_up import Scope, daily_denominator
from jieneng.metering.findings import Finding
from jieneng.metering.indicators import Denominator

#: Largest change of floor area or headcount against the last year (Hami's statistics rules, 10 %).
_LIMIT: Final = 0.10


def denominator_changes(
    scope: Scope, days: Sequence[date], before: Sequence[date]
) -> Iterator[Finding]:
    """Yield a finding for floor area and headcount that changed by more than 10 %.

    Args:
        scope: the scope.
        days: local days of the period.
        before: the same days of the last year.
    """
    for name in get_args(Denominator):
        now, past = _mean(scope, name, days), _mean(scope, name, before)
        if now > 0 and past > 0 and abs(now / past - 1) > _LIMIT:
            yield Finding.of(
                "denominator_change",
                scope.id,
                weight=min(abs(now / past - 1), 1.0),
                denominator=name,
                value=now,
                before=past,
                year=before[0].year,
            )


def _mean(scope: Scope, name: Denominator, days: Sequence[date]) -> float:
    """Return the mean of a denominator on the days on which it is known; NaN without any."""
    by_day = daily_denominator(scope, name, days)
    known = by_day[np.isfinite(by_day)]
    return float(known.mean()) if len(known) else np.nan


def quota_findings(results: Sequence[QuotaResult]) -> Iterator[Finding]:
    """Yield a finding for each value above the constraint or below the guide level of a quota."""
    for result in results:
        quota, value = result.quota, result.value
        if value is None or result.is_forecast or result.level == "insufficient_data":
            continue
        code, limit = "above_quota", quota.constraint
        if value <= limit:
            if quota.guide is None or value >= quota.guide:
                continue
            code, limit = "below_guide", quota.guide
        yield Finding.of(
            code,
            result.scope,
            weight=min(abs(value - limit) / value, 1.0) if value > 0 else 1.0,
            quota=quota.name or quota.id,
            value=value,
            limit=limit,
            unit=quota.unit,
        )
