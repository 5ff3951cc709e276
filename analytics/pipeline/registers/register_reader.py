"""Read registers and imports from the store, and compute the consumption of a window from them.

Laws:

1. The same readings give the same digits, however the time is divided into windows, and the meters
   into groups. For this, readings before and after a window are read as well (`read_context`).
2. One query reads the registers of many meters. Memory holds at most the readings of one group of
   meters in one window.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from analytics.counters.batch.many_meters import MeterReadings, consumption_of_meters
from analytics.counters.consumption import Consumption
from analytics.counters.interval_check import context_ms
from analytics.counters.register_finding import RegisterFinding
from analytics.periods import Interval
from analytics.pipeline.registers.import_reader import ImportReader
from analytics.pipeline.registers.late_ratio_reader import LateRatioReader
from analytics.pipeline.registers.meter_records import (
    CONTEXT_MS,
    MeterRecords,
    RecordReader,
    Window,
    named_parts,
)
from analytics.pipeline.registers.read_context import (
    CONTEXT_GROWTH,
    ReadContext,
    TimesAndValues,
    chunks,
    max_readings,
    together,
)
from jieneng.metering.site import Meter
from jieneng.site_folder import SiteFolder
from jieneng.storage import Store

if TYPE_CHECKING:
    from numpy.typing import NDArray


class RegisterConsumption(msgspec.Struct, frozen=True):
    """The consumption of one register in a window.

    Attributes:
        consumption: consumption by length of the intervals.
        findings: findings about readings and imports, those of the context included.
    """

    consumption: Mapping[Interval, Consumption]
    findings: tuple[RegisterFinding, ...]


class RegisterReader:
    """Reads the registers and imports of a site's meters.

    Args:
        folder: the site.
        store: the store, prepared.
    """

    def __init__(self, folder: SiteFolder, store: Store) -> None:
        self._site = folder.site
        self._store = store
        self._records = RecordReader(folder, store)
        self._imports = ImportReader(folder.site.id, store)
        self._late = LateRatioReader(folder.site.id, store)

    async def meter_records(self, meters: Sequence[Meter] | None = None) -> list[MeterRecords]:
        """Return the time spans of the records of some meters; None for all that are read."""
        return await self._records.meter_records(
            list(self._site.read_meters.values()) if meters is None else meters
        )

    async def consumption(
        self,
        registers: Sequence[MeterRecords],
        grids: "Mapping[Interval, NDArray[np.int64]]",
        progress: Callable[[float], None] = lambda _: None,
    ) -> list[RegisterConsumption]:
        """Return the consumption of registers in a window, in their order.

        Args:
            registers: the records of the registers.
            grids: edges of the intervals [UTC, ms].
            progress: called with the finished share of the registers, 0 to 1.
        """
        window = int(grids["day"][0]), int(grids["day"][-1])
        found: list[RegisterConsumption] = []
        for chunk in chunks(registers, window):
            found += await self._consumption_of_chunk(chunk, window, grids)
            progress(len(found) / len(registers))
        return found

    async def _consumption_of_chunk(
        self,
        registers: Sequence[MeterRecords],
        window: Window,
        grids: "Mapping[Interval, NDArray[np.int64]]",
    ) -> list[RegisterConsumption]:
        """Return the consumption of registers whose readings fit into memory together."""
        judged = await self._imports.judged(registers, window)
        found: dict[int, RegisterConsumption] = {}
        waiting = {
            index: ReadContext(register.context_ms, register.context_ms)
            for index, register in enumerate(registers)
        }
        while waiting:
            contexts = together(waiting, registers, window)
            readings = await self._readings(
                {i: (registers[i], context.around(window)) for i, context in contexts.items()}
            )
            meters = [
                MeterReadings(
                    registers[index].devices,
                    *readings[index],
                    window=None
                    if registers[index].reading_span is None
                    else context.around(window),
                    imported=judged[index].believed,
                )
                for index, context in contexts.items()
            ]
            outcomes = await asyncio.to_thread(consumption_of_meters, meters, grids)
            for index, outcome in zip(contexts, outcomes, strict=True):
                register, context = registers[index], waiting.pop(index)
                wider = context.wider(register, readings[index], window, outcome)
                if wider is not None:
                    waiting[index] = wider
                    continue
                if register.reading_span is not None:
                    register.context_ms = max(context.before_ms, context.after_ms)
                findings = (
                    *outcome.findings,
                    *judged[index].findings,
                    *(late.finding(register.meter.id) for late in register.late_ratios or ()),
                )
                found[index] = RegisterConsumption(outcome.consumption, findings)
        return [found[index] for index in range(len(registers))]

    async def _readings(
        self, wanted: Mapping[int, tuple[MeterRecords, Window]]
    ) -> dict[int, TimesAndValues]:
        """Return the stored readings of registers, each in a window, by the keys of `wanted`."""
        found = {key: (np.zeros(0, dtype=np.int64), np.zeros(0)) for key in wanted}
        groups: dict[tuple[str, str, Window], dict[str, int]] = {}
        for key, (register, window) in wanted.items():
            if register.reading_span is not None:
                group = register.meter.medium, register.quantity, window
                groups.setdefault(group, {})[register.meter.id] = key

        async def read(group: tuple[str, str, Window], keys: Mapping[str, int]) -> None:
            medium, quantity, (start_ms, end_ms) = group
            for series in await self._store.read(
                medium,
                quantity,
                where={"site": self._site.id, "meter": tuple(keys)},
                start_ms=start_ms,
                end_ms=end_ms,
            ):
                found[keys[series.tags["meter"]]] = series.times_ms, series.values

        await asyncio.gather(
            *(read(group, part) for group, keys in groups.items() for part in named_parts(keys))
        )
        for key, (register, _) in wanted.items():
            if register.late_ratios is None:
                register.late_ratios = await self._late.late_ratios(register)
            times, values = found[key]
            for late in register.late_ratios:
                values = late.corrected(times, values)
            found[key] = times, values
        return found

    async def affected_spans(
        self, registers: Sequence[MeterRecords], window: Window
    ) -> list[Window]:
        """Return the time spans in which readings of a window can affect the consumption [UTC, ms].

        The span of a register contains:

        - the time from the last stable reading before the window to the first one after it;
        - later times for which the readings in the window belong to the compared past;
        - imported intervals that extend beyond the window, and intervals judged by them.

        Later gaps that are distributed by the readings in the window are left out (`later_gaps`).
        """
        start_ms, end_ms = window
        low, high = [start_ms] * len(registers), [end_ms] * len(registers)
        imported = await self._imports.overlapping([(register, window) for register in registers])
        before: dict[int, tuple[MeterRecords, int]] = {}
        after: dict[int, tuple[MeterRecords, int]] = {}
        for index, (register, intervals) in enumerate(zip(registers, imported, strict=True)):
            if intervals is not None and (touches := intervals.end_ms > start_ms).any():
                around_ms = context_ms(int((intervals.end_ms - intervals.start_ms).max()))
                low[index] = min(start_ms, int(intervals.start_ms[touches].min())) - around_ms
                high[index] = max(end_ms, int(intervals.end_ms[touches].max())) + around_ms
            first_ms, last_ms = register.reading_span or (start_ms, start_ms)
            if first_ms < start_ms:
                before[index] = register, first_ms
            if last_ms >= end_ms:
                after[index] = register, last_ms
                high[index] = max(high[index], min(end_ms + register.devices.own_past_ms, last_ms))
        for index, time_ms in (await self._stable_readings(before, start_ms, -1)).items():
            low[index] = min(low[index], time_ms)
        for index, time_ms in (await self._stable_readings(after, end_ms, 1)).items():
            high[index] = max(high[index], time_ms)
        return list(zip(low, high, strict=True))

    async def _stable_readings(
        self, wanted: Mapping[int, tuple[MeterRecords, int]], edge_ms: int, sign: int
    ) -> dict[int, int]:
        """Return the times of the stable readings nearest to an edge of a window [UTC, ms].

        A reading is stable if readings on the other side of the edge can't change whether it is
        believed.

        Args:
            wanted: registers, and times of their first or last reading [UTC, ms], by any key.
            edge_ms: edge of the window [UTC, ms].
            sign: 1 to search after the edge, -1 to search before it.
        """
        found: dict[int, int] = {}
        context_ms, waiting = CONTEXT_MS, dict(wanted)
        while waiting:
            read_to_ms = edge_ms + sign * context_ms
            window = min(edge_ms, read_to_ms), max(edge_ms, read_to_ms)
            readings = await self._readings(
                {key: (register, window) for key, (register, _) in waiting.items()}
            )
            meters = [
                MeterReadings(register.devices, *readings[key], window=window)
                for key, (register, _) in waiting.items()
            ]
            grids: Mapping[Interval, NDArray[np.int64]] = {"day": np.array(window)}
            outcomes = await asyncio.to_thread(consumption_of_meters, meters, grids)
            for (key, (_, last_ms)), outcome in zip(list(waiting.items()), outcomes, strict=True):
                times, values = readings[key]
                if outcome.stable_ms is not None:
                    found[key] = outcome.stable_ms[0] if sign > 0 else outcome.stable_ms[1]
                elif len(times) > max_readings(values):
                    found[key] = read_to_ms
                elif sign * (read_to_ms - last_ms) > 0:
                    found[key] = last_ms
            waiting = {key: one for key, one in waiting.items() if key not in found}
            context_ms *= CONTEXT_GROWTH
        return found
