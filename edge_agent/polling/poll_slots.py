"""Poll times on the wall clock, kept unique across backward clock jumps. Pure.

Laws:

1. In an interval of UTC that was not there before, the slot is at its phase: the same place in all.
2. In one that was there before, it is at another place, and each time that it comes again at yet
   another; none of the first hundred is near one of the others. So no poll gets the stamp of an
   earlier one: two readings of a meter in one millisecond are one point in the store, and the
   first of them would be lost there without being counted.
3. The clock went back where it shows less than at the last look. Whoever looks before each question
   misses no jump but one while that is under way: its answer alone may get a stamp again. So may,
   after further jumps, what was planned when the clock jumped ahead to what it had never shown:
   that is asked when it was planned, at any place, because a slot passed over may be a whole day.
4. What the clock jumped over was not there. Of the spans that it showed, the hundred latest are
   remembered, as long as the agent runs.
"""

from collections import deque
from typing import Final, NamedTuple

from jieneng.metering.reading import MILLISECONDS

# The golden ratio's: of so many steps around a circle, no two end as far apart at their nearest.
_STEP: Final = 0.6180339887
_REMEMBERED: Final = 100
_FORWARD_MS: Final = 1000  # that UTC gains on the running time between two looks, where it jumped


class _Span(NamedTuple):
    """A span of UTC that the clock showed without a jump [ms]."""

    begin_ms: int
    end_ms: int


class PollSlots:
    """The poll slots of one agent's wall clock.

    Attributes:
        returns: jumps after which it can show again what it showed before.
    """

    def __init__(self, now_ms: int, now_s: float) -> None:
        """Look for the first time.

        Args:
            now_ms: UTC, as the system says.
            now_s: the monotonic clock.
        """
        self.returns = 0
        self._began_ms = now_ms
        self._seen_ms = now_ms
        self._seen_s = now_s
        self._shown: deque[_Span] = deque(maxlen=_REMEMBERED)  # before the last jump

    def look(self, now_ms: int, now_s: float) -> int:
        """Look again; how many returns there were up to now."""
        gained_ms = now_ms - self._seen_ms - MILLISECONDS * (now_s - self._seen_s)
        if now_ms < self._seen_ms or gained_ms > _FORWARD_MS:
            self._shown.append(_Span(self._began_ms, self._seen_ms))
            self._began_ms = now_ms
            self.returns += any(now_ms <= one.end_ms for one in self._shown)
        self._seen_ms, self._seen_s = now_ms, now_s
        return self.returns

    def slot(
        self,
        after_s: float,
        ahead_s: float,
        phase_s: float,
        interval_s: float,
        *,
        missed: bool = False,
    ) -> tuple[int, float]:
        """Return the first slot after a moment.

        The last interval that comes again has none, save for what missed its own: there was a poll
        in it, and the next one is at its phase.

        Args:
            after_s: on the monotonic clock.
            ahead_s: how much UTC is ahead of that.
            phase_s: where the slot is in each interval.
            interval_s: from one to the next.
            missed: whether the slot is instead of one that would have been now.

        Returns:
            The number of the interval, counted from UTC's zero, and when the slot is due, on the
            monotonic clock.
        """
        face_s = ahead_s - phase_s
        number = int((after_s + face_s) // interval_s)
        due_s = number * interval_s - face_s
        begins_s = number * interval_s + phase_s
        later_s = self._later_s(begins_s, interval_s)
        following_s = self._later_s(begins_s + interval_s, interval_s)
        if later_s and (following_s or missed) and due_s + later_s > after_s:
            return number, due_s + later_s
        number += 1
        return number, number * interval_s - face_s + following_s

    def _later_s(self, begins_s: float, interval_s: float) -> float:
        """Return the slot's delay after its phase in the interval that begins at a UTC time [s]."""
        begin_ms = MILLISECONDS * begins_s
        end_ms = begin_ms + MILLISECONDS * interval_s
        times = sum(one.begin_ms < end_ms and one.end_ms >= begin_ms for one in self._shown)
        return times * _STEP % 1.0 * interval_s
