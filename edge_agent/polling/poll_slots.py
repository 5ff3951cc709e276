"""Poll times on the wall clock, kept unique across backward clock jumps. Pure.

Laws:

1. Normally the slot of a meter is at its phase: at the same place in every interval of UTC.
2. If the clock was set back, an interval occurs again. Then the slot is at another place in it, and
   at a new place with each repetition; the first hundred places are well apart. So no poll gets the
   time stamp of an earlier one. Two readings of a meter with the same time stamp would be one point
   in the store: the second would overwrite the first, and the loss would not be counted.
3. The clock counts as set back if it shows less than at the last update. It is updated before each
   request. A time stamp can therefore occur twice only in two cases: if the clock jumps during a
   request; or if the clock jumps several times, for polls that were planned while it was ahead of
   all earlier times. Such polls are made at the planned time, because moving them may cost a whole
   day of readings.
4. Times that the clock skipped in a jump do not count as shown. The hundred latest spans of time
   that the clock has shown are remembered while the agent runs.
"""

from collections import deque
from typing import Final, NamedTuple

from jieneng.metering.reading import MILLISECONDS

# The golden ratio: with this step around a circle, the two nearest places are as far apart as
# possible, for any number of steps.
_GOLDEN_STEP: Final = 0.6180339887
_MAX_SPANS: Final = 100
_JUMP_AHEAD_MS: Final = 1000  # UTC jumped ahead if it gains more than this on the running time


class _Span(NamedTuple):
    """A span of UTC that the clock showed without a jump [ms]."""

    begin_ms: int
    end_ms: int


class PollSlots:
    """The poll slots of one agent's wall clock.

    Attributes:
        rewinds: number of times that the clock was set back.
    """

    def __init__(self, now_ms: int, now_s: float) -> None:
        """Start with the present time.

        Args:
            now_ms: UTC as the system clock shows it.
            now_s: time of the monotonic clock.
        """
        self.rewinds = 0
        self._began_ms = now_ms
        self._last_ms = now_ms
        self._last_s = now_s
        self._past_spans: deque[_Span] = deque(maxlen=_MAX_SPANS)  # before the last jump

    def update(self, now_ms: int, now_s: float) -> int:
        """Update with the present time of both clocks, and return the number of rewinds."""
        gained_ms = now_ms - self._last_ms - MILLISECONDS * (now_s - self._last_s)
        if now_ms < self._last_ms or gained_ms > _JUMP_AHEAD_MS:
            self._past_spans.append(_Span(self._began_ms, self._last_ms))
            self._began_ms = now_ms
            self.rewinds += any(now_ms <= span.end_ms for span in self._past_spans)
        self._last_ms, self._last_s = now_ms, now_s
        return self.rewinds

    def next_slot(
        self,
        after_s: float,
        clock_offset_s: float,
        phase_s: float,
        interval_s: float,
        *,
        missed: bool = False,
    ) -> tuple[int, float]:
        """Return the first slot after a time.

        If a backward jump repeats several intervals, the last of them has no second slot, because
        it already had a poll and the next interval is a normal one. But if its first slot was
        missed, it has a second one.

        Args:
            after_s: time on the monotonic clock.
            clock_offset_s: UTC minus the time of the monotonic clock.
            phase_s: delay of the slot after the start of each interval.
            interval_s: time from one slot to the next.
            missed: True if the slot replaces one that is missed now.

        Returns:
            The number of the interval, counted from the zero of UTC, and the time on the monotonic
            clock at which the slot is due.
        """
        offset_s = clock_offset_s - phase_s
        number = int((after_s + offset_s) // interval_s)
        due_s = number * interval_s - offset_s
        begins_s = number * interval_s + phase_s
        delay_s = self._repeat_delay_s(begins_s, interval_s)
        next_delay_s = self._repeat_delay_s(begins_s + interval_s, interval_s)
        if delay_s and (next_delay_s or missed) and due_s + delay_s > after_s:
            return number, due_s + delay_s
        number += 1
        return number, number * interval_s - offset_s + next_delay_s

    def _repeat_delay_s(self, begins_s: float, interval_s: float) -> float:
        """Return the delay of a slot after its phase [s]; 0 unless its interval occurs again.

        Args:
            begins_s: time of the phase in the interval, UTC.
            interval_s: length of the interval.
        """
        begin_ms = MILLISECONDS * begins_s
        end_ms = begin_ms + MILLISECONDS * interval_s
        times = sum(span.begin_ms < end_ms and span.end_ms >= begin_ms for span in self._past_spans)
        return times * _GOLDEN_STEP % 1.0 * interval_s
