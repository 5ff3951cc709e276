"""Read the series that indicators need in addition to the daily sums, and add them up by scope.

Laws:

1. Only the needed medium and interval are read.
2. The memory needed is limited: one month of the medium's meters, and the series of the scopes.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date

import numpy as np

from analytics import periods
from analytics.counters.consumption import Consumption
from analytics.figures.boundary.flows import FlowKind, flows_of
from analytics.figures.interval_series import IntervalSeries, SeriesNeed
from analytics.figures.roll_up import Scope, boundary_weights, roll_up
from analytics.pipeline.consumption_store import ConsumptionStore
from jieneng.metering.site import Site


async def needed_series(
    needs: Iterable[SeriesNeed],
    scopes: Sequence[Scope],
    site: Site,
    consumption: ConsumptionStore,
    days: tuple[date, date],
    counted: frozenset[FlowKind],
) -> dict[SeriesNeed, Mapping[str, IntervalSeries]]:
    """Return each needed series, by scope id; only scopes that have a meter of the medium.

    Args:
        needs: the needed series.
        scopes: the scopes.
        site: the site.
        consumption: stored consumption of the site.
        days: the first local day, and the day after the last one.
        counted: kinds of flows that count.
    """
    return {
        need: await _of_scopes(need, scopes, site, consumption, days, counted) for need in needs
    }


async def _of_scopes(
    need: SeriesNeed,
    scopes: Sequence[Scope],
    site: Site,
    consumption: ConsumptionStore,
    days: tuple[date, date],
    counted: frozenset[FlowKind],
) -> dict[str, IntervalSeries]:
    meters = [meter for meter in site.meter if meter.medium == need.medium]
    measured = [
        scope
        for scope in scopes
        if boundary_weights(scope, flows_of(meters, []), periods.days(*days), counted).any()
    ]
    parts: dict[str, list[Consumption]] = {scope.id: [] for scope in measured}
    for start, end in periods.windows(*days, months=1) if measured else ():
        metered = await consumption.interval_consumption(start, end, need.medium, need.interval)
        edges = periods.edges_ms(start, end, need.interval, site.zone)
        interval_days = periods.interval_days(edges, site.zone)
        for scope in measured:
            weight = boundary_weights(scope, metered.flows(site), interval_days, counted)
            parts[scope.id].append(roll_up(weight, metered.consumption))
    starts_ms = periods.edges_ms(*days, need.interval, site.zone)[:-1]
    return {
        scope_id: IntervalSeries(
            starts_ms,
            *(
                np.concatenate([np.zeros(0), *(getattr(part, column) for part in of_windows)])
                for column in ("amount", "coverage", "estimated")
            ),
        )
        for scope_id, of_windows in parts.items()
    }
