"""Find the time spans of the readings and imports of meters, in few queries for many meters.

Law: the spans of all meters of a medium come from one query, because a query for each meter takes
far longer over HTTP.
"""

import asyncio
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final, TypeAlias

import msgspec
import numpy as np

from analytics.counters.late_ratios import LateRatio
from analytics.counters.meter_devices import MeterDevices, devices_of
from analytics.figures.boundary.flows import Flow
from analytics.figures.boundary.virtual_meters import virtual_meters
from jieneng.metering import schema
from jieneng.metering.quantities import CONSUMPTION, EXPORT, Medium
from jieneng.metering.site import Meter, Site
from jieneng.site_folder import SiteFolder
from jieneng.storage import Store, Where

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Start and end of a time span [UTC, ms].
Window: TypeAlias = tuple[int, int]

#: Largest number of meters that a query names: it must fit into a URL.
MAX_NAMED: Final = 50
#: Number of queries into which the readings of some meters are divided, if they are few.
QUERIES_AT_ONCE: Final = 4
#: Initial length of the context on each side of a window [ms], which is enough for hourly or more
#: frequent readings.
CONTEXT_MS: Final = 86_400_000


class KnownImports(msgspec.Struct, frozen=True):
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
        late_ratios: times in which readings were stored with the transformer ratio of before; None
            before the first window.
    """

    meter: Meter
    devices: MeterDevices
    reading_span: tuple[int, int] | None
    import_span: tuple[int, int] | None
    import_end_ms: int
    quantity: str
    export: "MeterRecords | None" = None
    context_ms: int = CONTEXT_MS
    known_imports: KnownImports | None = None
    late_ratios: tuple[LateRatio, ...] | None = None

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

    A virtual meter has records on the days on which any meter in its formula has records. It is
    left out if the records of a meter in its formula are not given.

    Args:
        site: the site.
        meters: records of meters.
        midnights_ms: shape (days + 1,), edges of the days [UTC, ms].
    """
    found = {meter.meter.id: meter.has_records(midnights_ms) for meter in meters}
    for virtual in virtual_meters(site):
        if all(term.meter in found for term in virtual.terms):
            found[virtual.id] = np.any([found[term.meter] for term in virtual.terms], axis=0)
    return found


def meters_named(site: str, meters: Sequence[str]) -> Where:
    """Return the tags of the series of some meters; of all meters of the site if they are many."""
    return {"site": site, "meter": tuple(meters)} if len(meters) <= MAX_NAMED else {"site": site}


def named_parts(keys: Mapping[str, int]) -> Iterator[dict[str, int]]:
    """Yield meters in parts for one query each; a server answers several at once."""
    rows = list(keys.items())
    size = min(MAX_NAMED, -(-len(rows) // QUERIES_AT_ONCE))
    for start in range(0, len(rows), size):
        yield dict(rows[start : start + size])


def scopes_named(meters: Collection[str] | None) -> dict[str, tuple[str, ...]]:
    """Return the tags of the stored results of some meters; no tags for all or many meters."""
    return {} if meters is None or len(meters) > MAX_NAMED else {"scope": tuple(meters)}


class RecordReader:
    """Finds the records of a site's meters.

    Args:
        folder: the site.
        store: the store, prepared.
    """

    def __init__(self, folder: SiteFolder, store: Store) -> None:
        self._site = folder.site
        self._models = folder.models
        self._store = store

    async def meter_records(self, meters: Sequence[Meter]) -> list[MeterRecords]:
        """Return the records of meters."""
        found = await self._records(meters, CONSUMPTION, None)
        may_export = [meter for meter in meters if self._may_export(meter)]
        if may_export:
            exports = await self._records(may_export, {"electricity": EXPORT}, EXPORT)
            moved = await asyncio.gather(*(self._has_moved(one) for one in exports.values()))
            for records, has_moved in zip(exports.values(), moved, strict=True):
                if records.import_span is not None or has_moved:
                    found[records.meter.id].export = records
        return list(found.values())

    async def _records(
        self, meters: Sequence[Meter], quantities: Mapping[Medium, str], field: str | None
    ) -> dict[str, MeterRecords]:
        """Return the records of registers by meter id; with `field`, of points that have it."""
        media = dict.fromkeys(meter.medium for meter in meters)
        ids = {meter.id: None for meter in meters}
        imports, *readings = await asyncio.gather(
            *(self._spans(name, list(ids), field) for name in (schema.INTERVAL, *media))
        )
        spans = {meter: span for of_medium in readings for meter, span in of_medium.items()}
        last = {meter: span[1] for meter, span in imports.items() if meter in ids}
        ends = await self._import_ends_ms(last)
        found: dict[str, MeterRecords] = {}
        for meter in meters:
            quantity = quantities[meter.medium]
            devices = devices_of(meter, self._models, self._site.zone, quantity)
            found[meter.id] = MeterRecords(
                meter,
                devices,
                spans.get(meter.id),
                imports.get(meter.id),
                ends.get(meter.id, 0),
                quantity,
                context_ms=CONTEXT_MS + devices.own_past_ms,
            )
        return found

    async def _spans(
        self, measurement: str, meters: Sequence[str], field: str | None
    ) -> dict[str, tuple[int, int]]:
        """Return the first and last time of the points of meters [UTC, ms], by id."""
        where = meters_named(self._site.id, meters)
        found = await self._store.spans(measurement, where=where, field=field)
        return {one.tags["meter"]: (one.first_ms, one.last_ms) for one in found}

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
        first, last = records.reading_span
        return await self._value(records, first) != await self._value(records, last)

    async def _value(self, records: MeterRecords, time_ms: int) -> float:
        """Return the value of a register at a time [UTC, ms]; 0 if there is none."""
        found = await self._store.read(
            records.meter.medium,
            records.quantity,
            where={"site": self._site.id, "meter": records.meter.id},
            start_ms=time_ms,
            end_ms=time_ms + 1,
        )
        return float(found[0].values[0]) if found else 0.0

    async def _import_ends_ms(self, last_ms: Mapping[str, int]) -> dict[str, int]:
        """Return the ends of imported intervals by meter, from their starts [UTC, ms]."""
        meters: dict[int, dict[str, None]] = {}
        for meter, start_ms in last_ms.items():
            meters.setdefault(start_ms, {})[meter] = None
        ends = dict(last_ms)
        for start_ms, of_time in meters.items():
            for series in await self._store.read(
                schema.INTERVAL,
                schema.INTERVAL_S,
                where=meters_named(self._site.id, list(of_time)),
                start_ms=start_ms,
                end_ms=start_ms + 1,
            ):
                if series.tags["meter"] in of_time:
                    length_ms = round(float(series.values[-1]) * 1000)
                    ends[series.tags["meter"]] = start_ms + length_ms
        return ends
