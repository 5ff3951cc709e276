"""Update the stored consumption of a site, and compute and publish figures.

`outdated_days` finds the days to compute, `consumption_windows` computes and writes them, and
`period_figures` computes figures from them.

Laws:

1. Consumption is computed and rewritten in windows of time. The same readings give the same digits
   for any division into windows, because `register_reader` reads far enough around each window.
2. The memory needed is limited: readings of one meter in one window, and daily sums of all meters.
3. Figures are computed only from stored consumption. So they can be computed again after the
   readings have been deleted.
4. A new reading may change the consumption on days up to its neighbouring readings and beyond,
   because neighbours decide together which readings are plausible. So when days are computed,
   outdated days around them are computed, too.
5. When all days are computed, meters are compared with their own past (`past_findings`).
6. Scopes are written before their meters. If the work is interrupted in between, the days of the
   meters are still missing or outdated, and the next run computes them again.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING, Final

from analytics import periods
from analytics.counters.register_finding import RegisterFinding, merged_by_code
from analytics.figures.balances.parent_balance import (
    BalanceStep,
    ParentBalance,
    balance_parts,
    parent_balances,
)
from analytics.figures.decomposition.carbon_split import CarbonSplit
from analytics.figures.figure import Figure
from analytics.figures.roll_up import scopes
from analytics.figures.rule_files import Rules
from analytics.figures.site_consumption import contiguous_ranges
from analytics.pipeline.basis.changed_consumption import ChangedConsumption
from analytics.pipeline.consumption_store import ConsumptionStore
from analytics.pipeline.consumption_windows import ConsumptionWindows
from analytics.pipeline.finding_store import FindingStore
from analytics.pipeline.intervals.interval_reader import IntervalReader
from analytics.pipeline.marked_days import MarkedDays
from analytics.pipeline.outdated_days import OutdatedDays
from analytics.pipeline.past_findings import PastFindings
from analytics.pipeline.period_figures import PeriodFigures, WantedFigures
from analytics.pipeline.quotas.quota_figures import QuotaFigures
from analytics.pipeline.registers.meter_records import MeterRecords
from analytics.pipeline.registers.register_reader import RegisterReader
from analytics.pipeline.store_points import indicator_points
from jieneng.metering.errors import NoData, UsageError
from jieneng.metering.findings import Finding
from jieneng.metering.quantities import CONSUMPTION, QUANTITIES
from jieneng.metering.schema import Point
from jieneng.observe import log
from jieneng.site_folder import SiteFolder
from jieneng.storage import Store

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

#: Function that is called with the finished share of the work, 0 to 1.
Progress = Callable[[float], None]


#: If two days to compute are at most this far apart, the days between them are computed as well, in
#: one range. This is faster than reading the surroundings of two ranges.
_NEAR: Final = timedelta(days=31)


class Pipeline:
    """The analytics of a site.

    Args:
        folder: the site.
        rules: factors, plans, targets and caps.
        store: the prepared store; the caller closes it.
        detail_days: number of latest days for which values by hour and by quarter of an hour are
            stored, too.
        window_months: length of a window; it affects the memory needed, but not the results.
    """

    def __init__(
        self,
        folder: SiteFolder,
        rules: Rules,
        store: Store,
        *,
        detail_days: int = 31,
        window_months: int = 6,
    ) -> None:
        self.folder = folder
        self.rules = rules
        self.scopes = scopes(folder.site)
        self._zone = folder.site.zone
        self._consumption = ConsumptionStore(folder.site, store)
        self._registers = RegisterReader(folder, store)
        self._findings = FindingStore(folder.site, store)
        self._days = OutdatedDays(folder.site, self._consumption, self._registers, self._findings)
        self._past = PastFindings(folder.site, self._consumption, self._findings)
        self._marks = MarkedDays(folder.site, store)
        self._windows = ConsumptionWindows(
            folder.site,
            self.scopes,
            self._consumption,
            self._registers,
            self._findings,
            lambda year: rules.counted_flows(year).energy,
            detail_days=detail_days,
            window_months=window_months,
        )
        self._changed = ChangedConsumption(
            folder, rules, store, self._consumption, self._registers, self._windows
        )
        self._figures = PeriodFigures(
            folder.site,
            rules,
            self.scopes,
            self._consumption,
            self._findings,
            IntervalReader(folder, store),
        )
        self.quotas = QuotaFigures(folder.site, rules, self.scopes, self._figures)
        self._log = log("analytics")
        self._reported: set[tuple[str, str, date]] = set()

    async def backfill(self, first: date, last: date, progress: Progress) -> list[Finding]:
        """Compute the consumption of the local days `first` to `last`, both included.

        Outdated days around them are computed, too (law 4).

        Returns:
            The findings about registers, one for each meter and code.
        """
        meters = await self._registers.meter_records()
        changed_from, findings = await self._compute(meters, first, last, progress)
        findings += await self._past.update(changed_from)
        self._report(findings)
        progress(1.0)
        return self._merged(findings)

    async def _compute(
        self, meters: Sequence[MeterRecords], first: date, last: date, progress: Progress
    ) -> tuple[date, list[RegisterFinding]]:
        """Compute days, and record their marks as handled.

        Returns:
            The first day that may have changed, and the findings.
        """
        marks = await self._marks.open_marks(first, last)
        start, end = await self._days.extend_to_outdated(meters, first, last + timedelta(days=1))
        findings = await self._windows.compute(meters, start, end, progress)
        await self._consumption.write(list(self._marks.notes(marks)))
        return start, findings

    async def _compute_all(
        self,
        meters: Sequence[MeterRecords],
        spans: Sequence[tuple[date, date]],
        progress: Progress,
    ) -> None:
        """Compute several ranges of days, and then compare the meters with their own past.

        Args:
            meters: records of all meters that are read.
            spans: first and last local day of each range.
            progress: called with the finished share of the work.
        """
        total = sum((last - first).days + 1 for first, last in spans)
        done, changed_from = 0, None
        for first, last in spans:
            before, length = done, (last - first).days + 1
            start, findings = await self._compute(
                meters,
                first,
                last,
                lambda share, b=before, n=length: progress((b + share * n) / total),  # type: ignore[misc]  # bound now
            )
            self._report(findings)
            changed_from = min(start, changed_from or start)
            done += length
        if changed_from is not None:
            self._report(await self._past.update(changed_from))

    def _report(self, daily: Sequence[RegisterFinding]) -> None:
        """Log findings; of several with the same meter, code and local day only one."""
        unreported = {
            (
                one.finding.subject,
                one.finding.code,
                periods.local_day(one.first_ms, self._zone),
            ): one
            for one in daily
        }
        new = [one for key, one in unreported.items() if key not in self._reported]
        for finding in self._merged(new):
            self._log.warning(
                "register", code=finding.code, meter=finding.subject, **dict(finding.values)
            )
        self._reported.update(unreported)

    def _merged(self, daily: Sequence[RegisterFinding]) -> list[Finding]:
        """Merge findings into one for each meter and code."""
        meters = self.folder.site.meters
        return [
            one.shown(unit=QUANTITIES[CONSUMPTION[meters[one.finding.subject].medium]].unit)
            for one in merged_by_code(daily)
        ]

    async def compute_missing_days(self, last: date, progress: Progress) -> None:
        """Compute the days up to `last` on which any meter has readings but no consumption."""
        meters = await self._registers.meter_records()
        first, missing = await self._days.missing_days(meters, last)
        await self._backfill_days(meters, first, missing, progress)

    async def recompute_changed(self, today: date, progress: Progress) -> None:
        """Compute the consumption that rests on rows of the site's files that have changed.

        The days up to today must already be computed. Only the first call does anything.
        """
        found = await self._changed.recompute(today, progress)
        if found is not None:
            self._report(found[1])
            self._report(await self._past.update(found[0]))

    async def recompute_gaps(self, first: date, last: date) -> None:
        """Compute the days on which any meter is not fully covered, as late readings fill gaps."""
        short = await self._days.incomplete_days(first, last)
        meters = await self._registers.meter_records()
        await self._backfill_days(meters, first, short, lambda _: None)

    async def recompute_marked(self, first: date, last: date) -> set[date]:
        """Compute the days that the ingest has marked for late readings; each mark only once.

        Only the marked meters, and the sums that contain them, are computed.

        Returns:
            The days, and outdated days around them that were computed as well.
        """
        marks = await self._marks.open_marks(first, last)
        days = self._marks.days(marks)
        for start, end in _runs(days):
            of_run = self._marks.between(marks, start, end)
            ids = {meter for meter, _ in of_run}.intersection(self.folder.site.read_meters)
            if ids:
                days |= await self._recompute(ids, start, end)
            await self._consumption.write(list(self._marks.notes(of_run)))
        return days

    async def _recompute(self, ids: Collection[str], first: date, last: date) -> set[date]:
        """Compute some meters on the days `first` to `last`, and outdated days around them.

        Returns:
            The days around them.
        """
        meters = await self._registers.meter_records(
            [meter for meter in self.folder.site.read_meters.values() if meter.id in ids]
        )
        start, end = await self._days.extend_to_outdated(meters, first, last + timedelta(days=1))
        self._report(await self._windows.recompute(meters, start, end))
        self._report(await self._past.update(start, ids))
        after = last + timedelta(days=1)
        return {*periods.days(start, first), *periods.days(after, end)}

    async def _backfill_days(
        self,
        meters: Sequence[MeterRecords],
        first: date,
        wanted: "NDArray[np.bool_]",
        progress: Progress,
    ) -> None:
        spans = [
            (first + timedelta(days=start), first + timedelta(days=end - 1))
            for start, end in contiguous_ranges(wanted)
        ]
        await self._compute_all(meters, spans, progress)

    async def figures(
        self, period: str, scope_ids: Sequence[str] | None, as_of_ms: int
    ) -> list[Figure]:
        """Return the figures of a period, as of a given time.

        Args:
            period: id of the period, see `periods.parse`.
            scope_ids: ids of areas, institutions or the site; None for all of them.
            as_of_ms: the time [UTC, ms]; only local days before it are complete.

        Raises:
            UsageError: the period or a scope does not exist.
        """
        ids = None if scope_ids is None else tuple(scope_ids)
        [figures] = await self._figures.figures([WantedFigures(period, as_of_ms, ids)])
        return figures

    async def figures_of(self, wanted: Sequence[WantedFigures]) -> list[list[Figure]]:
        """Return the figures of each wanted period, like `figures`, in less time for many.

        Raises:
            UsageError: a period or a scope does not exist.
        """
        return await self._figures.figures(wanted)

    async def carbon(
        self, period: str, base: str | None, scope_ids: Sequence[str] | None, as_of_ms: int
    ) -> list[CarbonSplit]:
        """Return the change of carbon in a period against a base year, by source and cause.

        Args:
            period: id of the period.
            base: a calendar year; None for the base year of the period's plan.
            scope_ids: ids of areas, institutions or the site; None for all of them.
            as_of_ms: the time [UTC, ms]; only local days before it are complete.

        Raises:
            UsageError: the period or a scope does not exist, or `base` is no calendar year.
        """
        year = None if base is None else periods.parse(base)
        if year is not None and not year.whole_year:
            raise UsageError(
                "the base is a year, not {period}: write {year}.", period=base, year=year.year
            )
        ids = None if scope_ids is None else tuple(scope_ids)
        return await self._figures.carbon(WantedFigures(period, as_of_ms, ids), year)

    async def balances(
        self,
        period: str,
        step: BalanceStep,
        tolerance_pct: float,
        scope_id: str | None,
        as_of_ms: int,
    ) -> list[ParentBalance]:
        """Return the balance of each meter with sub-meters, for a period or each part of it.

        Args:
            period: id of the period.
            step: length of the parts; `period` for the whole period.
            tolerance_pct: greatest rest that agrees, as a share of the meter above [%].
            scope_id: id of a scope whose meters are compared; None for all meters.
            as_of_ms: the time [UTC, ms]; only local days before it are complete.

        Raises:
            UsageError: the period or the scope does not exist.
        """
        [scope] = self._figures.scopes_of([scope_id or self.folder.site.id])
        meters = self.folder.site.meters
        whole = periods.parse(period).until(periods.local_day(as_of_ms, self._zone))
        consumption = await self._consumption.daily_consumption(whole.start, whole.end)
        return [
            balance
            for part in balance_parts(whole, step)
            for balance in parent_balances(
                scope.structure, consumption, part, tolerance_pct, self.rules.coverage_floor
            )
            if meters[balance.meter].last_area in scope.areas
        ]

    async def require_data(self, period: str) -> None:
        """Check that the period has stored consumption.

        Raises:
            NoData: no meter has stored consumption in the period.
        """
        wanted = periods.parse(period)
        if not await self._consumption.is_empty(wanted.start, wanted.end):
            return
        span = await self._consumption.day_span()
        if span is None and (others := await self._consumption.other_sites()):
            raise NoData(
                "there is no data for {period}: the store has none of the site {site}, only of"
                " {others}. Was the id of the site changed?",
                period=period,
                site=self.folder.site.id,
                others=", ".join(others),
            )
        if span is None:
            raise NoData(
                "there is no data for {period}: the store is empty. Import readings with"
                " `jieneng import readings`, or start the agent and the ingest.",
                period=period,
            )
        raise NoData(
            "there is no data for {period}: the store has data from {first} to {last}.",
            period=period,
            first=span[0],
            last=span[1],
        )

    async def publish(
        self, as_of_ms: Mapping[str, int], replaced: Collection[str] = ()
    ) -> list[Figure]:
        """Compute the figures of periods, and write them to the measurement `indicator`.

        The time of a point is the start of the local day for which the figures are computed.
        Midnight belongs to the day before, so figures as of the end of a year have 31 December.

        Args:
            as_of_ms: time of the figures [UTC, ms] by the id of their period.
            replaced: ids of periods whose points of the same day are deleted first. This is needed
                if figures may have lost values, or may no longer exist.

        Raises:
            PointsRefused: the store rejects some of the points.
        """
        wanted = [WantedFigures(period, time_ms) for period, time_ms in as_of_ms.items()]
        published = await self.figures_of(wanted)
        points: list[Point] = []
        for one, figures in zip(wanted, published, strict=True):
            day = periods.local_day(one.as_of_ms - 1, self._zone)
            time_ms = periods.midnight_ms(day, self._zone)
            points += indicator_points(self.folder.site.id, figures, time_ms)
            if one.period in replaced:
                await self._consumption.forget_indicators(one.period, time_ms)
        await self._consumption.write_figures(points)
        return [figure for figures in published for figure in figures]

    async def stored_periods(self) -> list[str]:
        """Return the ids of the calendar years and months with stored consumption."""
        span = await self._consumption.day_span()
        if span is None:
            return []
        first, last = span
        every = periods.days(first, last + timedelta(days=1))
        return sorted({f"{day:{form}}" for day in every for form in ("%Y", "%Y-%m")})


def _runs(days: Iterable[date]) -> list[tuple[date, date]]:
    """Return the first and last day of each group of days whose distances are at most `_NEAR`."""
    found: list[tuple[date, date]] = []
    for day in sorted(days):
        if found and day - found[-1][1] <= _NEAR:
            found[-1] = (found[-1][0], day)
        else:
            found.append((day, day))
    return found
