"""Quality codes of a sample: flat, stale, out of range, too fast. Pure: values in, codes out.

Law: a doubted value is marked and kept, never changed. What is not known is not judged.

A counter is flat while it has stood still although the momentary rate says, at both ends of each
step of time, that more than ten of its steps flowed since it moved. It is flat from then until it
moves, so the mark does not flutter with the rate. What a counter's step is, the register may not
tell (a float, or pulses of ten litres in a register of one): the least move that was seen counts,
and before one was seen, far more than a step has to be missing.

A sample is stale when it repeats the one before in every bit for ten minutes and ten polls, though
at least two of its quantities are such as never stand still: a gateway answers from its memory for
a meter that it no longer reaches. No device that we know of says so itself.

A counter is compared with the last value that was believed. A value that does not follow from it
is remembered as a doubt; the next one may follow from either. So a single wrong reply marks only
itself, and a register that was reset is believed again with its second value.

Whether a counter that fell was reset, replaced or has rolled over is for the analytics, which sees
both sides of it: a fall is not marked here.
"""

import math
from collections.abc import Sequence
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
_FLAT_STEPS: Final = 10  # that are missing: a rate is rounded, a counter's last step is not full
# Where no move was seen yet: as many steps, and at least a whole kWh, m3 or GJ.
_FLAT_STEPS_UNSEEN: Final = 100
_FLAT_UNSEEN: Final = 1.0
_LONGEST_MS: Final = _HOUR_MS  # between two samples: what flowed in a longer gap is not known
_REPEATED_MS: Final = 600_000
_REPEATED_POLLS: Final = 10
# The grid's voltage and frequency wander by more than a register's step within seconds.
_RESTLESS: Final = ("voltage", "frequency")
_RESTLESS_LEAST: Final = 2  # one alone may be coarse


class _Reference(msgspec.Struct):
    """A value to compare with.

    Attributes:
        moved_ms: when the register was first seen at this value.
        seen_ms: and last.
    """

    value: float
    moved_ms: int
    seen_ms: int


class CounterCheck:
    """The values that one meter's counter is compared with."""

    __slots__ = ("_believed", "_bounded", "_doubted", "_flat_check", "_most", "_most_per_ms")

    def __init__(self, rated_max: float | None, an_hour: float = 1.0) -> None:
        """Take the nameplate's maximum; None: nothing is judged.

        Args:
            rated_max: in the unit of the momentary rate.
            an_hour: what the counter grows by in an hour at a rate of 1.
        """
        self._bounded = rated_max is not None
        self._most = math.inf if rated_max is None else rated_max * _MARGIN
        self._most_per_ms = self._most * an_hour / _HOUR_MS
        self._believed: _Reference | None = None
        self._doubted: _Reference | None = None
        self._flat_check = _FlatCheck(an_hour / _HOUR_MS)

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
        if not math.isnan(counter):
            if self._bounded and self._is_too_fast(time_ms, counter, step):
                found |= Quality.TOO_FAST.value
            if self._flat_check.is_flat(time_ms, counter, rate, step):
                found |= Quality.FLAT.value
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
        if time_ms < past.seen_ms:  # the clock went back: nobody knows how long it took
            return True
        since_ms = max(past.moved_ms, past.seen_ms - _RENEWED_MS)
        most = self._most_per_ms * (time_ms - since_ms) + step
        return 0 <= counter - past.value <= most


class _FlatCheck:
    """The time for which a counter has stood still, and what should have flowed meanwhile."""

    __slots__ = (
        "_least_move",
        "_missing",
        "_moved_ms",
        "_per_ms",
        "_rate",
        "_seen_ms",
        "_value",
    )

    def __init__(self, growth_per_ms: float) -> None:
        """Take what the counter grows by in a millisecond at a rate of 1."""
        self._per_ms = growth_per_ms
        self._value = math.nan
        self._moved_ms = 0
        self._seen_ms = 0
        self._rate = math.nan
        self._missing = 0.0
        self._least_move = math.inf

    def is_flat(self, time_ms: int, counter: float, rate: float, step: float) -> bool:
        """Return True if the counter should have moved by now."""
        if counter == self._value:
            lasted_ms = time_ms - self._seen_ms
            # A counter of what comes in does not see what goes out; NaN is not above 0.
            if rate > 0 and self._rate > 0 and 0 <= lasted_ms <= _LONGEST_MS:
                self._missing += min(rate, self._rate) * self._per_ms * lasted_ms
        else:
            if 0 < (move := counter - self._value) < self._least_move:
                self._least_move = move
            self._value, self._moved_ms, self._missing = counter, time_ms, 0.0
        self._seen_ms, self._rate = time_ms, rate
        return time_ms - self._moved_ms > _RENEWED_MS and self._missing > self._tolerated(step)

    def _tolerated(self, step: float) -> float:
        if math.isinf(self._least_move):
            return max(_FLAT_STEPS_UNSEEN * step, _FLAT_UNSEEN)
        return _FLAT_STEPS * max(step, self._least_move)


class RepetitionCheck:
    """Remembers since when one meter's samples are the same."""

    __slots__ = ("_data", "_restless", "_since_ms", "_times")

    def __init__(self, quantities: Sequence[str]) -> None:
        """Take the names of a sample's values."""
        self._restless = tuple(
            place for place, name in enumerate(quantities) if name.startswith(_RESTLESS)
        )
        self._data: Sequence[bytes | None] = ()
        self._since_ms = 0
        self._times = 0

    def quality(self, time_ms: int, data: Sequence[bytes | None], values: tuple[float, ...]) -> int:
        """A `Quality` as its number.

        Args:
            time_ms: of the sample.
            data: what it was made of, by read; None where there is no answer.
            values: what that says.
        """
        if data != self._data:
            self._data, self._since_ms, self._times = data, time_ms, 0
            return 0
        self._times += 1
        long = self._times >= _REPEATED_POLLS and time_ms - self._since_ms >= _REPEATED_MS
        return Quality.STALE.value if long and self._is_restless(values) else 0

    def _is_restless(self, values: tuple[float, ...]) -> bool:
        """Return True if two restless quantities are present: 0 V stands still."""
        return sum(abs(values[place]) > 0 for place in self._restless) >= _RESTLESS_LEAST


def _moved(past: _Reference | None, time_ms: int, counter: float) -> _Reference:
    """The reference after a value that follows from it: the same one where nothing moved."""
    if past is None or past.value != counter:
        return _Reference(counter, time_ms, time_ms)
    past.seen_ms = time_ms
    return past
