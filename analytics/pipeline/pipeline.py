"""The store on one side, the pure rooms on the other: raw -> consumption -> figures -> indicators.

Laws:

1. Windows are rewritten whole, and nothing is deleted but consumption that is no longer known. The
   same readings give the same digits, whatever the windows: `sources` reads as far around one as
   it takes.
2. Memory is bounded by a window of one meter, and by the days of all meters.
3. Figures come from stored day consumption alone, so they can be made again without the readings.
4. A reading tells of the time up to its neighbours, and of whether they are believed. So with some
   days those around them are computed again that come out different, out to the readings that
   nothing in those days can change.
5. Scopes are written before their meters: where a run is cut off, the meters' days still differ
   from what they should be, or are missing, and are found.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING, Final

import numpy as np

from analytics import periods
from analytics.counters.consumption import Consumption
from analytics.figures.assessment import assess
from analytics.figures.figure import Figure
from analytics.figures.roll_up import Scope, of_scope, scopes, weights
from analytics.figures.rule_files import Rules
from analytics.figures.scope_basis import Measured, blocks, from_rows, on_grid
from analytics.periods import Interval
from analytics.pipeline.register_sources import Source, Sources
from analytics.pipeline.store_points import consumption_points, indicator_points, unknown_days
from jieneng.metering import schema
from jieneng.metering.errors import UsageError
from jieneng.metering.findings import Finding
from jieneng.metering.quantities import CONSUMPTION, MEDIA, Medium
from jieneng.metering.schema import Point
from jieneng.observe import log
from jieneng.site_folder import SiteFolder
from jieneng.storage import Store

if TYPE_CHECKING:
    from numpy.typing import NDArray

Progress = Callable[[float], None]
_Tags = frozenset[tuple[str, str]]

_WRITE_AT_ONCE: Final = 20_000


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
        self._site = folder.site
        self._store = store
        self._sources = Sources(folder, store)
        self._detail_days = detail_days
        self._window_months = window_months
        self._log = log("analytics")
        self._told: set[Finding] = set()

    # --- raw -> consumption -------------------------------------------------------------------

    async def backfill(self, first: date, last: date, progress: Progress) -> list[Finding]:
        """Compute the consumption of the local days `first` to `last`, both included.

        Days around them that follow from the same readings are computed, too (law 4).
        `progress` is told the share that is done, up to 1.0. Returns what was found wrong in
        registers.
        """
        sources = await self._sources.all()
        detail = self._detail_from(sources)
        around = await self._widened(sources, first, last + timedelta(days=1))
        windows = list(periods.windows(*around, self._window_months))
        findings: dict[Finding, None] = {}
        for number, (start, end) in enumerate(windows):
            grids = self._grids(start, end, await self._kept_from(start, detail))
            stored = await self._stored(grids)
            done: list[dict[Interval, Consumption]] = []
            for index, source in enumerate(sources):
                consumed, found = await self._sources.consumed(source, grids)
                findings.update(dict.fromkeys(found))
                done.append(consumed)
                progress((number + (index + 1) / len(sources)) / len(windows))
            await self._roll_up(sources, done, grids, stored)
            for source, consumed in zip(sources, done, strict=True):
                series = {"kind": "meter", "scope": source.meter.id, "medium": source.meter.medium}
                await self._rewrite(series, consumed, grids, stored)
                await self._write(unknown_days(self._site.id, source, consumed, grids))
        for finding in findings.keys() - self._told:
            self._log.warning(
                "register", code=finding.code, meter=finding.subject, **dict(finding.values)
            )
        self._told.update(findings)
        progress(1.0)
        return list(findings)

    async def _widened(
        self, sources: Sequence[Source], first: date, end: date
    ) -> tuple[date, date]:
        """The days from `first` up to `end`, and those around them that come out different."""
        zone = self._site.zone
        edges = periods.midnight_ms(first, zone), periods.midnight_ms(end, zone)
        low, high = first, end
        for source in sources:
            low_ms, high_ms = await self._sources.reach(source, *edges)
            before = await self._outdated(source, periods.local_day(low_ms, zone), first)
            reached = periods.local_day(high_ms - 1, zone) + timedelta(days=1)
            after = await self._outdated(source, end, reached)
            low = min([low, *before])
            high = max([high, *(day + timedelta(days=1) for day in after)])
        return low, high

    async def _outdated(self, source: Source, start: date, end: date) -> list[date]:
        """The days that were computed, and would come out different now."""
        if start >= end:
            return []
        midnights = periods.edges_ms(start, end, "day", self._site.zone)
        quantity, meter = CONSUMPTION[source.meter.medium], source.meter.id
        rows = await self._day_rows(start, end, [quantity, schema.COVERAGE], scope=meter)
        if not rows:
            return []
        now = (await self._sources.consumed(source, {"day": midnights}))[0]["day"]
        never = np.full(len(midnights) - 1, np.nan)
        amount = rows.get((meter, quantity), never)
        coverage = rows.get((meter, schema.COVERAGE), never)
        same = (amount == now.amount) | (np.isnan(amount) & np.isnan(now.amount))
        outdated = np.isfinite(coverage) & ~(same & (coverage == now.coverage))
        return [start + timedelta(days=day) for day in np.flatnonzero(outdated).tolist()]

    async def _kept_from(self, start: date, detail: date) -> date:
        """`detail`, or an earlier day from `start` on of which finer intervals are stored."""
        if start >= detail:
            return detail
        zone = self._site.zone
        kept = await self._store.read(
            schema.CONSUMPTION,
            schema.COVERAGE,
            where={"site": self._site.id, "interval": "hour"},
            start_ms=periods.midnight_ms(start, zone),
            end_ms=periods.midnight_ms(detail, zone),
        )
        return min([detail, *(periods.local_day(int(one.times_ms[0]), zone) for one in kept)])

    async def catch_up(self, last: date, progress: Progress) -> None:
        """Compute the days up to `last` for which a meter has readings, but which never were."""
        sources = await self._sources.all()
        spans = [span for source in sources for span in source.spans()]
        if not spans:
            return
        zone = self._site.zone
        first = periods.local_day(min(start for start, _ in spans), zone)
        end = last + timedelta(days=1)
        midnights = periods.edges_ms(first, end, "day", zone)
        rows = await self._day_rows(first, end, [schema.COVERAGE])
        never = np.full(len(midnights) - 1, np.nan)
        missing = np.zeros(len(midnights) - 1, dtype=np.bool_)
        for source in sources:
            computed = np.isfinite(rows.get((source.meter.id, schema.COVERAGE), never))
            missing |= ~computed & source.within(midnights)
        await self._backfill_days(first, missing, progress)

    async def catch_up_late(self, first: date, last: date) -> None:
        """Compute the days on which a meter is not fully covered: what was late fills gaps."""
        end = last + timedelta(days=1)
        measured = await self._measured(first, end)
        short = [(metered.coverage < 1).any(axis=0) for metered in measured.media.values()]
        await self._backfill_days(first, np.logical_or.reduce(short), lambda _: None)

    async def _backfill_days(
        self, first: date, wanted: "NDArray[np.bool_]", progress: Progress
    ) -> None:
        found = blocks(wanted)
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

    def _detail_from(self, sources: Sequence[Source]) -> date:
        """The first day that is kept in detail, counted back from the newest reading."""
        newest = max((end for source in sources for _, end in source.spans()), default=0)
        return periods.local_day(newest, self._site.zone) - timedelta(days=self._detail_days - 1)

    def _grids(self, start: date, end: date, detail: date) -> "dict[Interval, NDArray[np.int64]]":
        zone = self._site.zone
        finer: tuple[Interval, ...] = ("hour", "15min") if end > detail else ()
        return {
            "day": periods.edges_ms(start, end, "day", zone),
            **{each: periods.edges_ms(max(start, detail), end, each, zone) for each in finer},
        }

    async def _stored(
        self, grids: "Mapping[Interval, NDArray[np.int64]]"
    ) -> "dict[_Tags, NDArray[np.int64]]":
        """The times of all consumption that is stored of a window, by series."""
        return {
            frozenset(series.tags.items()): series.times_ms
            for interval, edges in grids.items()
            for series in await self._store.read(
                schema.CONSUMPTION,
                schema.COVERAGE,
                where={"site": self._site.id, "interval": interval},
                start_ms=int(edges[0]),
                end_ms=int(edges[-1]),
            )
        }

    async def _roll_up(
        self,
        sources: Sequence[Source],
        done: "Sequence[Mapping[Interval, Consumption]]",
        grids: "Mapping[Interval, NDArray[np.int64]]",
        stored: "Mapping[_Tags, NDArray[np.int64]]",
    ) -> None:
        """Write the consumption of the scopes that have a meter of a medium."""
        for medium in MEDIA:
            mine = [n for n, source in enumerate(sources) if source.meter.medium == medium]
            meters = [sources[n].meter for n in mine]
            weight = np.array([weights(scope, meters, self._site) for scope in self.scopes])
            if not weight.any():
                continue
            of_meters = [done[n] for n in mine]
            for scope, row in zip(self.scopes, weight, strict=True):
                if row.any():
                    consumed = {
                        interval: of_scope(row, [one[interval] for one in of_meters])
                        for interval in grids
                    }
                    series = {"kind": scope.kind, "scope": scope.id, "medium": medium}
                    await self._rewrite(series, consumed, grids, stored)

    async def _rewrite(
        self,
        series: Mapping[str, str],
        consumed: "Mapping[Interval, Consumption]",
        grids: "Mapping[Interval, NDArray[np.int64]]",
        stored: "Mapping[_Tags, NDArray[np.int64]]",
    ) -> None:
        """Write what is known of a series, and remove what was known once and is no more."""
        medium: Medium = series["medium"]  # type: ignore[assignment]  # one of MEDIA
        points: list[Point] = []
        for interval, of in consumed.items():
            tags = {"site": self._site.id, "interval": interval, **series}
            edges = grids[interval]
            points += consumption_points(tags, CONSUMPTION[medium], of, edges[:-1])
            known_once = stored.get(frozenset(tags.items()), edges[:0])
            for start, end in blocks(np.isnan(of.amount)):
                first, last = np.searchsorted(known_once, (edges[start], edges[end]))
                if first < last:
                    await self._store.delete(
                        schema.CONSUMPTION,
                        where=tags,
                        start_ms=int(edges[start]),
                        end_ms=int(edges[end]),
                    )
        await self._write(points)

    async def _write(self, points: Sequence[Point]) -> None:
        for start in range(0, len(points), _WRITE_AT_ONCE):
            result = await self._store.write(points[start : start + _WRITE_AT_ONCE])
            for refused in result.rejected:
                self._log.error("refused", series=refused.point.tags, reason=refused.reason)

    # --- consumption -> figures ---------------------------------------------------------------

    async def figures(
        self, period: str, scope_ids: Sequence[str] | None, as_of_ms: int
    ) -> list[Figure]:
        """The figures of a period, as of a moment.

        Args:
            period: as `periods.parse` reads it.
            scope_ids: areas, institutions, the site; None: all of them.
            as_of_ms: UTC; the days before its local day are complete.

        Raises:
            UsageError: no such period, no such scope.
        """
        wanted = periods.parse(period)
        chosen = self._chosen(scope_ids)
        today = periods.local_day(as_of_ms, self._site.zone)
        elapsed = wanted.until(today)
        base = self.rules.base_year(wanted)
        return assess(
            self._site,
            self.rules,
            chosen,
            wanted,
            today,
            await self._measured(elapsed.start, elapsed.end),
            None if base is None else await self._measured(base.start, base.end),
        )

    async def publish(self, shown: Sequence[str], as_of_ms: int) -> list[Figure]:
        """Write the figures of some periods as `indicator`, at the start of `as_of`'s local day.

        A midnight is the end of the day before it: a year as of its end is dated 31 December.
        """
        zone = self._site.zone
        time_ms = periods.midnight_ms(periods.local_day(as_of_ms - 1, zone), zone)
        published: list[Figure] = []
        for period in shown:
            published += await self.figures(period, None, as_of_ms)
        await self._write(indicator_points(self._site.id, published, time_ms))
        return published

    async def periods(self) -> list[str]:
        """The calendar years and months of which there is consumption."""
        span = await self._store.span(
            schema.CONSUMPTION, where={"site": self._site.id, "interval": "day"}
        )
        if span is None:
            return []
        first, last = (periods.local_day(end, self._site.zone) for end in span)
        every = periods.days(first, last + timedelta(days=1))
        return sorted({f"{day:{form}}" for day in every for form in ("%Y", "%Y-%m")})

    def _chosen(self, scope_ids: Sequence[str] | None) -> tuple[Scope, ...]:
        if scope_ids is None:
            return self.scopes
        known = {scope.id: scope for scope in self.scopes}
        for scope_id in scope_ids:
            if scope_id not in known:
                raise UsageError(
                    "{scope} is no area, no institution and not the site; known are {known}.",
                    scope=scope_id,
                    known=", ".join(known),
                )
        return tuple(known[scope_id] for scope_id in scope_ids)

    async def _measured(self, start: date, end: date) -> Measured:
        """The stored day consumption of all meters."""
        fields = {*CONSUMPTION.values(), schema.COVERAGE, schema.ESTIMATED}
        return from_rows(self._site, start, end, await self._day_rows(start, end, fields))

    async def _day_rows(
        self, start: date, end: date, fields: Iterable[str], **where: str
    ) -> "dict[tuple[str, str], NDArray[np.float64]]":
        """What is stored of the meters by day, NaN where nothing is, by meter and field."""
        midnights = periods.edges_ms(start, end, "day", self._site.zone)
        tags = {"site": self._site.id, "kind": "meter", "interval": "day", **where}
        rows: dict[tuple[str, str], NDArray[np.float64]] = {}
        for field in fields if start < end else ():
            for series in await self._store.read(
                schema.CONSUMPTION,
                field,
                where=tags,
                start_ms=int(midnights[0]),
                end_ms=int(midnights[-1]),
            ):
                row = on_grid(series.times_ms, series.values, midnights)
                rows[series.tags["scope"], field] = row
        return rows
