"""A site's analytics on a store: bring consumption up to date, compute and publish figures.

The work is done in the other modules of this folder: `outdated_days` says which days are to be
computed, `consumption_windows` computes and writes them, `period_figures` makes figures of them.

Laws:

1. Windows are rewritten whole, and nothing is deleted but consumption that is no longer known. The
   same readings give the same digits, whatever the windows: `register_reader` reads as far around
   a window as it takes.
2. Memory is bounded by a window of one meter, and by the days of all meters.
3. Figures come from stored consumption alone, so they can be made again without the readings.
4. A reading tells of the time up to its neighbours, and of whether they are believed. So with some
   days those around them are computed again that come out different, out to the readings that
   nothing in those days can change.
5. Scopes are written before their meters: where a run is cut off, the meters' days still differ
   from what they should be, or are missing, and are found.
"""

from collections.abc import Callable, Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING

from analytics import periods
from analytics.figures.figure import Figure
from analytics.figures.roll_up import scopes
from analytics.figures.rule_files import Rules
from analytics.figures.site_consumption import contiguous_ranges
from analytics.pipeline.consumption_store import ConsumptionStore
from analytics.pipeline.consumption_windows import ConsumptionWindows
from analytics.pipeline.outdated_days import OutdatedDays
from analytics.pipeline.period_figures import PeriodFigures
from analytics.pipeline.register_reader import RegisterReader
from analytics.pipeline.store_points import indicator_points
from jieneng.metering.errors import NoData
from jieneng.metering.findings import Finding
from jieneng.observe import log
from jieneng.site_folder import SiteFolder
from jieneng.storage import Store

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

#: Called with the share of the work that is done, 0 to 1.
Progress = Callable[[float], None]


class Pipeline:
    """A site's analytics on a store.

    Args:
        folder: the site.
        rules: what figures are made by.
        store: prepared; it stays the caller's to close.
        detail_days: how many of the newest days are kept by hour and quarter of an hour, too.
        window_months: how much is computed at once; it changes the memory, never a digit.
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
        self._days = OutdatedDays(folder.site, self._consumption, self._registers)
        self._windows = ConsumptionWindows(
            folder.site,
            self.scopes,
            self._consumption,
            self._registers,
            detail_days=detail_days,
            window_months=window_months,
        )
        self._figures = PeriodFigures(folder.site, rules, self.scopes, self._consumption)
        self._log = log("analytics")
        self._reported: set[Finding] = set()

    async def backfill(self, first: date, last: date, progress: Progress) -> list[Finding]:
        """Compute the consumption of the local days `first` to `last`, both included.

        Days around them that follow from the same readings are computed, too (law 4).
        Returns what was found wrong in registers.
        """
        meters = await self._registers.meter_records()
        start, end = await self._days.extend_to_outdated(meters, first, last + timedelta(days=1))
        findings = await self._windows.compute(meters, start, end, progress)
        for finding in set(findings) - self._reported:
            self._log.warning(
                "register", code=finding.code, meter=finding.subject, **dict(finding.values)
            )
        self._reported.update(findings)
        progress(1.0)
        return findings

    async def compute_missing_days(self, last: date, progress: Progress) -> None:
        """Compute the days up to `last` for which a meter has readings, but which never were."""
        first, missing = await self._days.missing_days(last)
        await self._backfill_days(first, missing, progress)

    async def recompute_gaps(self, first: date, last: date) -> None:
        """Compute the days on which a meter is not fully covered: what was late fills gaps."""
        short = await self._days.incomplete_days(first, last)
        await self._backfill_days(first, short, lambda _: None)

    async def _backfill_days(
        self, first: date, wanted: "NDArray[np.bool_]", progress: Progress
    ) -> None:
        found = contiguous_ranges(wanted)
        total = sum(end - start for start, end in found)
        done = 0
        for start, end in found:
            before, length = done, end - start
            await self.backfill(
                first + timedelta(days=start),
                first + timedelta(days=end - 1),
                lambda share, b=before, n=length: progress((b + share * n) / total),  # type: ignore[misc]  # bound now
            )
            done += length

    async def figures(
        self, period: str, scope_ids: Sequence[str] | None, as_of_ms: int
    ) -> list[Figure]:
        """Return the figures of a period, as of a moment.

        Args:
            period: as `periods.parse` reads it.
            scope_ids: areas, institutions, the site; None: all of them.
            as_of_ms: UTC; the days before its local day are complete.

        Raises:
            UsageError: no such period, no such scope.
        """
        return await self._figures.figures(period, scope_ids, as_of_ms)

    async def require_data(self, period: str) -> None:
        """Check that there is something to compute a period's figures from.

        Raises:
            NoData: no consumption of any meter is stored of the period.
        """
        wanted = periods.parse(period)
        if not await self._consumption.is_empty(wanted.start, wanted.end):
            return
        span = await self._consumption.day_span()
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

    async def publish(self, shown: Sequence[str], as_of_ms: int) -> list[Figure]:
        """Write the figures of some periods as `indicator`, at the start of `as_of`'s local day.

        A midnight is the end of the day before it: a year as of its end is dated 31 December.
        """
        day = periods.local_day(as_of_ms - 1, self._zone)
        time_ms = periods.midnight_ms(day, self._zone)
        published: list[Figure] = []
        for period in shown:
            published += await self.figures(period, None, as_of_ms)
        points = indicator_points(self.folder.site.id, published, time_ms)
        await self._consumption.write(points)
        return published

    async def stored_periods(self) -> list[str]:
        """Return the calendar years and months of which there is consumption."""
        span = await self._consumption.day_span()
        if span is None:
            return []
        first, last = span
        every = periods.days(first, last + timedelta(days=1))
        return sorted({f"{day:{form}}" for day in every for form in ("%Y", "%Y-%m")})
