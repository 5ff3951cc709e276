"""Poll times on the wall clock, kept unique across backward clock jumps. Pure.

Laws:

1. In an interval of UTC that the clock has not shown before, the slot is at its phase: at the same
   place in every interval.
2. In an interval that the clock has shown before, the slot is at another place, and each time that
   the interval comes again it is at a new one. The first hundred places are well apart. So no poll
   gets the time stamp of an earlier one. Two readings of a meter with one time stamp would be one
   point in the store: the first would be overwritten, and its loss would be counted nowhere.
3. The clock was set back if it shows less than at the last update. It is updated before each
   request, so only a jump during a request goes unnoticed, and only the reply to that request may
   get a time stamp again. The same holds, after further jumps, for polls that were planned while
   the clock was ahead of all times that it had shown: they are made at the planned time, because a
   slot that is passed over may cost a whole day.
4. Times that the clock jumped over were not shown. Of the spans that it did show, the hundred
   latest are remembered, as long as the agent runs.
"""

from collections import deque
from typing import Final, NamedTuple

from jieneng.metering.reading import MILLISECONDS

# The golden ratio: whatever the number of steps around a circle, no other step keeps the nearest
# two places as far apart.
_GOLDEN_STEP: Final = 0.6180339887
_MAX_SPANS: Final = 100
_JUMP_AHEAD_MS: Final = 1000  # gain of UTC on the running time between updates that is a jump


class _Span(NamedTuple):
    """A span of UTC that the clock showed without a jump [ms]."""

    begin_ms: int
    end_ms: int


class PollSlots:
    """The poll slots of one agent's wall clock.

    Attributes:
        rewinds: number of jumps to a time that the clock had shown before, or before that.
    """

    def __init__(self, now_ms: int, now_s: float) -> None:
        """Take the first reading of both clocks.

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
        """Take another reading of both clocks, and return the number of rewinds."""
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

        The last interval that the clock shows again has no slot, unless its own was missed: it
        already had a poll, and the next interval has its slot at the phase.

        Args:
            after_s: time on the monotonic clock.
            clock_offset_s: UTC minus the time of the monotonic clock.
            phase_s: delay of the slot after the start of each interval.
            interval_s: time from one slot to the next.
            missed: True if the slot replaces one that would have been now.

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
        """Return the delay of a slot after its phase, from how often its interval was shown [s].

        Args:
            begins_s: UTC of the phase in the interval.
            interval_s: length of the interval.
        """
        begin_ms = MILLISECONDS * begins_s
        end_ms = begin_ms + MILLISECONDS * interval_s
        times = sum(span.begin_ms < end_ms and span.end_ms >= begin_ms for span in self._past_spans)
        return times * _GOLDEN_STEP % 1.0 * interval_s
