"""Derive the length of each interval of a series from the steps between its times. Pure.

A stretch is a sequence of steps of about the same length. The steps of a stretch are usual if it
has at least three steps, or if one of them is the most common step of the series. Any other step is
a gap, or is shorter than the interval.

Laws:

1. An interval whose step is usual lasts until the next time. So steps may change within a series,
   months differ in length, and a jitter of seconds leaves no gap and no overlap.
2. An interval before a gap has the length of the last usual step before the gap. If there is none,
   or if that does not fit, it has the length of the first usual step after the gap.
3. An interval that would last past the next time overlaps it, so consumption would be counted
   twice. An overlap is reported, and never cut.
4. If the times are the ends of intervals, the series is processed backwards by the same laws.
"""

from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from ingest.importing.judging.calendar_steps import DAY_MS, Step, step_between

#: Smallest number of steps of a stretch that is always usual.
_USUAL_STEPS: Final = 3
#: Longest interval that is derived from steps [ms]: a leap year and some days.
_LONGEST_MS: Final = 370 * DAY_MS


class IntervalLengths(msgspec.Struct, frozen=True):
    """Lengths of the intervals of a series.

    Attributes:
        lengths_ms: length of each interval [ms]; 0 if it can't be derived.
        overlaps: indexes of the intervals that overlap the next one. With end stamps: that overlap
            the previous one.
    """

    lengths_ms: "array[int]"
    overlaps: tuple[int, ...]


def interval_lengths(
    times_ms: Sequence[int], zone: ZoneInfo, *, at_end: bool = False, given: Step | None = None
) -> IntervalLengths:
    """Return the length of each interval of a series.

    Args:
        times_ms: times [UTC, ms], strictly ascending.
        zone: time zone of calendar steps.
        at_end: True if the times are the ends of the intervals.
        given: length that a person gave; None to derive it from the steps.
    """
    direction = -1 if at_end else 1
    finder = _LengthFinder(times_ms[::direction], zone, direction, given)
    lengths = array("q", finder.lengths())
    if not at_end:
        return IntervalLengths(lengths, tuple(finder.overlaps))
    last = len(lengths) - 1
    return IntervalLengths(lengths[::-1], tuple(last - place for place in finder.overlaps[::-1]))


class _LengthFinder:
    """Finds the lengths of the intervals of one series.

    Attributes:
        overlaps: places of intervals that overlap the next one; filled by `lengths`.

    Args:
        times_ms: times [UTC, ms], ascending with direction 1 and descending with -1.
        zone: time zone of calendar steps.
        direction: 1 if the times are starts of intervals, -1 if they are ends.
        given: length that a person gave; None to derive it from the steps.
    """

    def __init__(
        self, times_ms: Sequence[int], zone: ZoneInfo, direction: int, given: Step | None
    ) -> None:
        self._times = times_ms
        self._zone = zone
        self._direction = direction
        self._given = given
        self._steps = [
            step_between(min(one, other), max(one, other), zone)
            for one, other in pairwise(times_ms)
        ]
        self._usual = [
            place for place, is_usual in enumerate(_are_usual(self._steps, given)) if is_usual
        ]
        self.overlaps: list[int] = []

    def lengths(self) -> Iterator[int]:
        """Yield the length of each interval [ms]; 0 if it can't be derived."""
        usual = set(self._usual)
        for place in range(len(self._times)):
            if place in usual:
                free = abs(self._times[place + 1] - self._times[place])
                yield free if free <= _LONGEST_MS else 0
            else:
                yield self._length_at_gap(place)

    def _length_at_gap(self, place: int) -> int:
        """Return the length of an interval before an unusual step, or of the last interval."""
        wanted = list(self._usual_lengths(place))
        if place == len(self._times) - 1 or not wanted:
            return wanted[0] if wanted else 0
        free = abs(self._times[place + 1] - self._times[place])
        fitting = [length for length in wanted if length <= free]
        if not fitting:
            self.overlaps.append(place)
        return (fitting or wanted)[0]

    def _usual_lengths(self, place: int) -> Iterator[int]:
        """Yield the lengths [ms] that an interval at a place has by the nearest usual steps."""
        time_ms = self._times[place]
        for step in self._usual_steps(place):
            length = abs(step.shift(time_ms, self._zone, self._direction) - time_ms)
            if length <= _LONGEST_MS:
                yield length

    def _usual_steps(self, place: int) -> Iterator[Step]:
        if self._given is not None:
            yield self._given
            return
        after = bisect_left(self._usual, place)
        if after:
            yield self._steps[self._usual[after - 1]]
        if after < len(self._usual):
            yield self._steps[self._usual[after]]


def _are_usual(steps: Sequence[Step], given: Step | None) -> list[bool]:
    """Return for each step if it is usual."""
    if given is not None:
        return [step.is_like(given) for step in steps]
    if not steps:
        return []
    counts = Counter(steps)
    common = max(counts, key=lambda step: (counts[step], -step.nominal_ms))
    found = [False] * len(steps)
    start = 0
    for end in range(1, len(steps) + 1):
        if end == len(steps) or not steps[end].is_like(steps[end - 1]):
            is_usual = end - start >= _USUAL_STEPS or any(
                step.is_like(common) for step in steps[start:end]
            )
            found[start:end] = [is_usual] * (end - start)
            start = end
    return found
