"""Read the series that indicators need in addition to the daily sums, and add them up by scope.

Laws:

1. Only the needed medium and interval are read.
2. The memory needed is limited: one month of the medium's meters, and the series of the scopes.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date

from analytics import periods
from analytics.figures.boundary.flows import FlowKind, flows_of
from analytics.figures.interval_series import IntervalSeries, SeriesNeed, joined
from analytics.figures.roll_up import Scope, boundary_weights
from analytics.pipeline.intervals.interval_reader import IntervalReader
from jieneng.metering.site import Site


async def needed_series(
    needs: Iterable[SeriesNeed],
    scopes: Sequence[Scope],
    site: Site,
    reader: IntervalReader,
    days: tuple[date, date],
    counted: frozenset[FlowKind],
) -> dict[SeriesNeed, Mapping[str, IntervalSeries]]:
    """Return each needed series, by scope id; only scopes that have a meter of the medium.

    Args:
        needs: the needed series.
        scopes: the scopes.
        site: the site.
        reader: reader of the site's consumption by interval.
        days: the first local day, and the day after the last one.
        counted: kinds of flows that count.
    """
    return {need: await _of_scopes(need, scopes, site, reader, days, counted) for need in needs}


async def _of_scopes(
    need: SeriesNeed,
    scopes: Sequence[Scope],
    site: Site,
    reader: IntervalReader,
    days: tuple[date, date],
    counted: frozenset[FlowKind],
) -> dict[str, IntervalSeries]:
    flows = flows_of([meter for meter in site.meter if meter.medium == need.medium], [])
    every_day = periods.days(*days)
    measured = [
        scope for scope in scopes if boundary_weights(scope, flows, every_day, counted).any()
    ]
    parts: dict[str, list[IntervalSeries]] = {scope.id: [] for scope in measured}
    if measured:
        async for window in reader.windows(need.medium, need.interval, *days):
            for scope in measured:
                parts[scope.id].append(window.of_scope(scope, counted, site.zone))
    return {scope_id: joined(of_windows) for scope_id, of_windows in parts.items() if of_windows}
