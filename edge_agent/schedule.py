"""Which meter is due when. Pure: the times are passed in.

Laws:

1. A meter is due at the same places of the clock's face whatever happens: at its phase after each
   whole interval of UTC. So series line up, and a restart changes nothing.
2. The phase is a stable hash of the meter's id and lies in the first tenth of the interval, so that
   fleets don't fire together and every reading is near its interval's edge.
3. A slot that was missed is skipped, never caught up with.
4. Of those that are due, one in doubt (it did not answer last time, or was never asked) goes after
   all others: a fleet of dead meters then delays each of its neighbours by one question at most.
   But it does get its turn once in a round of the others, also on a bus that can't keep up.
5. Due times are of the monotonic clock. If UTC jumps, the next slots are found on its new face,
   half an interval to one and a half after the last: none is doubled and none is waited for long.
"""

import hashlib
import heapq
import math
from collections.abc import Iterable
from typing import Final, NamedTuple

_SPREAD: Final = 0.1  # share of the interval that phases are spread over
_WIDEST_S: Final = 30.0  # enough for any fleet, and an hourly series still begins at the hour


class Slot(NamedTuple):
    """When something is asked next.

    Attributes:
        due_s: on the monotonic clock.
        meter: its id.
    """

    due_s: float
    meter: str


def phase_s(meter: str, interval_s: float) -> float:
    """How long after each whole interval a meter is due [s]."""
    digest = hashlib.blake2b(meter.encode(), digest_size=8).digest()
    share = int.from_bytes(digest, "big") / 2**64
    return share * min(_SPREAD * interval_s, _WIDEST_S)


class Schedule:
    """The meters of a bus in the order in which they are due."""

    def __init__(
        self, intervals_s: Iterable[tuple[str, float]], *, utc_s: float, now_s: float
    ) -> None:
        """Take in (meter, interval) pairs; the first slots are the next ones from now on."""
        self._cycles = {
            meter: (interval_s, phase_s(meter, interval_s)) for meter, interval_s in intervals_s
        }
        self._sure: list[Slot] = []
        self._doubted = [
            Slot(self._following(meter, utc_s, now_s), meter) for meter in self._cycles
        ]
        heapq.heapify(self._doubted)
        self._first = self._doubted
        self._passed_over = 0  # how often in a row one in doubt had to wait

    def next(self, now_s: float) -> Slot:
        """Who is asked next, at this moment or when it is due. Stays so until it is `done`."""
        sure, doubted = self._sure, self._doubted
        if not doubted:
            self._first = sure
        elif not sure or self._passed_over >= len(self._cycles):
            self._first = doubted
        else:
            self._first = sure if sure[0].due_s <= max(now_s, doubted[0].due_s) else doubted
        return self._first[0]

    def done(
        self,
        *,
        utc_s: float,
        now_s: float,
        not_before_s: float = -math.inf,
        doubted: bool = False,
    ) -> Slot:
        """Move the one that `next` gave to its next slot, and return it.

        Args:
            utc_s: UTC, seconds since 1970, at this moment.
            now_s: the monotonic clock at this moment.
            not_before_s: on the monotonic clock: slots before it are passed over.
            doubted: it did not answer.
        """
        waits = self._first is self._sure and self._doubted and self._doubted[0].due_s <= now_s
        self._passed_over = self._passed_over + 1 if waits else 0
        due_s, meter = heapq.heappop(self._first)
        earliest_s = max(not_before_s, due_s + self._cycles[meter][0] / 2)
        wait_s = max(earliest_s - now_s, 0.0)
        slot = Slot(self._following(meter, utc_s + wait_s, now_s + wait_s), meter)
        heapq.heappush(self._doubted if doubted else self._sure, slot)
        return slot

    def _following(self, meter: str, utc_s: float, now_s: float) -> float:
        """The first slot after a moment, on the monotonic clock."""
        interval_s, phase = self._cycles[meter]
        passed = math.floor((utc_s - phase) / interval_s)
        return now_s + ((passed + 1) * interval_s + phase - utc_s)
