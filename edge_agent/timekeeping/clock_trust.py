"""Decide whether the system clock can be trusted. Pure: readings of both clocks are passed in.

Laws:

1. A clock that shows a time before 2018 is implausible: a machine without a battery starts in 1970,
   2000 or 2010. Readings taken until then are stamped with the machine's running time. They get
   their UTC time once the clock is plausible, from the difference of both clocks at that moment.
   The latest stamp is not used as a lower limit for plausible times: a single stamp that is years
   ahead would make the clock implausible for years.
2. A clock is not trusted before the time service, if there is one, has set it: after a power cut it
   shows the time of the cut, or of the last save before it. Readings taken until then keep their
   stamp, whose error is unknown, and are marked.
3. The clock has jumped if, between two updates, UTC moved against the running time by more than a
   time service slews. Readings keep the stamps that they were given; the jump is reported.
"""

from typing import Final

#: Earliest plausible time: 2018-01-01 UTC. The release date of this software would be too late,
#: because measured days of earlier years are replayed to agents, too.
EARLIEST_MS: Final = 1_514_764_800_000

#: Stamp of running time 0: 2001-09-09 UTC. It has as many digits as a real stamp, so a payload does
#: not grow when the real stamp replaces it, and for 16 years of running time it stays implausible.
RUNNING_TIME_EPOCH_MS: Final = 1_000_000_000_000

# A time service slews by 500 ppm at most (adjtimex(2)): half a millisecond a second.
_JUMP_MS: Final = 1000


class ClockTrust:
    """The trust in the system clock, kept up to date by regular updates.

    Attributes:
        is_plausible: True if the clock shows a time that can be the present.
        is_set: True if the time service has set the clock, or none is there to do so.
        jumps: number of jumps seen.
        offset_ms: UTC minus the machine's running time, at the last update [ms].
    """

    def __init__(self, now_ms: int, up_ms: int, *, is_set: bool = True) -> None:
        """Take the first reading of both clocks.

        Args:
            now_ms: UTC as the system clock shows it.
            up_ms: running time of the machine, which never jumps.
            is_set: True if the clock is set, as far as that can be known.
        """
        self.jumps = 0
        self.offset_ms = now_ms - up_ms
        self.is_plausible = now_ms >= EARLIEST_MS
        self.is_set = is_set

    @property
    def is_trusted(self) -> bool:
        """True if the clock is plausible and set."""
        return self.is_plausible and self.is_set

    def update(self, now_ms: int, up_ms: int, *, is_set: bool = True) -> int | None:
        """Take another reading of both clocks.

        Returns:
            The size of the jump since the last update [ms]; None if there was no jump.
        """
        offset_ms = now_ms - up_ms
        jump_ms, self.offset_ms = offset_ms - self.offset_ms, offset_ms
        self.is_plausible = now_ms >= EARLIEST_MS
        self.is_set = is_set
        if abs(jump_ms) <= _JUMP_MS:
            return None
        self.jumps += 1
        return jump_ms

    def running_time_stamp(self, time_ms: int, now_ms: int, up_ms: int) -> int:
        """Convert a recent time of an implausible clock to a stamp in the machine's running time.

        Args:
            time_ms: time that the clock showed a moment ago.
            now_ms: UTC as the clock shows it now.
            up_ms: running time of the machine now.
        """
        offset_ms = now_ms - up_ms
        candidates_ms = [time_ms - self.offset_ms]
        if abs(offset_ms - self.offset_ms) > _JUMP_MS:
            # The clock jumped since the last update, before that time or after it. The latest
            # candidate that does not lie in the future is right.
            candidates_ms.append(time_ms - offset_ms)
        return RUNNING_TIME_EPOCH_MS + max(
            (one for one in candidates_ms if 0 <= one <= up_ms), default=up_ms
        )
