"""Read and write the stored consumption of a site: the measurement `consumption`.

Laws:

1. Within a window, a series is rewritten as a whole: known consumption is written, and stored
   points whose consumption is now unknown are deleted. Nothing else is deleted.
2. Points that the store rejects are logged with the reason, or raised. The other points are still
   written.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from analytics import periods
from analytics.counters.consumption import Consumption
from analytics.counters.register_finding import RegisterFinding
from analytics.figures.boundary.flows import Flow, flows_of
from analytics.figures.boundary.lifetime import Begins
from analytics.figures.boundary.site_structure import SiteStructure
from analytics.figures.site_consumption import (
    MeterConsumption,
    SiteConsumption,
    consumption_fields,
    contiguous_ranges,
    grid_numbers,
    meter_consumption,
    site_consumption,
    stored_amounts,
)
from analytics.periods import Interval
from analytics.pipeline.store_points import consumption_columns
from jieneng.metering import schema
from jieneng.metering.errors import PointsRefused
from jieneng.metering.findings import Finding
from jieneng.metering.quantities import CONSUMPTION, EXPORT, MEDIA, Medium
from jieneng.metering.schema import Point
from jieneng.metering.site import Site
from jieneng.observe import log
from jieneng.storage import RejectedPoint, SeriesColumns, Store, Where, WriteResult

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: The edges of a window's intervals [UTC, ms], by their length.
Grids = Mapping[Interval, "NDArray[np.int64]"]
#: The times of the stored points of each series [UTC, ms], by the series' tags.
StoredTimes = Mapping[frozenset[tuple[str, str]], "NDArray[np.int64]"]

#: Number of `consumption_fields` that are stored for intervals below a day.
_FIELDS_BELOW_A_DAY: Final = 3
_POINTS_PER_WRITE: Final = 20_000
_HOUR_MS: Final = 3_600_000
_DAY_MS: Final = 86_400_000


class ConsumptionStore:
    """The stored consumption of a site.

    Args:
        site: the site.
        store: the store, prepared.
    """

    def __init__(self, site: Site, store: Store) -> None:
        self._site = site
        self._structure = SiteStructure(site)
        self._store = store
        self._log = log("analytics")

    async def day_rows(
        self, start: date, end: date, fields: Iterable[str], **where: str | tuple[str, ...]
    ) -> "dict[tuple[str, str], NDArray[np.float64]]":
        """Return the stored values of all meters by day.

        Args:
            start: the first local day.
            end: the local day after the last one.
            fields: fields of `consumption`.
            where: further tags that the series must have.

        Returns:
            Arrays of shape (days,) by (meter id, field); NaN if nothing is stored.
        """
        if start >= end:
            return {}
        midnights = periods.edges_ms(start, end, "day", self._site.zone)
        tags = {"kind": "meter", "interval": "day", **where}
        return await self.aligned_rows(midnights, fields, **tags)

    async def aligned_rows(
        self, edges_ms: "NDArray[np.int64]", fields: Iterable[str], **where: str | tuple[str, ...]
    ) -> "dict[tuple[str, str], NDArray[np.float64]]":
        """Return the stored values of scopes by interval.

        Args:
            edges_ms: shape (intervals + 1,), starts of the intervals and the end of the last one
                [UTC, ms].
            fields: fields of `consumption`.
            where: tags that the series must have, beside the site.

        Returns:
            Arrays of shape (intervals,) by (scope id, field); NaN if nothing is stored.
        """
        rows: dict[tuple[str, str], NDArray[np.float64]] = {}
        for series in await self._store.read_columns(
            schema.CONSUMPTION,
            tuple(fields),
            where={"site": self._site.id, **where},
            start_ms=int(edges_ms[0]),
            end_ms=int(edges_ms[-1]),
        ):
            numbers, is_start = grid_numbers(series.times_ms, edges_ms)
            for field, values in series.columns.items():
                row = np.full(len(edges_ms) - 1, np.nan)
                row[numbers] = values[is_start]
                if np.isfinite(row).any():
                    rows[series.tags["scope"], field] = row
        return rows

    async def interval_consumption(
        self, start: date, end: date, medium: Medium, interval: Interval
    ) -> MeterConsumption:
        """Return the stored consumption of a medium's meters, from `start` up to `end`."""
        zone = self._site.zone
        edges = periods.edges_ms(start, end, interval, zone)
        meters, exports = [
            await self.aligned_rows(
                edges, consumption_fields(medium), kind=kind, medium=medium, interval=interval
            )
            for kind in ("meter", "export")
        ]
        interval_days = periods.interval_days(edges, zone)
        begins = await self.begins()
        return meter_consumption(self._structure, medium, interval_days, meters, exports, begins)

    async def flow_amounts(
        self, medium: Medium, grids: Grids, begins: Begins
    ) -> list[tuple[Flow, dict[Interval, Consumption]]]:
        """Return the stored consumption of the flows of a medium, by flow.

        Virtual meters are left out. A meter has an export flow if any export is stored.

        Args:
            medium: the medium.
            grids: edges of the intervals.
            begins: result of `begins`.
        """
        meters = [one for one in self._site.read_meters.values() if one.medium == medium]
        flows = flows_of(meters, [one for one in meters if ("export", one.id) in begins])
        found: list[tuple[Flow, dict[Interval, Consumption]]] = [(flow, {}) for flow in flows]
        for interval, edges in grids.items():
            fields = consumption_fields(medium)
            if interval != "day":
                fields = fields[:_FIELDS_BELOW_A_DAY]
            rows = {
                kind: await self.aligned_rows(
                    edges, fields, kind=kind, medium=medium, interval=interval
                )
                for kind in dict.fromkeys(flow.series for flow in flows)
            }
            for flow, by_interval in found:
                of_kind = rows[flow.series]
                by_interval[interval] = stored_amounts(flow, medium, of_kind, len(edges) - 1)
        return found

    async def daily_consumption(self, start: date, end: date) -> SiteConsumption:
        """Return the stored consumption of all meters by day, from `start` up to `end`."""
        fields = {field for medium in MEDIA for field in consumption_fields(medium)}
        rows = await self.day_rows(start, end, fields)
        exports = await self.day_rows(start, end, fields, kind="export")
        begins = await self.begins()
        consumption = site_consumption(self._structure, start, end, rows, exports, begins)
        found = await self._counted_before(start, begins)
        return msgspec.structs.replace(consumption, findings=found)

    async def _counted_before(self, start: date, begins: Begins) -> tuple[RegisterFinding, ...]:
        """Return a finding for each export or generation register that was not 0 when first read.

        Export and generation before the first reading are taken as 0. If the first reading is above
        0, the register had already counted this amount at unknown earlier times. The amount is the
        largest possible error (`doubt`) of the finding.
        """
        found: list[RegisterFinding] = []
        zone = self._site.zone
        start_ms = periods.midnight_ms(start, zone)
        for (kind, meter_id), begin in begins.items():
            meter = self._site.meters[meter_id]
            if begin <= start or (kind != "export" and meter.installed is not None):
                continue
            begin_ms = periods.midnight_ms(begin, zone)
            for series in await self._store.read(
                meter.medium,
                EXPORT if kind == "export" else CONSUMPTION[meter.medium],
                where={"site": self._site.id, "meter": meter_id},
                start_ms=begin_ms,
                end_ms=periods.midnight_ms(begin + timedelta(days=1), zone),
            ):
                before = float(series.values[0]) if len(series.values) else 0.0
                if before > 0:
                    finding = Finding.of("counted_before", meter_id, before=before)
                    found.append(RegisterFinding(finding, start_ms, begin_ms, before))
        return tuple(found)

    async def begins(self) -> Begins:
        """Return the first day with stored values of each meter of generation or export."""
        by_role = tuple(one.id for one in self._site.meter if one.role != "consumption")
        wanted: list[Where] = [{"kind": "export"}]
        if by_role:
            wanted.append({"kind": "meter", "scope": by_role})
        return {
            (one.tags["kind"], one.tags["scope"]): periods.local_day(one.first_ms, self._site.zone)
            for where in wanted
            for one in await self._store.spans(
                schema.CONSUMPTION, where={"site": self._site.id, "interval": "day", **where}
            )
            if one.tags["scope"] in self._site.meters
        }

    async def day_span(self) -> tuple[date, date] | None:
        """Return the first and last local day with stored consumption; None if there is none."""
        span = await self._store.span(
            schema.CONSUMPTION, where={"site": self._site.id, "interval": "day"}
        )
        if span is None:
            return None
        first_ms, last_ms = span
        zone = self._site.zone
        return periods.local_day(first_ms, zone), periods.local_day(last_ms, zone)

    async def other_sites(self) -> list[str]:
        """Return the ids of other sites with stored consumption."""
        found = await self._store.spans(schema.CONSUMPTION, where={"interval": "day"})
        return sorted({one.tags["site"] for one in found} - {self._site.id})

    async def is_empty(self, start: date, end: date) -> bool:
        """Return True if no consumption is stored for the days from `start` up to `end`."""
        rows = await self.day_rows(start, end, set(CONSUMPTION.values()))
        return not any(np.isfinite(row).any() for row in rows.values())

    async def first_hourly_day(self, start: date, end: date) -> date | None:
        """Return the first day from `start` up to `end` with stored hourly values; None if none."""
        zone = self._site.zone
        start_ms, end_ms = periods.midnight_ms(start, zone), periods.midnight_ms(end, zone)
        where = {"site": self._site.id, "kind": "meter", "interval": "hour"}
        span = await self._store.span(schema.CONSUMPTION, where=where)
        if span is None or span[0] >= end_ms or span[1] < start_ms:
            return None
        counts = await self._store.count(
            schema.CONSUMPTION,
            schema.COVERAGE,
            where=where,
            start_ms=start_ms,
            end_ms=end_ms,
            step_ms=_HOUR_MS,
        )
        first_ms = min((int(series.times_ms[0]) for series in counts), default=None)
        return None if first_ms is None else periods.local_day(first_ms, zone)

    async def stored_times(self, spans: Mapping[Interval, tuple[int, int]]) -> StoredTimes:
        """Return the times of the stored points in a span of each interval length, by series."""
        return {
            frozenset(series.tags.items()): series.times_ms
            for interval, (start_ms, end_ms) in spans.items()
            for series in await self._store.read(
                schema.CONSUMPTION,
                schema.COVERAGE,
                where={"site": self._site.id, "interval": interval},
                start_ms=start_ms,
                end_ms=end_ms,
            )
        }

    async def rewrite(
        self,
        rows: Iterable[tuple[Mapping[str, str], Mapping[Interval, Consumption]]],
        grids: Grids,
        stored: StoredTimes,
    ) -> set[frozenset[tuple[str, str]]]:
        """Rewrite series within a window (law 1), and return their tags.

        Args:
            rows: tags of each series, without site and interval, and its consumption by the
                intervals of `grids`. An iterator is read in parts, one part for each write.
            grids: edges of the window's intervals.
            stored: times of the stored points, at least of the intervals with unknown consumption.
        """
        written: set[frozenset[tuple[str, str]]] = set()
        waiting: list[SeriesColumns] = []
        points = 0
        for tags, consumption in rows:
            for interval, amounts in consumption.items():
                series = {"site": self._site.id, "interval": interval, **tags}
                written.add(frozenset(series.items()))
                await self._delete_unknown(series, amounts, grids[interval], stored)
                columns = consumption_columns(series, amounts, grids[interval][:-1])
                if len(columns.times_ms):
                    waiting.append(columns)
                    points += len(columns.times_ms)
            if points >= _POINTS_PER_WRITE:
                await self._write_columns(waiting)
                waiting, points = [], 0
        await self._write_columns(waiting)
        return written

    async def forget_sums_except(
        self, kept: Collection[frozenset[tuple[str, str]]], grids: Grids
    ) -> None:
        """Delete stored sums that the site no longer has, for example of a former sub-item.

        Args:
            kept: tags of the sums that the site has.
            grids: edges of the window's intervals.
        """
        for one in await self._store.spans(schema.CONSUMPTION, where={"site": self._site.id}):
            edges = grids.get(one.tags["interval"])  # type: ignore[call-overload]  # an Interval
            if edges is None or one.tags["kind"] in ("meter", "export"):
                continue
            start_ms, end_ms = int(edges[0]), int(edges[-1])
            is_inside = one.first_ms < end_ms and one.last_ms >= start_ms
            if is_inside and frozenset(one.tags.items()) not in kept:
                await self._store.delete(
                    schema.CONSUMPTION, where=one.tags, start_ms=start_ms, end_ms=end_ms
                )

    async def forget_indicators(self, period: str, time_ms: int) -> None:
        """Delete the stored figures of a period at a time [UTC, ms]."""
        where = {"site": self._site.id, "period": period}
        await self._store.delete(
            schema.INDICATOR, where=where, start_ms=time_ms, end_ms=time_ms + 1
        )

    async def forget_exports(self, meters: Collection[str], grids: Grids) -> None:
        """Delete the stored export of meters that have no export register (any more).

        Args:
            meters: ids of the meters.
            grids: edges of the window's intervals.
        """
        for interval, edges in grids.items():
            where = {"site": self._site.id, "kind": "export", "interval": interval}
            span = {"start_ms": int(edges[0]), "end_ms": int(edges[-1])}
            for series in await self._store.count(
                schema.CONSUMPTION, schema.COVERAGE, where=where, step_ms=_DAY_MS, **span
            ):
                if series.tags["scope"] in meters:
                    await self._store.delete(schema.CONSUMPTION, where=series.tags, **span)

    async def _delete_unknown(
        self,
        series: Mapping[str, str],
        amounts: Consumption,
        edges_ms: "NDArray[np.int64]",
        stored: StoredTimes,
    ) -> None:
        """Delete the stored points of a series in intervals whose consumption is unknown."""
        times = stored.get(frozenset(series.items()))
        if times is None:
            return
        for start, end in contiguous_ranges(np.isnan(amounts.amount)):
            first, last = np.searchsorted(times, (edges_ms[start], edges_ms[end]))
            if first < last:
                await self._store.delete(
                    schema.CONSUMPTION,
                    where=series,
                    start_ms=int(edges_ms[start]),
                    end_ms=int(edges_ms[end]),
                )

    async def _write_columns(self, series: Sequence[SeriesColumns]) -> None:
        if series:
            self._log_refused(await self._store.write_columns(schema.CONSUMPTION, series))

    async def write(self, points: Sequence[Point]) -> None:
        """Write points, and log those that the store rejects."""
        for start in range(0, len(points), _POINTS_PER_WRITE):
            self._log_refused(await self._store.write(points[start : start + _POINTS_PER_WRITE]))

    async def write_figures(self, points: Sequence[Point]) -> None:
        """Write all points that the store accepts, even if the store rejects other points.

        Raises:
            PointsRefused: the store rejects some of the points.
        """
        refused: list[RejectedPoint] = []
        for start in range(0, len(points), _POINTS_PER_WRITE):
            result = await self._store.write(points[start : start + _POINTS_PER_WRITE])
            refused += result.not_stored
        if refused:
            raise PointsRefused(
                "the store rejects {count} of {all} points of `{measurement}`: {reason}",
                count=len(refused),
                all=len(points),
                measurement=refused[0].point.measurement,
                reason=refused[0].reason,
            )

    def _log_refused(self, result: WriteResult) -> None:
        for rejected in result.not_stored:
            self._log.error("refused", series=rejected.point.tags, reason=rejected.reason)
