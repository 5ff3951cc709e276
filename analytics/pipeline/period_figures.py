"""Compute the figures of periods from stored consumption.

Laws:

1. Figures are computed only from stored consumption. So they can be computed again after the
   readings have been deleted.
2. If several periods are computed together, their base year is read only once. The results are the
   same as if the periods were computed one by one.
3. A forecast of the running year needs the years before it. An annual quota needs its reference
   year. These years are read only once a day, because during a day only late readings and imports
   change them. A base year that was read for a comparison is not read again.
"""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Final, TypeAlias

import msgspec

from analytics import periods
from analytics.figures import indicator_values
from analytics.figures.assessment import assess
from analytics.figures.boundary.flows import FlowKind
from analytics.figures.decomposition.carbon_split import CarbonSplit, carbon_splits
from analytics.figures.figure import Figure
from analytics.figures.roll_up import Scope
from analytics.figures.rule_files import Rules
from analytics.figures.site_consumption import SiteConsumption
from analytics.periods import Period, calendar_year
from analytics.pipeline.consumption_store import ConsumptionStore
from analytics.pipeline.finding_store import FindingStore
from analytics.pipeline.intervals.interval_reader import IntervalReader
from analytics.pipeline.intervals.needed_series import needed_series
from jieneng.metering import indicators
from jieneng.metering.errors import UsageError
from jieneng.metering.site import Site

#: Number of earlier years that a forecast rests on: last year, and five errors for the band.
_MAX_YEARS: Final = 6


class WantedFigures(msgspec.Struct, frozen=True):
    """A period whose figures are wanted.

    Attributes:
        period: id of the period, see `periods.parse`.
        as_of_ms: the time [UTC, ms]; only the local days before it are complete.
        scope_ids: ids of areas, institutions or the site; None for all of them.
    """

    period: str
    as_of_ms: int
    scope_ids: tuple[str, ...] | None = None


#: Base years that were read, by (base year, kinds of flows, ids of scopes).
_BaseYears: TypeAlias = dict[tuple[Period, frozenset[FlowKind], tuple[str, ...]], SiteConsumption]


class PeriodFigures:
    """Computes the figures of a site for periods.

    Args:
        site: the site.
        rules: factors, plans, targets and caps.
        scopes: scopes of the site.
        consumption: stored consumption of the site.
        findings: stored findings of the site.
        intervals: reader of the site's consumption by interval, for indicators that need it.
    """

    def __init__(
        self,
        site: Site,
        rules: Rules,
        scopes: Sequence[Scope],
        consumption: ConsumptionStore,
        findings: FindingStore,
        intervals: IntervalReader,
    ) -> None:
        self._site = site
        self._rules = rules
        self._scopes = {scope.id: scope for scope in scopes}
        self._consumption = consumption
        self._findings = findings
        self._intervals = intervals
        self._kept_on = date.min
        self._kept: dict[int, SiteConsumption] = {}

    async def figures(self, wanted: Sequence[WantedFigures]) -> list[list[Figure]]:
        """Return the figures of each wanted period.

        Raises:
            UsageError: a period or a scope does not exist.
        """
        base_years: _BaseYears = {}
        return [await self._figures(one, base_years) for one in wanted]

    async def _figures(self, wanted: WantedFigures, base_years: _BaseYears) -> list[Figure]:
        """Return the figures of a period; years that were read are taken from `base_years`."""
        whole_period = periods.parse(wanted.period)
        scopes = self.scopes_of(wanted.scope_ids)
        today = periods.local_day(wanted.as_of_ms, self._site.zone)
        counted = self._rules.counted_flows(whole_period.year).energy
        compared: dict[int, SiteConsumption] = {}
        for year in self._rules.compared_years(whole_period):
            key = year, counted, tuple(scope.id for scope in scopes)
            if key not in base_years:
                base_years[key] = await self._base_year(scopes, year, counted, today)
            compared[year.year] = base_years[key]
        return assess(
            self._site,
            self._rules,
            scopes,
            whole_period,
            today,
            await self._site_consumption(scopes, whole_period.until(today), counted),
            compared,
            await self.years_before(whole_period, today),
        )

    async def carbon(self, wanted: WantedFigures, base: Period | None) -> list[CarbonSplit]:
        """Return the change of carbon in a period against a base year, by source and cause.

        Args:
            wanted: the period.
            base: a calendar year; None for the base year of the period's plan.

        Raises:
            UsageError: the period or a scope does not exist.
        """
        period = periods.parse(wanted.period)
        scopes = self.scopes_of(wanted.scope_ids)
        today = periods.local_day(wanted.as_of_ms, self._site.zone)
        counted = self._rules.counted_flows(period.year).energy
        year = base or self._rules.base_year(period)
        return carbon_splits(
            self._site,
            self._rules,
            scopes,
            period,
            today,
            await self._site_consumption(scopes, period.until(today), counted),
            None if year is None else (year, await self._site_consumption(scopes, year, counted)),
        )

    async def year_consumption(self, year: int, today: date) -> SiteConsumption:
        """Return the consumption of a calendar year by day, without findings and series (law 3).

        Args:
            year: an earlier year than that of the figures.
            today: day of the figures.
        """
        years = self._years_kept(today)
        if year not in years:
            whole = calendar_year(year)
            years[year] = await self._consumption.daily_consumption(whole.start, whole.end)
        return years[year]

    def _years_kept(self, today: date) -> dict[int, SiteConsumption]:
        """Return the years that were read on a day; the caller adds further years to them.

        For figures as of an earlier day, such as those of a past year, nothing is kept.
        """
        if today > self._kept_on:
            self._kept_on, self._kept = today, {}
        return self._kept if today == self._kept_on else {}

    async def years_before(self, period: Period, today: date) -> list[SiteConsumption]:
        """Return the consumption of the years before a running year, the oldest first.

        It is empty for any other period, and ends where the store has no data.
        """
        if not (period.whole_year and period.start < today < period.end):
            return []
        span = await self._consumption.day_span()
        first = period.year if span is None else max(span[0].year, period.year - _MAX_YEARS)
        return [await self.year_consumption(year, today) for year in range(first, period.year)]

    async def consumption(self, period: Period) -> SiteConsumption:
        """Return a period's consumption by day, with the findings about the meters."""
        return await self._with_findings(
            period, await self._consumption.daily_consumption(period.start, period.end)
        )

    async def _with_findings(self, period: Period, consumption: SiteConsumption) -> SiteConsumption:
        # Read one day more: a confirmation for the day after the period concerns findings that
        # begin on that day, if there are any, and not those of the period.
        known_to = period.end + timedelta(days=1)
        start_ms, end_ms = (
            periods.midnight_ms(day, self._site.zone) for day in (period.start, known_to)
        )
        findings = await self._findings.overlapping(start_ms, end_ms)
        return msgspec.structs.replace(consumption, findings=(*consumption.findings, *findings))

    async def _site_consumption(
        self, scopes: Sequence[Scope], period: Period, counted: frozenset[FlowKind]
    ) -> SiteConsumption:
        """Return a period's consumption by day, findings, and the series that indicators need."""
        found = await self.consumption(period)
        return await self._with_series(scopes, period, counted, found)

    async def _base_year(
        self, scopes: Sequence[Scope], year: Period, counted: frozenset[FlowKind], today: date
    ) -> SiteConsumption:
        """Return a base year's consumption (`_site_consumption`); keep daily values for the day."""
        daily = await self._consumption.daily_consumption(year.start, year.end)
        self._years_kept(today)[year.year] = daily
        found = await self._with_findings(year, daily)
        return await self._with_series(scopes, year, counted, found)

    async def _with_series(
        self,
        scopes: Sequence[Scope],
        period: Period,
        counted: frozenset[FlowKind],
        consumption: SiteConsumption,
    ) -> SiteConsumption:
        needs = {
            need
            for indicator in indicators.INDICATORS.values()
            for need in indicator_values.series_needs(indicator)
        }
        days = period.start, period.end
        series = await needed_series(needs, scopes, self._site, self._intervals, days, counted)
        return msgspec.structs.replace(consumption, series=series)

    def scopes_of(self, scope_ids: Sequence[str] | None) -> tuple[Scope, ...]:
        """Return the scopes with the given ids; all scopes of the site if None."""
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
