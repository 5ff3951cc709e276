"""Compute quality codes of a sample: flat, stale, out of range, too fast. Pure.

Laws:

1. A suspicious value is marked, but never changed or dropped. A missing value is not checked.
2. A counter is flat if it stands still although it should have grown by more than ten of its steps,
   by the momentary rate. Between two samples the lower of their two rates is used. Once flat, the
   counter stays flat until it moves. The step is at least the smallest growth seen so far, because
   a register may be coarser than its type: for example a float, or a counter of litres that grows
   by pulses of ten litres. Before the first growth the limit is much higher
   (`_FLAT_STEPS_UNSEEN`).
3. A sample is stale if all its bytes have been repeated for ten minutes and ten polls, although at
   least two of its quantities always vary. Some gateways repeat the last values of a meter that
   they no longer reach, and no known device reports this.
4. A counter is too fast if it grew more than the nameplate allows since the last accepted value.
   Such a value is remembered as well, and the next value may follow either of the two. So a single
   wrong reading marks only itself, and after a reset of the register only its first value is
   marked.
5. A falling counter is not marked here. The analytics knows the readings before and after, and
   decides if the register was reset, replaced or rolled over.
"""

import math
from collections.abc import Sequence
from typing import Final

import msgspec

from jieneng.metering.reading import Quality

# Highest possible rate, divided by the nameplate maximum. The voltage may be 7 % above nominal
# (GB/T 12325-2008, section 4.2, 20 kV and below); the rest is for errors of meter and transformers.
_RATED_MAX_MARGIN: Final = 1.1
_HOUR_MS: Final = 3_600_000
# Longest time between two updates of a register: some gas correctors and pulse counters update only
# every two minutes. A single growth may therefore contain the consumption of two minutes.
_REGISTER_UPDATE_MS: Final = 120_000
_FLAT_STEPS: Final = 10  # missing steps that are tolerated, because rate and counter are rounded
# Limits before the first growth was seen: a number of steps, and at least 1 kWh, m3 or GJ.
_FLAT_STEPS_UNSEEN: Final = 100
_FLAT_UNSEEN: Final = 1.0
_MAX_GAP_MS: Final = _HOUR_MS  # longest gap between samples in which the flow can be estimated
_STALE_AFTER_MS: Final = 600_000
_STALE_AFTER_POLLS: Final = 10
# Quantities that always vary: voltage and frequency change by more than a step within seconds.
_NEVER_CONSTANT: Final = ("voltage", "frequency")
_MIN_NEVER_CONSTANT: Final = 2  # one is not enough, because it may have a coarse step


class _Reference(msgspec.Struct):
    """A counter value with which later values are compared.

    Attributes:
        moved_ms: time of the first reading with this value.
        seen_ms: time of the last reading with this value.
    """

    value: float
    moved_ms: int
    seen_ms: int


class CounterCheck:
    """Checks one meter's counter and momentary rate.

    Law: if the nameplate's maximum is unknown, neither `OUT_OF_RANGE` nor `TOO_FAST` is given.
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
        """Create a check that has seen no values.

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
        """Return the quality code of the next sample: a sum of flags of `Quality`.

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
        if time_ms < past.seen_ms:  # the clock was set back, so the elapsed time is unknown
            return True
        since_ms = max(past.moved_ms, past.seen_ms - _REGISTER_UPDATE_MS)
        max_growth = self._max_growth_per_ms * (time_ms - since_ms) + step
        return 0 <= counter - past.value <= max_growth


class _FlatCheck:
    """Checks if a counter stands still although the momentary rate is above 0."""

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
        """Create a check that has seen no values.

        Args:
            growth_per_ms: growth of the counter in a millisecond at a rate of 1.
        """
        self._growth_per_ms = growth_per_ms
        self._value = math.nan
        self._moved_ms = 0
        self._seen_ms = 0
        self._rate = math.nan
        self._missing = 0.0
        self._smallest_move = math.inf

    def is_flat(self, time_ms: int, counter: float, rate: float, step: float) -> bool:
        """Return True if the counter is flat (law 2)."""
        if counter == self._value:
            passed_ms = time_ms - self._seen_ms
            # A negative rate is export, which an import counter does not count; `rate > 0` also
            # excludes NaN.
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
        """Return the expected growth up to which a counter that stands still is not flat."""
        if math.isinf(self._smallest_move):
            return max(_FLAT_STEPS_UNSEEN * step, _FLAT_UNSEEN)
        return _FLAT_STEPS * max(step, self._smallest_move)


class RepetitionCheck:
    """Checks if the samples of one meter repeat earlier samples (law 3)."""

    __slots__ = ("_data", "_never_constant", "_repeats", "_since_ms")

    def __init__(self, quantities: Sequence[str]) -> None:
        """Create a check for samples with values of these quantities."""
        self._never_constant = tuple(
            index for index, name in enumerate(quantities) if name.startswith(_NEVER_CONSTANT)
        )
        self._data: Sequence[bytes | None] = ()
        self._since_ms = 0
        self._repeats = 0

    def quality(self, time_ms: int, data: Sequence[bytes | None], values: tuple[float, ...]) -> int:
        """Return `Quality.STALE` as a number if the next sample is stale, otherwise 0.

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
        """Return True if enough values always vary in a working meter; 0 and NaN don't count."""
        varying = sum(abs(values[index]) > 0 for index in self._never_constant)
        return varying >= _MIN_NEVER_CONSTANT


def _updated(past: _Reference | None, time_ms: int, counter: float) -> _Reference:
    """Return the reference for the next value; with the same `moved_ms` if the value is equal."""
    if past is None or past.value != counter:
        return _Reference(counter, time_ms, time_ms)
    past.seen_ms = time_ms
    return past
