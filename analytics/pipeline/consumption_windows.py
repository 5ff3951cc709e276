"""Divide days into windows, in which consumption is computed and written.

Laws:

1. For the latest days, values by hour and by quarter of an hour are stored, too. If older days
   still have such values, these are updated as well, so that they agree with the daily values.
2. The memory needed is limited: many meters are computed in shorter windows.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import date, timedelta
from typing import Final

from analytics import periods
from analytics.counters.register_finding import RegisterFinding
from analytics.figures.boundary.flows import FlowKind
from analytics.figures.boundary.lifetime import Begins
from analytics.figures.boundary.virtual_meters import operands_read, virtual_meters
from analytics.figures.roll_up import Scope
from analytics.periods import Interval
from analytics.pipeline.consumption_store import ConsumptionStore, Grids
from analytics.pipeline.finding_store import FindingStore
from analytics.pipeline.registers.meter_records import MeterRecords
from analytics.pipeline.registers.register_reader import RegisterReader
from analytics.pipeline.window_writer import Window, WindowWriter
from jieneng.metering.quantities import MEDIA
from jieneng.metering.site import Meter, Site

#: Intervals of a day that are shorter than a day: hours and quarters of an hour.
_INTERVALS_BELOW_A_DAY: Final = 24 + 96
#: Largest number of values of consumption in memory, of all meters together. With its sums, a value
#: takes 140 bytes.
VALUES_AT_ONCE: Final = 10_000_000


class ConsumptionWindows:
    """Computes and writes the consumption of a site, window by window.

    Args:
        site: the site.
        scopes: scopes of the site.
        consumption: stored consumption of the site.
        registers: reader of the registers.
        findings: stored findings of the site.
        counted: function that returns the kinds of flows that count in a year.
        detail_days: number of latest days for which values by hour and by quarter of an hour are
            stored, too.
        window_months: length of a window.
    """

    def __init__(
        self,
        site: Site,
        scopes: Sequence[Scope],
        consumption: ConsumptionStore,
        registers: RegisterReader,
        findings: FindingStore,
        counted: Callable[[int], frozenset[FlowKind]],
        *,
        detail_days: int,
        window_months: int,
    ) -> None:
        self._site = site
        self._consumption = consumption
        self._registers = registers
        self._writer = WindowWriter(site, scopes, consumption, registers, findings)
        self._counted = counted
        self._detail_days = detail_days
        self._window_months = window_months

    async def compute(
        self,
        meters: Sequence[MeterRecords],
        start: date,
        end: date,
        progress: Callable[[float], None],
    ) -> list[RegisterFinding]:
        """Compute and write the local days from `start` up to, not including, `end`.

        Args:
            meters: records of all meters that are read.
            start: the first day.
            end: the day after the last one.
            progress: called with the finished share of the work, 0 to 1.

        Returns:
            The findings about registers, by meter, code and local day.
        """
        detail, begins = self._detail_start(meters), self._begins(meters)
        windows: list[Window] = []
        for first, following in periods.windows(start, end, self._window_months):
            detailed = await self._first_detailed(first, following, detail)
            counted = self._counted(first.year)
            windows += [
                Window(self._grids(*part, detailed), counted, begins, meters)
                for part in _parts(first, following, detailed, len(meters))
            ]
        findings: list[RegisterFinding] = []
        for number, window in enumerate(windows):
            findings += await self._writer.compute(
                window,
                lambda share, n=number: progress((n + share) / len(windows)),  # type: ignore[misc]  # bound now
            )
        return findings

    async def recompute(
        self,
        meters: Sequence[MeterRecords],
        start: date,
        end: date,
        *,
        is_whole: bool = False,
    ) -> list[RegisterFinding]:
        """Compute and write some meters on the days from `start` up to, not including, `end`.

        Sums are written, too. They need the stored consumption of the other meters, which must be
        up to date. Values by hour and quarter of an hour are written only on days that have them.

        Args:
            meters: records of the meters.
            start: the first day.
            end: the day after the last one.
            is_whole: True to write all sums and virtual meters; False to write only those that
                depend on the meters.

        Returns:
            The findings about registers, by meter, code and local day.
        """
        ids = {meter.meter.id for meter in meters}
        operands = await self._registers.meter_records(self._operands_with(ids, is_whole=is_whole))
        media = MEDIA if is_whole else tuple(dict.fromkeys(one.meter.medium for one in meters))
        begins = {**await self._consumption.begins(), **self._begins(meters)}
        findings: list[RegisterFinding] = []
        for first, following in periods.windows(start, end, self._window_months):
            detailed = await self._consumption.first_hourly_day(first, following) or following
            for part in _parts(first, following, detailed, len(self._site.meter)):
                grids = self._grids(*part, detailed)
                others = [
                    (flow, amounts)
                    for medium in media
                    for flow, amounts in await self._consumption.flow_amounts(medium, grids, begins)
                    if flow.meter.id not in ids
                ]
                counted = self._counted(first.year)
                window = Window(grids, counted, begins, meters, operands, others, is_whole)
                findings += await self._writer.compute(window, lambda _: None)
        return findings

    def _operands_with(self, ids: Collection[str], *, is_whole: bool) -> list[Meter]:
        """Return further meters of the formulas that contain some meters, or of all formulas."""
        found: dict[str, Meter] = {}
        for virtual in virtual_meters(self._site):
            operands = {meter.id: meter for meter in operands_read(self._site, [virtual.id])}
            if is_whole or not operands.keys().isdisjoint(ids):
                found |= operands
        return [meter for meter in found.values() if meter.id not in ids]

    def _begins(self, meters: Sequence[MeterRecords]) -> Begins:
        """Return the first day with records of each flow."""
        return {
            (flow.series, flow.meter.id): periods.local_day(first_ms, self._site.zone)
            for meter in meters
            for flow, of_flow in meter.flows()
            if (first_ms := min((first for first, _ in of_flow.spans()), default=None)) is not None
        }

    def _detail_start(self, meters: Sequence[MeterRecords]) -> date:
        """Return the first day with values by hour, counted back from the latest reading."""
        newest_ms = max((end for meter in meters for _, end in meter.spans()), default=0)
        newest = periods.local_day(newest_ms, self._site.zone)
        return newest - timedelta(days=self._detail_days - 1)

    async def _first_detailed(self, start: date, end: date, detail: date) -> date:
        """Return the first day of a window with values by hour; `end` or later if there is none.

        Args:
            start: first day of the window.
            end: day after the last one.
            detail: first day for which values by hour are stored as a rule (law 1).
        """
        if start < detail:
            return await self._consumption.first_hourly_day(start, min(end, detail)) or detail
        return start

    def _grids(self, start: date, end: date, detail: date) -> Grids:
        """Return the edges of a window's intervals; intervals below a day begin at day `detail`."""
        zone = self._site.zone
        finer: tuple[Interval, ...] = ("hour", "15min") if end > detail else ()
        return {
            "day": periods.edges_ms(start, end, "day", zone),
            **{each: periods.edges_ms(max(start, detail), end, each, zone) for each in finer},
        }


def _parts(start: date, end: date, detail: date, meters: int) -> Iterator[tuple[date, date]]:
    """Yield the days of a window in parts that fit into memory, each as long as possible.

    Args:
        start: the first day.
        end: the day after the last one.
        detail: first day with values by hour.
        meters: number of meters.
    """
    first, values = start, 0
    for day in periods.days(start, end):
        of_day = meters * (1 + (_INTERVALS_BELOW_A_DAY if day >= detail else 0))
        if day > first and values + of_day > VALUES_AT_ONCE:
            yield first, day
            first, values = day, 0
        values += of_day
    yield first, end
