"""Compute quality codes of a sample: flat, stale, out of range, too fast. Pure.

Laws:

1. A doubted value is marked and kept, never changed. An unknown value is not judged.
2. A counter is flat if it stands still although the momentary rate says that it should have grown
   by more than ten of its steps. Between two samples the lower of their two rates is used. The
   counter stays flat until it moves, so the mark does not flicker with the rate. The step is at
   least the smallest move that was seen, because a register may be coarser than its type: a float,
   or pulses of ten litres in a register that counts litres. Before a move was seen the limit is
   much higher (`_FLAT_STEPS_UNSEEN`).
3. A sample is stale if every bit of it has been repeated for ten minutes and ten polls, although at
   least two of its quantities never stand still. Some gateways answer from memory for a meter that
   they no longer reach. No device that we know reports this.
4. A counter is compared with the last value that was believed. A value that does not follow from it
   is kept as the doubted value, and the next one may follow from either. So a single wrong reading
   marks only itself, and a register that was reset is believed again from its second value on.
5. A counter that falls is not marked here. The analytics, which knows the readings before and
   after, decides whether it was reset, replaced or rolled over.
"""

import math
from collections.abc import Sequence
from typing import Final

import msgspec

from jieneng.metering.reading import Quality

# Highest possible rate, in nameplate maxima. The highest regular voltage is 7 % above the nominal
# one (GB/T 12325-2008, section 4.2, 20 kV and below); the errors of meter and transformers are
# added.
_RATED_MAX_MARGIN: Final = 1.1
_HOUR_MS: Final = 3_600_000
# Some meters update a register less often than it is read (gas correctors and pulse counters: up to
# every two minutes). One move then contains all consumption since the previous move.
_REGISTER_UPDATE_MS: Final = 120_000
_FLAT_STEPS: Final = 10  # missing steps that are tolerated, because rate and counter are rounded
# The same before a move was seen: a number of steps, and at least a whole kWh, m3 or GJ.
_FLAT_STEPS_UNSEEN: Final = 100
_FLAT_UNSEEN: Final = 1.0
_MAX_GAP_MS: Final = _HOUR_MS  # longest gap between samples in which the flow can be estimated
_STALE_AFTER_MS: Final = 600_000
_STALE_AFTER_POLLS: Final = 10
# The grid's voltage and frequency move by more than a register's step within seconds.
_NEVER_CONSTANT: Final = ("voltage", "frequency")
_MIN_NEVER_CONSTANT: Final = 2  # a single one may have a coarse step


class _Reference(msgspec.Struct):
    """A counter value to compare later ones with.

    Attributes:
        moved_ms: time at which the register was first seen at this value.
        seen_ms: time at which it was last seen at this value.
    """

    value: float
    moved_ms: int
    seen_ms: int


class CounterCheck:
    """The check of one meter's counter and momentary rate.

    Law: without the nameplate's maximum, neither `OUT_OF_RANGE` nor `TOO_FAST` is given.
    """

    __slots__ = (
        "_believed",
        "_doubted",
        "_flat_check",
        "_has_rated_max",
        "_max_growth_per_ms",
        "_max_rate",
    )

    def __init__(self, rated_max: float | None, growth_per_hour: float = 1.0) -> None:
        """Start without values.

        Args:
            rated_max: nameplate maximum [unit of the momentary rate]; None if it is not known.
            growth_per_hour: growth of the counter in an hour at a rate of 1.
        """
        self._has_rated_max = rated_max is not None
        self._max_rate = math.inf if rated_max is None else rated_max * _RATED_MAX_MARGIN
        self._max_growth_per_ms = self._max_rate * growth_per_hour / _HOUR_MS
        self._believed: _Reference | None = None
        self._doubted: _Reference | None = None
        self._flat_check = _FlatCheck(growth_per_hour / _HOUR_MS)

    def quality(self, time_ms: int, counter: float, rate: float, step: float) -> int:
        """Return the flags of `Quality` for the next sample, as a number.

        Args:
            time_ms: time of the sample.
            counter: value of the consumption counter; NaN if it is not known.
            rate: momentary power or flow; NaN if it is not known.
            step: value of one step of the counter's register.
        """
        flags = 0
        if abs(rate) > self._max_rate:
            flags |= Quality.OUT_OF_RANGE.value
        if not math.isnan(counter):
            if self._has_rated_max and self._is_too_fast(time_ms, counter, step):
                flags |= Quality.TOO_FAST.value
            if self._flat_check.is_flat(time_ms, counter, rate, step):
                flags |= Quality.FLAT.value
        return flags

    def _is_too_fast(self, time_ms: int, counter: float, step: float) -> bool:
        believed, doubted = self._believed, self._doubted
        if believed is None or self._follows(believed, time_ms, counter, step):
            self._believed, self._doubted = _updated(believed, time_ms, counter), None
            return False
        if doubted is not None and self._follows(doubted, time_ms, counter, step):
            self._believed, self._doubted = _updated(doubted, time_ms, counter), None
            return False
        self._doubted = _Reference(counter, time_ms, time_ms)
        return counter > believed.value

    def _follows(self, past: _Reference, time_ms: int, counter: float, step: float) -> bool:
        if time_ms < past.seen_ms:  # the clock was set back, so the time between is unknown
            return True
        since_ms = max(past.moved_ms, past.seen_ms - _REGISTER_UPDATE_MS)
        max_growth = self._max_growth_per_ms * (time_ms - since_ms) + step
        return 0 <= counter - past.value <= max_growth


class _FlatCheck:
    """The check for a counter that stands still although something flows."""

    __slots__ = (
        "_growth_per_ms",
        "_missing",
        "_moved_ms",
        "_rate",
        "_seen_ms",
        "_smallest_move",
        "_value",
    )

    def __init__(self, growth_per_ms: float) -> None:
        """Take the growth of the counter in a millisecond at a rate of 1."""
        self._growth_per_ms = growth_per_ms
        self._value = math.nan
        self._moved_ms = 0
        self._seen_ms = 0
        self._rate = math.nan
        self._missing = 0.0
        self._smallest_move = math.inf

    def is_flat(self, time_ms: int, counter: float, rate: float, step: float) -> bool:
        """Return True if the counter should have moved by now."""
        if counter == self._value:
            passed_ms = time_ms - self._seen_ms
            # An import counter does not count exported energy; NaN is not above 0.
            if rate > 0 and self._rate > 0 and 0 <= passed_ms <= _MAX_GAP_MS:
                self._missing += min(rate, self._rate) * self._growth_per_ms * passed_ms
        else:
            if 0 < (move := counter - self._value) < self._smallest_move:
                self._smallest_move = move
            self._value, self._moved_ms, self._missing = counter, time_ms, 0.0
        self._seen_ms, self._rate = time_ms, rate
        return time_ms - self._moved_ms > _REGISTER_UPDATE_MS and self._missing > self._tolerance(
            step
        )

    def _tolerance(self, step: float) -> float:
        """Return the missing growth up to which the counter is not flat."""
        if math.isinf(self._smallest_move):
            return max(_FLAT_STEPS_UNSEEN * step, _FLAT_UNSEEN)
        return _FLAT_STEPS * max(step, self._smallest_move)


class RepetitionCheck:
    """The check for samples of one meter that repeat the one before."""

    __slots__ = ("_data", "_never_constant", "_repeats", "_since_ms")

    def __init__(self, quantities: Sequence[str]) -> None:
        """Take the names of a sample's values."""
        self._never_constant = tuple(
            index for index, name in enumerate(quantities) if name.startswith(_NEVER_CONSTANT)
        )
        self._data: Sequence[bytes | None] = ()
        self._since_ms = 0
        self._repeats = 0

    def quality(self, time_ms: int, data: Sequence[bytes | None], values: tuple[float, ...]) -> int:
        """Return `Quality.STALE` for the next sample if it applies, as a number.

        Args:
            time_ms: time of the sample.
            data: data of the reply to each read; None for a read without one.
            values: decoded values of the sample.
        """
        if data != self._data:
            self._data, self._since_ms, self._repeats = data, time_ms, 0
            return 0
        self._repeats += 1
        is_long = (
            self._repeats >= _STALE_AFTER_POLLS and time_ms - self._since_ms >= _STALE_AFTER_MS
        )
        return Quality.STALE.value if is_long and self._should_vary(values) else 0

    def _should_vary(self, values: tuple[float, ...]) -> bool:
        """Return True if enough values always vary in a live meter; 0 and NaN don't count."""
        varying = sum(abs(values[index]) > 0 for index in self._never_constant)
        return varying >= _MIN_NEVER_CONSTANT


def _updated(past: _Reference | None, time_ms: int, counter: float) -> _Reference:
    """Return the reference after the next value: the same one if the counter did not move."""
    if past is None or past.value != counter:
        return _Reference(counter, time_ms, time_ms)
    past.seen_ms = time_ms
    return past
