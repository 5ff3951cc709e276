"""Decide if the system clock can be trusted. Pure: the time on both clocks is passed in.

Laws:

1. A clock that shows a time before 2018 is implausible. Machines without a battery start in 1970,
   2000 or 2010. Readings taken while the clock is implausible are stamped with the machine's
   running time. When the clock becomes plausible, their times are converted to UTC, by the
   difference of both clocks at that moment. The lower limit is constant, and not for example the
   latest time stamp so far: if that were years ahead, the clock would be implausible for years.
2. If the machine has a time service, the clock is not trusted before this service has set it. After
   a power cut, the clock may show the time of the cut or an earlier time. Readings taken until then
   are marked, and keep their time stamps, whose error is unknown.
3. The clock has jumped if the difference between UTC and running time has changed, between two
   updates, by more than a time service can slew. Jumps are reported. Time stamps given earlier are
   not changed.
"""

from typing import Final

#: Earliest plausible time: 2018-01-01 UTC. It is before the release of this software, because data
#: of earlier years are replayed to agents in tests.
EARLIEST_MS: Final = 1_514_764_800_000

#: Time stamp for running time 0: 2001-09-09 UTC. It has as many digits as a real time stamp, so a
#: payload keeps its size when it is converted. It stays implausible for 16 years of running time.
RUNNING_TIME_EPOCH_MS: Final = 1_000_000_000_000

# A time service slews the clock by at most 500 ppm (adjtimex(2)), which is 0.5 ms a second.
_JUMP_MS: Final = 1000


class ClockTrust:
    """The state of the system clock, as of the last update.

    Attributes:
        is_plausible: True if the clock shows a plausible time (law 1).
        is_set: True if the time service has set the clock, or if there is no time service.
        jumps: number of jumps so far.
        offset_ms: UTC minus the machine's running time, at the last update [ms].
    """

    def __init__(self, now_ms: int, up_ms: int, *, is_set: bool = True) -> None:
        """Start with the present time on both clocks.

        Args:
            now_ms: UTC as the system clock shows it.
            up_ms: running time of the machine, which never jumps.
            is_set: see `is_set` of the class.
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
        """Update with the present time on both clocks.

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
            # The clock has jumped since the last update, either before `time_ms` or after it. Of
            # the two possible running times, the later one that is not in the future is right.
            candidates_ms.append(time_ms - offset_ms)
        return RUNNING_TIME_EPOCH_MS + max(
            (one for one in candidates_ms if 0 <= one <= up_ms), default=up_ms
        )
