"""Which meter is due when. Pure: the times are passed in.

Laws:

1. A meter is due at the same places of the clock's face whatever happens: at its phase after each
   whole interval of UTC. So series line up, and a restart changes nothing.
2. The phase is a stable hash of who polls, the agent, and lies in the first tenth of the interval:
   fleets don't fire together, every reading is near its interval's edge, and those of one building
   are of one moment. The meters of a bus are asked one right after the other, always in the same
   order: they can't be asked at once, and whoever asks them wakes up once for all of them.
3. A slot that was missed is skipped, never caught up with. One in which nothing was found may be
   tried once more, where the next one is far away.
4. Of those that are due, the one whose interval ends first goes first: one that is asked every
   second does not lose its slot to thirty that have a minute. One in doubt (it did not answer last
   time, or was never asked) goes after all others: a fleet of dead meters then delays each of its
   neighbours by one question at most. But it does get its turn once in a round of the others, also
   on a bus that can't keep up.
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
# What keeps the meters of one phase in order: more than a clock's sum is rounded by, and too little
# to wait for.
_ORDER: Final = 1e-5
AGAIN_S: Final = 30.0  # what found nothing is tried again after this ...
_FAR: Final = 2  # ... where the next slot is so many times as far away


class Slot(NamedTuple):
    """When something is asked next.

    Attributes:
        due_s: on the monotonic clock.
        meter: its id.
        ends_s: when the next slot of the meter begins.
        number: of the interval, counted from the clock's zero.
    """

    due_s: float
    meter: str
    ends_s: float
    number: int


class _Cycle(NamedTuple):
    interval_s: float
    phase_s: float


def phase_s(phase: str, interval_s: float) -> float:
    """How long after each whole interval something is due [s]."""
    return _share(phase) * min(_SPREAD * interval_s, _WIDEST_S)


def _share(name: str) -> float:
    digest = hashlib.blake2b(name.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


class _Queue:
    """Slots: those that are due, by when they end, and those to come, by when they begin."""

    def __init__(self, slots: Iterable[Slot] = ()) -> None:
        self._coming = list(slots)
        self._due: list[tuple[float, Slot]] = []
        heapq.heapify(self._coming)

    def put(self, slot: Slot) -> None:
        heapq.heappush(self._coming, slot)

    def first(self, now_s: float) -> Slot | None:
        """The one that goes first, now or when it is due."""
        coming, due = self._coming, self._due
        while coming and coming[0].due_s <= now_s:
            slot = heapq.heappop(coming)
            heapq.heappush(due, (slot.ends_s, slot))
        if due:
            return due[0][1]
        return coming[0] if coming else None

    def take(self) -> Slot:
        """Take out the one that `first` gave the last time."""
        return heapq.heappop(self._due)[1] if self._due else heapq.heappop(self._coming)


class Schedule:
    """The meters of a bus in the order in which they are due."""

    def __init__(
        self,
        intervals_s: Iterable[tuple[str, float]],
        *,
        phase: str,
        utc_s: float,
        now_s: float,
    ) -> None:
        """Begin; the first slots are the next ones from now on.

        Args:
            intervals_s: (meter, interval) pairs.
            phase: whose phase they have.
            utc_s: UTC, seconds since 1970, at this moment.
            now_s: the monotonic clock at this moment.
        """
        self._cycles = {
            meter: _Cycle(
                interval_s, phase_s(phase, interval_s) + _ORDER * interval_s * _share(meter)
            )
            for meter, interval_s in intervals_s
        }
        self._sure = _Queue()
        self._doubted = _Queue(self._following(meter, utc_s, now_s) for meter in self._cycles)
        self._first = self._doubted
        self._passed_over = 0  # how often in a row one in doubt had to wait

    def next(self, now_s: float) -> Slot:
        """Who is asked next, at this moment or when it is due."""
        sure, doubted = self._sure.first(now_s), self._doubted.first(now_s)
        if sure is not None and (doubted is None or self._goes_first(sure, doubted, now_s)):
            self._first = self._sure
            return sure
        if doubted is None:
            raise ValueError("a schedule without meters")
        self._first = self._doubted
        return doubted

    def _goes_first(self, sure: Slot, doubted: Slot, now_s: float) -> bool:
        has_waited = self._passed_over >= len(self._cycles)
        return not has_waited and sure.due_s <= max(now_s, doubted.due_s)

    def done(
        self,
        *,
        utc_s: float,
        now_s: float,
        not_before_s: float = -math.inf,
        doubted: bool = False,
        again: bool = False,
    ) -> Slot:
        """Move the one that `next` gave the last time to its next slot, and return it.

        Args:
            utc_s: UTC, seconds since 1970, at this moment.
            now_s: the monotonic clock at this moment.
            not_before_s: on the monotonic clock: slots before it are passed over.
            doubted: it did not answer.
            again: it may be tried once more within its interval.
        """
        other = self._doubted.first(now_s) if self._first is self._sure else None
        waits = other is not None and other.due_s <= now_s
        self._passed_over = self._passed_over + 1 if waits else 0
        slot = self._first.take()
        interval_s = self._cycles[slot.meter].interval_s
        earliest_s = max(not_before_s, slot.ends_s - interval_s / 2)
        wait_s = max(earliest_s - now_s, 0.0)
        following = self._following(slot.meter, utc_s + wait_s, now_s + wait_s)
        if again and following.due_s - now_s >= _FAR * AGAIN_S:
            following = slot._replace(due_s=now_s + AGAIN_S, ends_s=following.due_s)
        (self._doubted if doubted else self._sure).put(following)
        return following

    def _following(self, meter: str, utc_s: float, now_s: float) -> Slot:
        """The first slot after a moment."""
        interval_s, phase = self._cycles[meter]
        number = (utc_s - phase) // interval_s + 1
        due_s = now_s + (number * interval_s + phase - utc_s)
        return Slot(due_s, meter, due_s + interval_s, int(number))
