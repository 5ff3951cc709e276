"""Read registers and imports from the store, and compute the consumption of a window from them.

Law: the same readings give the same digits for any division into windows. For this, readings before
and after a window are read as well (its context), until readings farther away can't change the
result (`stable_ms`).
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from analytics.counters.believed_register import believed_register
from analytics.counters.consumption import Consumption, consumption_between
from analytics.counters.imported_consumption import ImportedConsumption
from analytics.counters.interval_check import JudgedIntervals, context_ms, judge_intervals
from analytics.counters.meter_devices import MeterDevices, devices_of
from analytics.counters.register_finding import RegisterFinding
from analytics.counters.register_segments import BelievedRegister
from analytics.figures.boundary.flows import Flow
from analytics.figures.boundary.virtual_meters import virtual_meters
from analytics.periods import Interval
from jieneng.metering import schema
from jieneng.metering.quantities import CONSUMPTION, EXPORT
from jieneng.metering.site import Meter, Site
from jieneng.site_folder import SiteFolder
from jieneng.storage import Store

if TYPE_CHECKING:
    from numpy.typing import NDArray

_DAY_MS: Final = 86_400_000
#: Initial length of the context on each side of a window [ms], which is enough for hourly or more
#: frequent readings; and factor by which it grows until the window is stable.
_CONTEXT_MS: Final = _DAY_MS
_CONTEXT_GROWTH: Final = 4
#: Number of readings at which the context stops growing. Some registers are never stable: those
#: with zeros only, or with values that contradict each other.
_CONTEXT_READINGS: Final = 250_000
#: The same number for a context of zeros only. An unused meter may have years of zeros.
_CONTEXT_ZEROS: Final = 20_000


class _KnownImports(msgspec.Struct, frozen=True):
    """The longest imported interval that begins in a time span, or up to a year before it.

    Attributes:
        start_ms: start of the time span [UTC, ms].
        end_ms: end of the time span [UTC, ms], included.
        longest_ms: length of the longest interval [ms].
    """

    start_ms: int
    end_ms: int
    longest_ms: int


class MeterRecords(msgspec.Struct):
    """The time spans of a meter's records in the store.

    Attributes:
        meter: the meter.
        devices: the devices of the meter.
        reading_span: times of the first and the last reading [UTC, ms]; None if there is none.
        import_span: starts of the first and the last imported interval [UTC, ms]; None if there is
            none.
        import_end_ms: end of the last imported interval [UTC, ms]; 0 if there is none.
        quantity: the counter quantity.
        export: records of the meter's export register; None if it exports nothing.
        context_ms: length of the context that the last window needed [ms].
        known_imports: imports that were read for the last window; None before the first window.
    """

    meter: Meter
    devices: MeterDevices
    reading_span: tuple[int, int] | None
    import_span: tuple[int, int] | None
    import_end_ms: int
    quantity: str
    export: "MeterRecords | None" = None
    context_ms: int = _CONTEXT_MS
    known_imports: _KnownImports | None = None

    def flows(self) -> "Iterator[tuple[Flow, MeterRecords]]":
        """Yield (flow, records) for each register of the meter."""
        yield Flow(self.meter), self
        if self.export is not None:
            yield Flow(self.meter, is_export=True), self.export

    def spans(self) -> Iterator[tuple[int, int]]:
        """Yield (first time, last time) of the readings, and of the imports, if there are any.

        The last time of imports is the start of the last interval, whose end may be in the future.
        """
        yield from (span for span in (self.reading_span, self.import_span) if span is not None)

    def has_records(self, edges_ms: "NDArray[np.int64]") -> "NDArray[np.bool_]":
        """Return True for each interval between edges that may contain readings or imports."""
        inside = np.zeros(len(edges_ms) - 1, dtype=np.bool_)
        extents = [self.reading_span or (0, 0)]
        if self.import_span is not None:
            extents.append((self.import_span[0], self.import_end_ms))
        for first_ms, end_ms in extents:
            inside |= (edges_ms[1:] > first_ms) & (edges_ms[:-1] < end_ms)
        return inside


def recorded_days(
    site: Site, meters: Sequence[MeterRecords], midnights_ms: "NDArray[np.int64]"
) -> "dict[str, NDArray[np.bool_]]":
    """Return a mask of the days that may contain readings or imports, by meter id.

    A virtual meter has them on the days on which any meter in its formula has them.

    Args:
        site: the site.
        meters: records of all meters that are read.
        midnights_ms: shape (days + 1,), edges of the days [UTC, ms].
    """
    found = {meter.meter.id: meter.has_records(midnights_ms) for meter in meters}
    for virtual in virtual_meters(site):
        found[virtual.id] = np.any([found[term.meter] for term in virtual.terms], axis=0)
    return found


class RegisterReader:
    """Reads the registers and imports of a site's meters.

    Args:
        folder: the site.
        store: the store, prepared.
    """

    def __init__(self, folder: SiteFolder, store: Store) -> None:
        self._site = folder.site
        self._models = folder.models
        self._store = store

    async def meter_records(self, meters: Sequence[Meter] | None = None) -> list[MeterRecords]:
        """Return the time spans of the records of some meters; None for all that are read."""
        found = []
        for meter in self._site.read_meters.values() if meters is None else meters:
            records = await self._records(meter, CONSUMPTION[meter.medium])
            if self._may_export(meter):
                exported = await self._records(meter, EXPORT, EXPORT)
                if exported.import_span is not None or await self._has_moved(exported):
                    records.export = exported
            found.append(records)
        return found

    async def _records(self, meter: Meter, quantity: str, field: str | None = None) -> MeterRecords:
        """Return the time spans of a register; with `field`, only of points that have the field."""
        where = {"site": self._site.id, "meter": meter.id}
        devices = devices_of(meter, self._models, self._site.zone, quantity)
        import_span = await self._store.span(schema.INTERVAL, where=where, field=field)
        return MeterRecords(
            meter,
            devices,
            await self._store.span(meter.medium, where=where, field=field),
            import_span,
            await self._import_end_ms(meter, import_span),
            quantity,
            context_ms=_CONTEXT_MS + devices.own_past_ms,
        )

    def _may_export(self, meter: Meter) -> bool:
        """Return True if a consumption meter may have an export register."""
        names = {meter.model, *(row.model for row in meter.replaced)} - {None}
        models = [model for name, model in self._models.items() if name in names]
        return (meter.medium, meter.role) == ("electricity", "consumption") and (
            not names or any(row.quantity == EXPORT for model in models for row in model.point)
        )

    async def _has_moved(self, records: MeterRecords) -> bool:
        """Return True if the last value of a register differs from the first one."""
        if records.reading_span is None:
            return False
        ends = [
            await self._register(records, (time_ms, time_ms + 1))
            for time_ms in records.reading_span
        ]
        first, last = (float(end[1][0]) if end is not None else 0.0 for end in ends)
        return first != last

    async def _import_end_ms(self, meter: Meter, span: tuple[int, int] | None) -> int:
        """Return the end of the imported interval with the latest start [UTC, ms]; 0 if none."""
        if span is None:
            return 0
        found = await self._store.read(
            schema.INTERVAL,
            schema.INTERVAL_S,
            where={"site": self._site.id, "meter": meter.id},
            start_ms=span[1],
            end_ms=span[1] + 1,
        )
        return span[1] + (round(float(found[0].values[-1]) * 1000) if found else 0)

    async def consumption(
        self, records: MeterRecords, grids: "Mapping[Interval, NDArray[np.int64]]"
    ) -> tuple[dict[Interval, Consumption], tuple[RegisterFinding, ...]]:
        """Return a meter's consumption in a window by interval length, and findings.

        The findings include those of the context around the window.
        """
        start_ms, end_ms = int(grids["day"][0]), int(grids["day"][-1])
        judged = await self._judged_imports(records, start_ms, end_ms)
        register = await self._stable_register(records, start_ms, end_ms)

        def compute() -> dict[Interval, Consumption]:
            return {
                interval: consumption_between(register, edges, judged.believed)
                for interval, edges in grids.items()
            }

        return await asyncio.to_thread(compute), (*register.findings, *judged.findings)

    async def _judged_imports(
        self, records: MeterRecords, start_ms: int, end_ms: int
    ) -> JudgedIntervals:
        """Return the believed imported intervals in a window and around it."""
        known = records.known_imports
        around_ms = context_ms(schema.LONGEST_INTERVAL_MS if known is None else known.longest_ms)
        imported = await self._imported(records, start_ms - around_ms, end_ms + around_ms)
        if imported is None:
            nothing = np.zeros(0, dtype=np.int64)
            none = np.zeros(0, dtype=np.bool_)
            return JudgedIntervals(ImportedConsumption(nothing, nothing, np.zeros(0), none))
        return await asyncio.to_thread(judge_intervals, imported, records.devices)

    async def affected_span(
        self, records: MeterRecords, start_ms: int, end_ms: int
    ) -> tuple[int, int]:
        """Return the time span whose consumption readings in a window can affect [UTC, ms].

        The span contains:

        - the time from the last stable reading before the window to the first one after it;
        - later times for which the readings in the window belong to the compared past;
        - imported intervals that extend beyond the window, and intervals judged by them.
        """
        low_ms, high_ms = start_ms, end_ms
        imported = await self._imported(records, start_ms, end_ms)
        if imported is not None and (touches := imported.end_ms > start_ms).any():
            around_ms = context_ms(int((imported.end_ms - imported.start_ms).max()))
            low_ms = min(low_ms, int(imported.start_ms[touches].min())) - around_ms
            high_ms = max(high_ms, int(imported.end_ms[touches].max())) + around_ms
        if records.reading_span is None:
            return low_ms, high_ms
        first_ms, last_ms = records.reading_span
        if first_ms < start_ms:
            low_ms = min(low_ms, await self._stable_reading(records, start_ms, first_ms))
        if last_ms >= end_ms:
            high_ms = max(high_ms, await self._stable_reading(records, end_ms, last_ms))
            high_ms = max(high_ms, min(end_ms + records.devices.own_past_ms, last_ms))
        return low_ms, high_ms

    async def _stable_reading(self, records: MeterRecords, edge_ms: int, last_ms: int) -> int:
        """Return the time of the stable reading nearest to an edge of a window [UTC, ms].

        A reading is stable if readings on the other side of the edge can't change whether it is
        believed.

        Args:
            records: records of the meter.
            edge_ms: edge of the window [UTC, ms].
            last_ms: time of the meter's first or last reading, on the side to search [UTC, ms].
        """
        context_ms, sign = _CONTEXT_MS, 1 if last_ms >= edge_ms else -1
        while True:
            read_to_ms = edge_ms + sign * context_ms
            window = min(edge_ms, read_to_ms), max(edge_ms, read_to_ms)
            columns = await self._register(records, window)
            if columns is not None:
                register = await asyncio.to_thread(
                    believed_register, *columns, records.devices, window
                )
                if register.stable_ms is not None:
                    return register.stable_ms[0] if sign > 0 else register.stable_ms[1]
                if len(columns[0]) > _most_readings(columns[1]):
                    return read_to_ms
            if sign * (read_to_ms - last_ms) > 0:
                return last_ms
            context_ms *= _CONTEXT_GROWTH

    async def _stable_register(
        self, records: MeterRecords, start_ms: int, end_ms: int
    ) -> BelievedRegister:
        """Return the believed register of a window, with enough context to be stable."""
        nothing = np.zeros(0, dtype=np.int64), np.zeros(0)
        if records.reading_span is None:
            return believed_register(*nothing, records.devices)
        first_ms, last_ms = records.reading_span
        before = after = records.context_ms
        while True:
            window = (start_ms - before, end_ms + after)
            times, values = await self._register(records, window) or nothing
            register = await asyncio.to_thread(
                believed_register, times, values, records.devices, window
            )
            low, high = register.stable_ms or (end_ms, start_ms)
            early = low > start_ms and window[0] > first_ms
            late = high < end_ms and window[1] <= last_ms
            within = np.searchsorted(times, end_ms) - np.searchsorted(times, start_ms)
            if not (early or late) or len(times) - within > _most_readings(values):
                records.context_ms = max(before, after)
                return register
            before *= _CONTEXT_GROWTH if early else 1
            after *= _CONTEXT_GROWTH if late else 1

    async def _register(
        self, records: MeterRecords, window: tuple[int, int]
    ) -> "tuple[NDArray[np.int64], NDArray[np.float64]] | None":
        """Return times and values of the stored register in a window; None if there are none."""
        found = await self._store.read(
            records.meter.medium,
            records.quantity,
            where={"site": self._site.id, "meter": records.meter.id},
            start_ms=window[0],
            end_ms=window[1],
        )
        return (found[0].times_ms, found[0].values) if found else None

    async def _imported(
        self, records: MeterRecords, start_ms: int, end_ms: int
    ) -> ImportedConsumption | None:
        """Return the imported intervals that overlap a window; None if there are none."""
        if records.import_span is None or records.import_span[0] >= end_ms:
            return None
        look_back_ms, known = schema.LONGEST_INTERVAL_MS, records.known_imports
        if known is not None and known.start_ms <= start_ms <= known.end_ms:
            look_back_ms = known.longest_ms
        if records.import_span[1] + look_back_ms <= start_ms:
            return None
        columns = []
        for field in (schema.INTERVAL_S, records.quantity, schema.QUALITY):
            found = await self._store.read(
                schema.INTERVAL,
                field,
                where={"site": self._site.id, "meter": records.meter.id},
                start_ms=start_ms - look_back_ms,
                end_ms=end_ms,
            )
            if not found and field != schema.QUALITY:
                return None
            columns += [(one.times_ms, one.values) for one in found[:1]]
        imported = ImportedConsumption.from_columns(*columns)
        longest_ms = int((imported.end_ms - imported.start_ms).max(initial=1))
        records.known_imports = _KnownImports(start_ms, end_ms, longest_ms)
        return imported.without_overlaps()


def _most_readings(values: "NDArray[np.float64]") -> int:
    """Return the number of readings at which a context with these values stops growing."""
    return _CONTEXT_READINGS if np.nan_to_num(values).any() else _CONTEXT_ZEROS
