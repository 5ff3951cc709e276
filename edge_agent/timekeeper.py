"""Whether the system's clock may be believed. Pure: both clocks' readings are passed in.

Laws:

1. A clock that shows a time before 2018 is not believed: a box without a battery starts in 1970,
   2000 or 2010. What is read until then is stamped with the boot's monotonic time, and
   gets its own when the clock has become plausible: the distance of both clocks then. The latest
   stamp would be no floor: one that was wrong by years would keep the clock disbelieved for years.
2. If UTC moves against the monotonic clock by more than the slewing of a time service between two
   looks, it has jumped. Readings keep the stamps that they were given; the jump is told.
"""

from typing import Final

import msgspec

#: 2018-01-01 UTC. Not the day on which this software was made: measured days of earlier years are
#: played to agents, too.
EARLIEST_MS: Final = 1_514_764_800_000

# A time service slews by 500 ppm at most (adjtimex(2)): half a millisecond a second.
_JUMP_MS: Final = 1000


class Jump(msgspec.Struct, frozen=True):
    """The system's clock went somewhere else.

    Attributes:
        by_ms: positive: forward.
        to_ms: what it shows now, UTC.
    """

    by_ms: int
    to_ms: int


class Timekeeper:
    """Watches the system's clock from a first look on.

    Attributes:
        plausible: whether the clock may be believed.
        jumps: that were seen.
        offset_ms: UTC less the monotonic clock, as of the last look.
    """

    def __init__(self, now_ms: int, monotonic_s: float) -> None:
        """Look for the first time.

        Args:
            now_ms: UTC, as the system says.
            monotonic_s: the clock that never jumps.
        """
        self.jumps = 0
        self.offset_ms = now_ms - round(1000 * monotonic_s)
        self.plausible = now_ms >= EARLIEST_MS

    def look(self, now_ms: int, monotonic_s: float) -> Jump | None:
        """Look again; tells of a jump since the last look."""
        offset_ms = now_ms - round(1000 * monotonic_s)
        by_ms, self.offset_ms = offset_ms - self.offset_ms, offset_ms
        self.plausible = now_ms >= EARLIEST_MS
        if abs(by_ms) <= _JUMP_MS:
            return None
        self.jumps += 1
        return Jump(by_ms, now_ms)
