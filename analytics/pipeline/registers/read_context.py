"""Choose the context of a window: the readings before and after it that are read with it.

Laws:

1. The context grows until readings farther away can't change which readings are believed in the
   window (`stable_ms`). It also stops growing at the first and the last reading of the register,
   and at a large number of readings, because some registers are never stable.
2. A gap in the window may be distributed by the meter's past (`history_ms`). Then the context
   begins before this past, so that the readings of the past are judged like those of the window.
   Only meters with such gaps need this second query.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final, TypeAlias

import msgspec
import numpy as np

from analytics.counters.batch.many_meters import MeterOutcome
from analytics.pipeline.registers.meter_records import MeterRecords, Window

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Factor by which the context of a window grows until the window is stable.
CONTEXT_GROWTH: Final = 4
#: Number of readings at which the context stops growing. Some registers are never stable: those
#: with zeros only, or with values that contradict each other.
_CONTEXT_READINGS: Final = 250_000
#: Number of readings at which a context of zeros stops growing. An unused meter may have years of
#: zeros.
_CONTEXT_ZEROS: Final = 20_000
#: Estimated number of readings that are read together (16 bytes each).
READINGS_AT_ONCE: Final = 2_000_000
#: Estimated interval between the readings of a meter that no agent reads [s].
_IMPORTED_EVERY_S: Final = 60.0

#: Times [UTC, ms] and values of a register.
TimesAndValues: TypeAlias = "tuple[NDArray[np.int64], NDArray[np.float64]]"


class ReadContext(msgspec.Struct, frozen=True):
    """Time before and after a window that is read with it [ms].

    Attributes:
        before_ms: time before the window and its past.
        after_ms: time after the window.
        past_ms: length of the past by which gaps in the window are distributed; 0 for none.
    """

    before_ms: int
    after_ms: int
    past_ms: int = 0

    def around(self, window: Window) -> Window:
        """Return the window with its context."""
        return window[0] - self.past_ms - self.before_ms, window[1] + self.after_ms

    def wider(
        self,
        register: MeterRecords,
        readings: TimesAndValues,
        window: Window,
        outcome: MeterOutcome,
    ) -> "ReadContext | None":
        """Return a wider context, if readings outside this one can change the window."""
        if register.reading_span is None:
            return None
        (start_ms, end_ms), (times, values) = window, readings
        first_ms, last_ms = register.reading_span
        read_from_ms, read_to_ms = self.around(window)
        low, high = outcome.stable_ms or (end_ms, start_ms)
        past_from_ms = min(start_ms if outcome.history_ms is None else outcome.history_ms, start_ms)
        early = low > past_from_ms and read_from_ms > first_ms
        late = high < end_ms and read_to_ms <= last_ms
        if early and start_ms - past_from_ms > self.past_ms:
            return msgspec.structs.replace(self, past_ms=start_ms - past_from_ms)
        within = times.searchsorted(end_ms) - times.searchsorted(start_ms - self.past_ms)
        if not (early or late) or len(times) - within > max_readings(values):
            return None
        return ReadContext(
            self.before_ms * (CONTEXT_GROWTH if early else 1),
            self.after_ms * (CONTEXT_GROWTH if late else 1),
            self.past_ms,
        )


def chunks(registers: Sequence[MeterRecords], window: Window) -> Iterator[Sequence[MeterRecords]]:
    """Yield registers in groups of about `READINGS_AT_ONCE` readings in a window."""
    chunk: list[MeterRecords] = []
    expected = 0.0
    for register in registers:
        readings = _expected(
            register, ReadContext(register.context_ms, register.context_ms), window
        )
        if chunk and expected + readings > READINGS_AT_ONCE:
            yield chunk
            chunk, expected = [], 0.0
        chunk.append(register)
        expected += readings
    if chunk:
        yield chunk


def together(
    waiting: Mapping[int, ReadContext], registers: Sequence[MeterRecords], window: Window
) -> dict[int, ReadContext]:
    """Return the first waiting registers that together have about `READINGS_AT_ONCE` readings.

    Args:
        waiting: contexts by index of the register; at least one.
        registers: the registers.
        window: the window.
    """
    found: dict[int, ReadContext] = {}
    expected = 0.0
    for index, context in waiting.items():
        expected += _expected(registers[index], context, window)
        if found and expected > READINGS_AT_ONCE:
            break
        found[index] = context
    return found


def _expected(register: MeterRecords, context: ReadContext, window: Window) -> float:
    """Return the expected number of readings of a register in a window and its context."""
    meter = register.meter
    every_s = _IMPORTED_EVERY_S if meter.bus is None else meter.interval_s
    start_ms, end_ms = context.around(window)
    return (end_ms - start_ms) / 1000 / every_s


def max_readings(values: "NDArray[np.float64]") -> int:
    """Return the number of readings at which a context with these values stops growing."""
    return _CONTEXT_READINGS if np.nan_to_num(values).any() else _CONTEXT_ZEROS
