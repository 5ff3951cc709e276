"""What meters said, read from the store as far around a window as it takes -> their consumption.

Law: the same readings give the same digits, whatever the windows. A window reads as far before and
after itself as it takes for `counters` to call it settled.
"""

import asyncio
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from analytics.counters import consumption
from analytics.counters.believed_register import accept
from analytics.counters.consumption import Consumption, Imported
from analytics.counters.meter_devices import Place, place
from analytics.counters.register_lives import Accepted
from analytics.periods import Interval
from jieneng.metering import schema
from jieneng.metering.findings import Finding
from jieneng.metering.quantities import CONSUMPTION
from jieneng.metering.site import Meter
from jieneng.site_folder import SiteFolder
from jieneng.storage import Store

if TYPE_CHECKING:
    from numpy.typing import NDArray

_DAY_MS: Final = 86_400_000
#: How far a window first looks beyond its edges for readings that settle it. Hourly or denser
#: readings are settled within it; for sparser ones it grows, each time by this factor ...
_CONTEXT_MS: Final = _DAY_MS
_GROWS: Final = 4
#: ... until so many readings beyond the edges were looked at: a meter that answers nothing but
#: zeros, or nothing that fits, is never settled.
_CONTEXT_READINGS: Final = 250_000
#: Imported consumption may be of an interval that begins so long before the window [ms].
_IMPORT_LOOK_BACK_MS: Final = 366 * _DAY_MS


class MeterRecords(msgspec.Struct):
    """A meter and what there is of it in the store.

    Attributes:
        place: its devices.
        readings: first and last time of its registers; None where there is none.
        imports: the same of its imported consumption.
        context_ms: how far beyond a window's edges the last one had to look.
        longest_ms: the longest imported interval so far; no earlier window has a longer one.
    """

    meter: Meter
    place: Place
    readings: tuple[int, int] | None
    imports: tuple[int, int] | None
    context_ms: int = _CONTEXT_MS
    longest_ms: int = _IMPORT_LOOK_BACK_MS

    def spans(self) -> Iterator[tuple[int, int]]:
        """Where there is something."""
        yield from (span for span in (self.readings, self.imports) if span is not None)

    def has_records(self, edges_ms: "NDArray[np.int64]") -> "NDArray[np.bool_]":
        """Which intervals between edges lie, in part at least, where there is something."""
        inside = np.zeros(len(edges_ms) - 1, dtype=np.bool_)
        for first_ms, last_ms in self.spans():
            inside |= (edges_ms[1:] > first_ms) & (edges_ms[:-1] < last_ms)
        return inside


class RegisterReader:
    """The readings of a site's meters.

    Args:
        folder: the site.
        store: prepared.
    """

    def __init__(self, folder: SiteFolder, store: Store) -> None:
        self._site = folder.site
        self._models = folder.models
        self._store = store

    async def meters(self) -> list[MeterRecords]:
        """Every meter of the site."""
        found = []
        for meter in self._site.meter:
            where = {"site": self._site.id, "meter": meter.id}
            found.append(
                MeterRecords(
                    meter,
                    place(meter, self._models, self._site.zone),
                    await self._store.span(meter.medium, where=where),
                    await self._store.span(schema.INTERVAL, where=where),
                )
            )
        return found

    async def consumption(
        self, records: MeterRecords, grids: "Mapping[Interval, NDArray[np.int64]]"
    ) -> tuple[dict[Interval, Consumption], tuple[Finding, ...]]:
        """One meter's consumption on all grids of a window, and what is wrong with its register."""
        start_ms, end_ms = int(grids["day"][0]), int(grids["day"][-1])
        imported = await self._imported(records, start_ms, end_ms)
        accepted = await self._accepted(records, start_ms, end_ms)

        def work() -> dict[Interval, Consumption]:
            return {
                interval: consumption.consume(accepted, edges, imported)
                for interval, edges in grids.items()
            }

        return await asyncio.to_thread(work), accepted.findings

    async def affected_span(
        self, records: MeterRecords, start_ms: int, end_ms: int
    ) -> tuple[int, int]:
        """How far around a window its readings may matter: to the settled ones on both sides."""
        if records.readings is None:
            return start_ms, end_ms
        first_ms, last_ms = records.readings
        low_ms, high_ms = start_ms, end_ms
        if first_ms < start_ms:
            low_ms = await self._stable_reading(records.meter, records.place, (start_ms, first_ms))
        if last_ms >= end_ms:
            high_ms = await self._stable_reading(records.meter, records.place, (end_ms, last_ms))
        return low_ms, high_ms

    async def _stable_reading(self, meter: Meter, where: Place, way: tuple[int, int]) -> int:
        """The reading nearest to an edge that nothing beyond the edge can change.

        `way` is the edge, and the last of the meter's readings on the side that is looked at.
        """
        edge_ms, last_ms = way
        look, sign = _CONTEXT_MS, 1 if last_ms >= edge_ms else -1
        while True:
            seen_ms = edge_ms + sign * look
            window = min(edge_ms, seen_ms), max(edge_ms, seen_ms)
            found = await self._register(meter, window)
            if found is not None:
                settled = (await asyncio.to_thread(accept, *found, where, window)).settled
                if settled is not None:
                    return settled[0] if sign > 0 else settled[1]
                if len(found[0]) > _CONTEXT_READINGS:
                    return seen_ms
            if sign * (seen_ms - last_ms) > 0:
                return last_ms
            look *= _GROWS

    async def _accepted(self, records: MeterRecords, start_ms: int, end_ms: int) -> Accepted:
        """The believed register in a window, with as much around it as settles it."""
        nothing = np.zeros(0, dtype=np.int64), np.zeros(0)
        if records.readings is None:
            return accept(*nothing, records.place)
        first_ms, last_ms = records.readings
        before = after = records.context_ms
        while True:
            window = (start_ms - before, end_ms + after)
            times, values = await self._register(records.meter, window) or nothing
            accepted = await asyncio.to_thread(accept, times, values, records.place, window)
            low, high = accepted.settled or (end_ms, start_ms)
            early = low > start_ms and window[0] > first_ms
            late = high < end_ms and window[1] <= last_ms
            within = np.searchsorted(times, end_ms) - np.searchsorted(times, start_ms)
            if not (early or late) or len(times) - within > _CONTEXT_READINGS:
                records.context_ms = max(before, after)
                return accepted
            before *= _GROWS if early else 1
            after *= _GROWS if late else 1

    async def _register(
        self, meter: Meter, window: tuple[int, int]
    ) -> "tuple[NDArray[np.int64], NDArray[np.float64]] | None":
        found = await self._store.read(
            meter.medium,
            CONSUMPTION[meter.medium],
            where={"site": self._site.id, "meter": meter.id},
            start_ms=window[0],
            end_ms=window[1],
        )
        return (found[0].times_ms, found[0].values) if found else None

    async def _imported(self, records: MeterRecords, start_ms: int, end_ms: int) -> Imported | None:
        """The imported intervals that reach into a window."""
        if records.imports is None or records.imports[0] >= end_ms:
            return None
        if records.imports[1] + records.longest_ms <= start_ms:
            return None
        columns = []
        for field in (schema.INTERVAL_S, CONSUMPTION[records.meter.medium]):
            found = await self._store.read(
                schema.INTERVAL,
                field,
                where={"site": self._site.id, "meter": records.meter.id},
                start_ms=start_ms - records.longest_ms,
                end_ms=end_ms,
            )
            if not found:
                return None
            columns.append(found[0])
        lengths, amounts = columns
        imported = Imported.of(
            (lengths.times_ms, lengths.values), (amounts.times_ms, amounts.values)
        )
        records.longest_ms = int((imported.end_ms - imported.start_ms).max(initial=1))
        return imported.disjoint()
