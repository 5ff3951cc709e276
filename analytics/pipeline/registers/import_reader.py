"""Read imported intervals of meters from the store.

Law: imported intervals are up to a year long, so those that overlap a window may begin a year
before it. Once the longest interval of a meter in a span of time is known, less is read.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from analytics.counters.imported_consumption import ImportedConsumption
from analytics.counters.interval_check import JudgedIntervals, context_ms, judge_intervals
from analytics.pipeline.registers.meter_records import (
    KnownImports,
    MeterRecords,
    Window,
    named_parts,
)
from jieneng.metering import schema
from jieneng.storage import SeriesColumns, Store

if TYPE_CHECKING:
    pass


class ImportReader:
    """Reads the imported intervals of a site's meters.

    Args:
        site: id of the site.
        store: the store, prepared.
    """

    def __init__(self, site: str, store: Store) -> None:
        self._site = site
        self._store = store

    async def judged(
        self, registers: Sequence[MeterRecords], window: Window
    ) -> list[JudgedIntervals]:
        """Return the believed imported intervals of registers in a window and around it."""
        around_ms = [
            context_ms(
                schema.LONGEST_INTERVAL_MS
                if register.known_imports is None
                else register.known_imports.longest_ms
            )
            for register in registers
        ]
        imported = await self.overlapping(
            [
                (register, (window[0] - around, window[1] + around))
                for register, around in zip(registers, around_ms, strict=True)
            ]
        )
        if all(intervals is None for intervals in imported):
            return [JudgedIntervals(_nothing_imported())] * len(registers)
        return await asyncio.to_thread(_judged, registers, imported)

    async def overlapping(
        self, wanted: Sequence[tuple[MeterRecords, Window]]
    ) -> list[ImportedConsumption | None]:
        """Return the imported intervals of registers that overlap a window; None for none."""
        groups: dict[tuple[str, Window], dict[str, int]] = {}
        for index, (register, window) in enumerate(wanted):
            span = _import_window(register, window)
            if span is not None:
                groups.setdefault((register.quantity, span), {})[register.meter.id] = index
        found: list[ImportedConsumption | None] = [None] * len(wanted)

        async def read(quantity: str, span: Window, indices: Mapping[str, int]) -> None:
            for series in await self._store.read_columns(
                schema.INTERVAL,
                (schema.INTERVAL_S, quantity, schema.QUALITY),
                where={"site": self._site, "meter": tuple(indices)},
                start_ms=span[0],
                end_ms=span[1],
            ):
                index = indices[series.tags["meter"]]
                register, window = wanted[index]
                imported = _imported_columns(series, quantity)
                if imported is not None:
                    longest_ms = int((imported.end_ms - imported.start_ms).max(initial=1))
                    register.known_imports = KnownImports(*window, longest_ms)
                    found[index] = imported.without_overlaps()

        await asyncio.gather(
            *(
                read(quantity, span, part)
                for (quantity, span), indices in groups.items()
                for part in named_parts(indices)
            )
        )
        return found


def _import_window(register: MeterRecords, window: Window) -> Window | None:
    """Return the time in which imported intervals begin that overlap a window; None if none can."""
    start_ms, end_ms = window
    if register.import_span is None or register.import_span[0] >= end_ms:
        return None
    look_back_ms, known = schema.LONGEST_INTERVAL_MS, register.known_imports
    if known is not None and known.start_ms <= start_ms <= known.end_ms:
        look_back_ms = known.longest_ms
    if register.import_span[1] + look_back_ms <= start_ms:
        return None
    return start_ms - look_back_ms, end_ms


def _imported_columns(series: SeriesColumns, quantity: str) -> ImportedConsumption | None:
    """Return the imported intervals of a series; None if it has no interval of the quantity."""
    lengths, amounts, qualities = [
        (series.times_ms[known], column[known])
        for column in (
            series.columns[name] for name in (schema.INTERVAL_S, quantity, schema.QUALITY)
        )
        for known in (np.isfinite(column),)
    ]
    if not len(lengths[0]) or not len(amounts[0]):
        return None
    return ImportedConsumption.from_columns(lengths, amounts, qualities)


def _judged(
    registers: Sequence[MeterRecords], imported: Sequence[ImportedConsumption | None]
) -> list[JudgedIntervals]:
    """Return the believed intervals of each register."""
    return [
        judge_intervals(_nothing_imported() if intervals is None else intervals, register.devices)
        for register, intervals in zip(registers, imported, strict=True)
    ]


def _nothing_imported() -> ImportedConsumption:
    times, no_flags = np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.bool_)
    return ImportedConsumption(times, times, np.zeros(0), no_flags)
