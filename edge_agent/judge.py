"""What is to be said against a sample at first sight. Pure: values in, quality out.

Law: a doubted value is marked and kept, never changed. What is not known is not judged.

A counter is compared with the last value that was believed. A value that does not follow from it
is remembered as a doubt; the next one may follow from either. So a single wrong reply marks only
itself, and a register that was reset is believed again with its second value.

Whether a counter that fell was reset, replaced or has rolled over is for the analytics, which sees
both sides of it: a fall is not marked here.
"""

import math
from typing import Final

import msgspec

from jieneng.metering.reading import Quality

# Power at rated current and the highest regular voltage: +7 %, GB/T 12325-2008, section 4.2 (20 kV
# and below), and the errors of meter and transformers above it.
_MARGIN: Final = 1.1
_HOUR_MS: Final = 3_600_000
# Some meters renew a register less often than it is read (gas correctors, pulse counters: up to two
# minutes), so that one step holds what came since the register last moved.
_RENEWED_MS: Final = 120_000


class _Reference(msgspec.Struct):
    """A value to compare with.

    Attributes:
        moved_ms: when the register was first seen at this value.
        seen_ms: and last.
    """

    value: float
    moved_ms: int
    seen_ms: int


class Judge:
    """Remembers what one meter's counter is judged by."""

    def __init__(self, rated_max: float | None, an_hour: float = 1.0) -> None:
        """Take the nameplate's maximum; None: nothing is judged.

        Args:
            rated_max: in the unit of the momentary rate.
            an_hour: what the counter grows by in an hour at a rate of 1.
        """
        self._most = math.inf if rated_max is None else rated_max * _MARGIN
        self._most_a_ms = self._most * an_hour / _HOUR_MS
        self._believed: _Reference | None = None
        self._doubted: _Reference | None = None

    def quality(self, time_ms: int, counter: float, rate: float, step: float) -> int:
        """A `Quality` as its number.

        Args:
            time_ms: of the sample.
            counter: the consumption counter; NaN where it is not known.
            rate: the momentary power or flow; NaN where it is not known.
            step: what one step of the counter's register is worth.
        """
        found = 0
        if abs(rate) > self._most:
            found |= Quality.OUT_OF_RANGE.value
        if not math.isnan(counter) and self._is_too_fast(time_ms, counter, step):
            found |= Quality.TOO_FAST.value
        return found

    def _is_too_fast(self, time_ms: int, counter: float, step: float) -> bool:
        believed, doubted = self._believed, self._doubted
        if believed is None or self._follows(believed, time_ms, counter, step):
            self._believed, self._doubted = _moved(believed, time_ms, counter), None
            return False
        if doubted is not None and self._follows(doubted, time_ms, counter, step):
            self._believed, self._doubted = _moved(doubted, time_ms, counter), None
            return False
        self._doubted = _Reference(counter, time_ms, time_ms)
        return counter > believed.value

    def _follows(self, past: _Reference, time_ms: int, counter: float, step: float) -> bool:
        since_ms = max(past.moved_ms, past.seen_ms - _RENEWED_MS)
        most = self._most_a_ms * max(time_ms - since_ms, 0) + step
        return 0 <= counter - past.value <= most


def _moved(past: _Reference | None, time_ms: int, counter: float) -> _Reference:
    """The reference after a value that follows from it: the same one where nothing moved."""
    if past is None or past.value != counter:
        return _Reference(counter, time_ms, time_ms)
    past.seen_ms = time_ms
    return past
