"""Whether the system's clock may be believed. Pure: both clocks' readings are passed in.

Laws:

1. A clock that shows a time before 2018 is not believed: a box without a battery starts in 1970,
   2000 or 2010. What is read until then is stamped with the running time of the machine, and gets
   its own time when the clock has become plausible: by the distance of both clocks then. The latest
   stamp would be no floor: one that was wrong by years would keep the clock disbelieved for years.
2. Nor is one believed that a time service is there to set and has not: after a power cut it shows
   the time of the cut, or of the last save before it. What is read until then keeps its stamp, as
   wrong as that may be by how much nobody knows, and is marked.
3. If UTC moves against the running time by more than the slewing of a time service between two
   looks, it has jumped. Readings keep the stamps that they were given; the jump is told.
"""

from typing import Final

#: 2018-01-01 UTC. Not the day on which this software was made: measured days of earlier years are
#: played to agents, too.
EARLIEST_MS: Final = 1_514_764_800_000

#: Where the running time begins as a stamp: 2001-09-09 UTC. It is as long as a right one, so that
#: what holds it does not grow when it gets that, and for 16 years it is taken for none.
UP_MS: Final = 1_000_000_000_000

# A time service slews by 500 ppm at most (adjtimex(2)): half a millisecond a second.
_JUMP_MS: Final = 1000


class ClockTrust:
    """Watches the system's clock from a first look on.

    Attributes:
        plausible: whether the clock shows a time that may be now.
        is_set: whether whoever is there to set it has done so.
        jumps: that were seen.
        offset_ms: UTC less the machine's running time, as of the last look.
    """

    def __init__(self, now_ms: int, up_ms: int, *, is_set: bool = True) -> None:
        """Look for the first time.

        Args:
            now_ms: UTC, as the system says.
            up_ms: the machine's running time, which never jumps.
            is_set: whether the clock is set, as far as one can know.
        """
        self.jumps = 0
        self.offset_ms = now_ms - up_ms
        self.plausible = now_ms >= EARLIEST_MS
        self.is_set = is_set

    @property
    def ok(self) -> bool:
        """Whether the clock may be believed."""
        return self.plausible and self.is_set

    def look(self, now_ms: int, up_ms: int, *, is_set: bool = True) -> int | None:
        """Look again; by how many ms it has jumped since the last look, None where it has not."""
        offset_ms = now_ms - up_ms
        by_ms, self.offset_ms = offset_ms - self.offset_ms, offset_ms
        self.plausible = now_ms >= EARLIEST_MS
        self.is_set = is_set
        if abs(by_ms) <= _JUMP_MS:
            return None
        self.jumps += 1
        return by_ms

    def undated(self, time_ms: int, now_ms: int, up_ms: int) -> int:
        """The running time, as a stamp, at a time that the clock showed a moment ago."""
        offset_ms = now_ms - up_ms
        then = [time_ms - self.offset_ms]
        if abs(offset_ms - self.offset_ms) > _JUMP_MS:
            # It has jumped since the last look, before that time or after it. The latest is right
            # that does not lie ahead.
            then.append(time_ms - offset_ms)
        return UP_MS + max((one for one in then if 0 <= one <= up_ms), default=up_ms)
