"""Find the readings in the store that were multiplied by the transformer ratio of before.

Law: the result depends only on the readings, not on the window that is computed. For a change that
was entered in time, only the readings next to it are read.
"""

from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from analytics.counters.late_ratios import (
    LateRatio,
    RatioChange,
    is_late,
    late_until_ms,
    ratio_changes,
)
from analytics.pipeline.registers.meter_records import MeterRecords, Window
from jieneng.storage import Store

if TYPE_CHECKING:
    from numpy.typing import NDArray

_DAY_MS: Final = 86_400_000
#: Distances from a change in which the nearest readings are looked for, one after the other [ms].
_NEAR_MS: Final = (_DAY_MS // 24, 2 * _DAY_MS, 40 * _DAY_MS, 800 * _DAY_MS)
#: Length of the time whose readings are in memory together [ms].
_CHUNK_MS: Final = 31 * _DAY_MS


class LateRatioReader:
    """Finds the readings of registers that were multiplied by the ratio of before.

    Args:
        site: id of the site.
        store: the store, prepared.
    """

    def __init__(self, site: str, store: Store) -> None:
        self._site = site
        self._store = store

    async def late_ratios(self, register: MeterRecords) -> tuple[LateRatio, ...]:
        """Return the times in which a register was stored with the ratio of before, in order."""
        found: list[LateRatio] = []
        if register.reading_span is None:
            return ()
        for stated in ratio_changes(register.devices):
            change = stated
            if found and found[-1].until_ms == stated.from_ms:
                change = msgspec.structs.replace(stated, old=found[-1].applied)
            late = await self._late(register, change, register.reading_span)
            if late is not None:
                found.append(late)
        return tuple(found)

    async def _late(
        self, register: MeterRecords, change: RatioChange, span: tuple[int, int]
    ) -> LateRatio | None:
        """Return the time in which readings after a change are late; None if they aren't."""
        if not span[0] < change.from_ms <= span[1]:
            return None
        before = await self._nearest(register, change.from_ms, -1)
        after = await self._nearest(register, change.from_ms, 1)
        if before is None or after is None or after[0] >= change.until_ms:
            return None
        times, values = (np.array(pair) for pair in zip(before, after, strict=True))
        if not is_late(change, register.devices, times, values):
            return None
        until_ms = await self._until_ms(register, change, span[1])
        return LateRatio(change.from_ms, until_ms, change.old, change.new)

    async def _nearest(
        self, register: MeterRecords, time_ms: int, sign: int
    ) -> tuple[int, float] | None:
        """Return time and value of the last reading before a time, or the first one from it on."""
        for near_ms in _NEAR_MS:
            start_ms, end_ms = sorted((time_ms, time_ms + sign * near_ms))
            times, values = await self._readings(register, (start_ms, end_ms))
            if len(times):
                place = 0 if sign > 0 else -1
                return int(times[place]), float(values[place])
        return None

    async def _until_ms(self, register: MeterRecords, change: RatioChange, last_ms: int) -> int:
        """Return the time until which readings after a change are late [UTC, ms]."""
        times, values = np.zeros(0, dtype=np.int64), np.zeros(0)
        start_ms, end_ms = change.from_ms, min(change.until_ms, last_ms + 1)
        while start_ms < end_ms:
            chunk = start_ms, min(start_ms + _CHUNK_MS, end_ms)
            more_times, more_values = await self._readings(register, chunk)
            times = np.append(times[-1:], more_times)
            values = np.append(values[-1:], more_values)
            until_ms = late_until_ms(change, register.devices, times, values)
            if until_ms is not None:
                return until_ms
            start_ms = chunk[1]
        return end_ms

    async def _readings(
        self, register: MeterRecords, window: Window
    ) -> "tuple[NDArray[np.int64], NDArray[np.float64]]":
        """Return the known readings of a register in a window, by time."""
        found = await self._store.read(
            register.meter.medium,
            register.quantity,
            where={"site": self._site, "meter": register.meter.id},
            start_ms=window[0],
            end_ms=window[1],
        )
        if not found:
            return np.zeros(0, dtype=np.int64), np.zeros(0)
        is_known = np.nan_to_num(found[0].values) > 0
        return found[0].times_ms[is_known], found[0].values[is_known]
