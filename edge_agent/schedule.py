"""Which meter is due when. Pure: the times are passed in.

Laws:

1. A meter is due at the same places of the clock's face whatever happens: at its phase after each
   whole interval of UTC. So series line up, and a restart changes nothing.
2. The phase is a stable hash of who polls, the agent, and lies in the first tenth of the interval:
   fleets don't fire together, every reading is near its interval's edge, and those of one building
   are of one moment. The meters of a bus are asked one right after the other, always in the same
   order: they can't be asked at once, and whoever asks them wakes up once for all of them. Where
   an agent has very many buses they begin in waves (`buses`), a fifth of a second apart.
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
import math
from bisect import insort
from collections.abc import Iterable
from operator import attrgetter
from typing import Final

import msgspec

_SPREAD: Final = 0.1  # share of the interval that phases are spread over
_WIDEST_S: Final = 30.0  # enough for any fleet, and an hourly series still begins at the hour
_WAVE_S: Final = 0.2  # in which a wave of polls is over: 1,000 take half of that on a slow core
_LATEST_WAVE: Final = 0.8  # share of the interval after which no wave begins
# What keeps the meters of one phase in order: more than a clock's sum is rounded by, and too little
# to wait for.
_ORDER: Final = 1e-5
AGAIN_S: Final = 30.0  # what found nothing is tried again after this ...
_FAR: Final = 2  # ... where the next slot is so many times as far away


class Slot(msgspec.Struct, frozen=True, gc=False):
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


def phase_s(phase: str, interval_s: float, wave: int = 0) -> float:
    """How long after each whole interval something is due [s]."""
    later_s = min(wave * _WAVE_S, _LATEST_WAVE * interval_s)
    return _share(phase) * min(_SPREAD * interval_s, _WIDEST_S) + later_s


def _share(name: str) -> float:
    digest = hashlib.blake2b(name.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


class _Cycle(msgspec.Struct, frozen=True, gc=False):
    interval_s: float
    phase_s: float


class _Queue:
    """Slots: of those that are due the one that ends first, else the one that begins first.

    Those of one interval end in the order in which they begin, save the few that are tried again:
    only the first of each is looked at.
    """

    def __init__(self, intervals_s: Iterable[float]) -> None:
        self._by_interval: dict[float, list[Slot]] = {one: [] for one in intervals_s}
        self._lines = tuple(self._by_interval.values())
        self._line: list[Slot] = []  # whose first one goes first

    def put(self, slot: Slot, interval_s: float) -> None:
        line = self._by_interval[interval_s]
        if line and slot.due_s < line[-1].due_s:
            insort(line, slot, key=_due_s)
        else:
            line.append(slot)

    def first(self, now_s: float) -> Slot | None:
        """The one that goes first, now or when it is due."""
        first: Slot | None = None
        for line in self._lines:
            if line and (first is None or _goes_before(line[0], first, now_s)):
                first, self._line = line[0], line
        return first

    def take(self) -> Slot:
        """Take out the one that `first` gave the last time."""
        return self._line.pop(0)


_due_s: Final = attrgetter("due_s")


def _goes_before(one: Slot, other: Slot, now_s: float) -> bool:
    if one.due_s <= now_s and other.due_s <= now_s:
        return one.ends_s < other.ends_s
    return one.due_s < other.due_s


class Schedule:
    """The meters of a bus in the order in which they are due."""

    def __init__(
        self,
        intervals_s: Iterable[tuple[str, float]],
        *,
        phase: str,
        wave: int = 0,
        utc_s: float,
        now_s: float,
    ) -> None:
        """Begin; the first slots are the next ones from now on.

        Args:
            intervals_s: (meter, interval) pairs.
            phase: whose phase they have.
            wave: which of its waves they are in.
            utc_s: UTC, seconds since 1970, at this moment.
            now_s: the monotonic clock at this moment.
        """
        self._cycles = {
            meter: _Cycle(
                interval_s,
                phase_s(phase, interval_s, wave) + _ORDER * interval_s * _share(meter),
            )
            for meter, interval_s in intervals_s
        }
        intervals = {cycle.interval_s for cycle in self._cycles.values()}
        self._sure = _Queue(intervals)
        self._doubted = _Queue(intervals)
        for meter, cycle in self._cycles.items():
            self._doubted.put(_slot(meter, cycle, utc_s - now_s, now_s), cycle.interval_s)
        self._first = self._doubted
        self._passes_over = False  # whether one in doubt is due, and not asked now ...
        self._passed_over = 0  # ... and how often in a row that was so

    def next(self, now_s: float) -> Slot:
        """Who is asked next, at this moment or when it is due."""
        sure, doubted = self._sure.first(now_s), self._doubted.first(now_s)
        if sure is not None and (doubted is None or self._goes_first(sure, doubted, now_s)):
            self._first = self._sure
            self._passes_over = doubted is not None and doubted.due_s <= now_s
            return sure
        if doubted is None:
            raise ValueError("a schedule without meters")
        self._first = self._doubted
        self._passes_over = False
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
        self._passed_over = self._passed_over + 1 if self._passes_over else 0
        slot = self._first.take()
        cycle = self._cycles[slot.meter]
        after_s = slot.ends_s - cycle.interval_s / 2
        if now_s > after_s or not_before_s > after_s:
            after_s = max(now_s, not_before_s)
        following = _slot(slot.meter, cycle, utc_s - now_s, after_s, slot.number + 1)
        if again and following.due_s - now_s >= _FAR * AGAIN_S:
            following = Slot(now_s + AGAIN_S, slot.meter, following.due_s, slot.number)
        (self._doubted if doubted else self._sure).put(following, cycle.interval_s)
        return following


def _slot(meter: str, cycle: _Cycle, ahead_s: float, after_s: float, likely: int = 0) -> Slot:
    """The first slot after a moment of the monotonic clock, which UTC is so much ahead of."""
    interval_s, face_s = cycle.interval_s, ahead_s - cycle.phase_s
    number = likely
    due_s = number * interval_s - face_s
    if not after_s < due_s <= after_s + interval_s:
        number = int((after_s + face_s) // interval_s) + 1
        due_s = number * interval_s - face_s
    return Slot(due_s, meter, due_s + interval_s, number)
