"""Add up the daily consumption of scopes, for forecasts. Pure.

Laws:

1. If one meter of a scope is unknown on a day, the day is unknown. A sum over only some of the
   meters is never used.
2. A year is unknown if most of it is estimated. This happens if the year lies between two readings
   that are several years apart.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from analytics.figures.boundary.flows import FlowKind
from analytics.figures.period_totals import ESTIMATED_MAX, estimated_by_day
from analytics.figures.roll_up import Scope, boundary_weights, scope_rows
from analytics.figures.site_consumption import SiteConsumption
from analytics.periods import Period, days
from jieneng.metering.quantities import Medium

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Consumption of scopes by day, in arrays of shape (days,), by scope id and medium.
ScopeAmounts: TypeAlias = "Mapping[str, Mapping[Medium, NDArray[np.float64]]]"


def scope_amounts(
    scopes: Sequence[Scope],
    consumption: SiteConsumption,
    period: Period,
    counted: frozenset[FlowKind],
) -> ScopeAmounts:
    """Return the consumption of scopes by day; NaN where it is unknown (laws 1 and 2).

    Args:
        scopes: the scopes.
        consumption: consumption on the days of the period, and possibly on more days.
        period: the period.
        counted: kinds of flows that count.
    """
    amounts: dict[str, dict[Medium, NDArray[np.float64]]] = {scope.id: {} for scope in scopes}
    period_days = days(period.start, period.end)
    for medium, metered in consumption.days_of(period).items() if scopes else ():
        flows = metered.flows(scopes[0].structure.site)
        for scope, rows in zip(scopes, scope_rows(scopes, flows, period_days), strict=True):
            members = [flows[row] for row in rows]
            weight = boundary_weights(scope, members, period_days, counted)
            if not weight.any():
                continue
            of_scope = metered.rows(rows)
            by_day = np.where(weight == 0, 0.0, weight * of_scope.amount).sum(axis=0)
            estimated = float(estimated_by_day(weight, of_scope).sum())
            if period.whole_year and estimated > ESTIMATED_MAX * abs(float(np.nansum(by_day))):
                by_day = np.full_like(by_day, np.nan)
            amounts[scope.id][medium] = by_day
    return amounts
