"""Compute the figures of a period from stored consumption.

Law: figures need no readings, so they can be computed again after readings were deleted.
"""

from collections.abc import Sequence

import msgspec

from analytics import periods
from analytics.figures import indicator_values
from analytics.figures.assessment import assess
from analytics.figures.figure import Figure
from analytics.figures.roll_up import Scope
from analytics.figures.rule_files import Rules
from analytics.figures.site_consumption import SiteConsumption
from analytics.periods import Period
from analytics.pipeline.consumption_store import ConsumptionStore
from analytics.pipeline.needed_series import needed_series
from jieneng.metering import indicators
from jieneng.metering.errors import UsageError
from jieneng.metering.site import Site


class PeriodFigures:
    """Computes the figures of a site.

    Args:
        site: the site.
        rules: factors, plans, targets and caps.
        scopes: scopes of the site.
        consumption: store of the consumption.
    """

    def __init__(
        self, site: Site, rules: Rules, scopes: Sequence[Scope], consumption: ConsumptionStore
    ) -> None:
        self._site = site
        self._rules = rules
        self._scopes = {scope.id: scope for scope in scopes}
        self._consumption = consumption

    async def figures(
        self, period: str, scope_ids: Sequence[str] | None, as_of_ms: int
    ) -> list[Figure]:
        """Return the figures of a period at a time: see `Pipeline.figures`."""
        wanted = periods.parse(period)
        chosen = self._chosen(scope_ids)
        today = periods.local_day(as_of_ms, self._site.zone)
        elapsed = wanted.until(today)
        base = self._rules.base_year(wanted)
        return assess(
            self._site,
            self._rules,
            chosen,
            wanted,
            today,
            await self._site_consumption(chosen, elapsed),
            None if base is None else await self._site_consumption(chosen, base),
        )

    async def _site_consumption(self, chosen: Sequence[Scope], period: Period) -> SiteConsumption:
        """Return a period's consumption by day, with the series that indicators need beside it."""
        measured = await self._consumption.daily_consumption(period.start, period.end)
        rows = indicators.INDICATORS.values()
        needs = {need for row in rows for need in indicator_values.series_needs(row)}
        days = period.start, period.end
        series = await needed_series(needs, chosen, self._site, self._consumption, days)
        return msgspec.structs.replace(measured, series=series)

    def _chosen(self, scope_ids: Sequence[str] | None) -> tuple[Scope, ...]:
        if scope_ids is None:
            return tuple(self._scopes.values())
        for scope_id in scope_ids:
            if scope_id not in self._scopes:
                raise UsageError(
                    "{scope} is not the site, an area or an institution; known are {known}.",
                    scope=scope_id,
                    known=", ".join(self._scopes),
                )
        return tuple(self._scopes[scope_id] for scope_id in scope_ids)
