"""Decide which meter of a bus is polled when. Pure: the clock readings are passed in.

Laws:

1. A meter is due at the same places of the clock's face whatever happens: at its phase after each
   whole interval of UTC. So series line up, and a restart changes nothing. In intervals that come
   again because the clock went back it is due at other places (`face`): no stamp is given twice.
2. The phase is a stable hash of who polls, the agent of its site, and lies in the first tenth of
   the interval: fleets don't fire together, every reading is near its interval's edge, and those of
   one building are of one moment. The meters of a bus are asked one right after the other, always
   in the same order: they can't be asked at once, and whoever asks them wakes up once for all of
   them. Where an agent has very many buses they begin in waves (`buses`), a fifth of a second
   apart.
3. A slot that was missed is skipped, never caught up with. One in which nothing was found may be
   tried once more, where the next one is far away.
4. Of those that are due, the one whose interval ends first goes first: one that is asked every
   second does not lose its slot to thirty that have a minute. One in doubt (it did not answer last
   time, or was never asked) goes after all others: a fleet of dead meters then delays each of its
   neighbours by one question at most. But it does get its turn once in a round of the others, also
   on a bus that can't keep up.
5. Due times are of the monotonic clock. If UTC jumps, the next slots are found on its new face,
   half an interval to one and a half after the last: none is doubled and none is waited for long.
   If it went to where it had been, what is planned is put off, by two intervals at most.
"""

import hashlib
import math
from bisect import insort
from collections.abc import Callable, Iterable, Mapping
from operator import attrgetter
from typing import Final, TypeAlias

import msgspec

from edge_agent.polling.poll_slots import PollSlots
from jieneng.metering.reading import MILLISECONDS

_SPREAD: Final = 0.1  # share of the interval that phases are spread over
_WIDEST_S: Final = 30.0  # enough for any fleet, and an hourly series still begins at the hour
_WAVE_S: Final = 0.2  # in which a wave of polls is over: 1,000 take half of that on a slow core
_LATEST_WAVE: Final = 0.8  # share of the interval after which no wave begins
AGAIN_S: Final = 30.0  # what found nothing is tried again after this ...
_FAR: Final = 2  # ... where the next slot is so many times as far away


class Slot(msgspec.Struct, frozen=True, gc=False):
    """The time slot of a poll.

    Attributes:
        due_s: on the monotonic clock.
        ends_s: when the next one begins.
        number: of the interval, counted from the clock's zero.
        interval_s: from one to the next.
    """

    due_s: float
    ends_s: float
    number: int
    interval_s: float


def phase_s(phase: str, interval_s: float, wave: int = 0) -> float:
    """Return the delay of a poll after each whole interval [s]."""
    later_s = min(wave * _WAVE_S, _LATEST_WAVE * interval_s)
    return _share(phase) * min(_SPREAD * interval_s, _WIDEST_S) + later_s


def _share(name: str) -> float:
    digest = hashlib.blake2b(name.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


#: A meter, behind what it is put in order by.
_Turn: TypeAlias = tuple[float, str]


class _Round(msgspec.Struct, frozen=True):
    """The meters that are polled in one slot, in order."""

    slot: Slot
    turns: list[_Turn]

    def add(self, turn: _Turn) -> None:
        """Insert a meter in order."""
        if turn > self.turns[-1]:
            self.turns.append(turn)
        else:
            insort(self.turns, turn)


#: Rounds by interval. Those of one interval end in the order in which they begin, save the few that
#: are tried again: only the first of each line is looked at.
_Queues: TypeAlias = Mapping[float, list[_Round]]


class Schedule:
    """The meters of a bus in the order in which they are due."""

    def __init__(
        self,
        intervals_s: Iterable[tuple[str, float]],
        *,
        phase: str,
        wave: int = 0,
        ahead_s: Callable[[], float],
        now_s: float,
        slots: PollSlots | None = None,
    ) -> None:
        """Begin; the first slots are the next ones from now on.

        Args:
            intervals_s: (meter, interval) pairs.
            phase: whose phase they have.
            wave: which of its waves they are in.
            ahead_s: tells how much UTC [s since 1970] is ahead of the monotonic clock.
            now_s: the monotonic clock at this moment.
            slots: of the clock; where None, of one that shows all for the first time.
        """
        meters = dict(intervals_s)
        self._count = len(meters)
        self._ahead_s = ahead_s
        self._slots = slots or PollSlots(round(MILLISECONDS * (now_s + ahead_s())), now_s)
        self._returns = self._slots.returns
        self._phases_s = {one: phase_s(phase, one, wave) for one in meters.values()}
        self._responsive: _Queues = {one: [] for one in self._phases_s}
        self._unresponsive: _Queues = {one: [] for one in self._phases_s}
        self._line: list[_Round] = []  # whose first round it is now ...
        self._until_s = -math.inf  # ... as long as it has turns, and no other line's is due
        self._in_time_s = 0.0  # who of it is asked by then is in time for the next round ...
        self._following: _Round | None = None  # ... which is this for those that answer
        self._skips_unresponsive = False  # whether one in doubt is due, and not asked now ...
        self._skipped = 0  # ... and how often in a row that was so
        for meter, interval_s in meters.items():
            line = self._unresponsive[interval_s]
            slot = line[-1].slot if line else self._slot(interval_s, now_s)
            _put(line, slot, (_share(meter), meter))

    def next(self, now_s: float) -> tuple[str, Slot]:
        """Return the meter to poll next and its slot, which is due now or later."""
        if self._slots.returns != self._returns:
            self._postpone(now_s)
        if now_s >= self._until_s:
            self._begin(now_s)
        now = self._line[0]
        return now.turns[0][1], now.slot

    def _begin(self, now_s: float) -> None:
        """Find out whose turn it is, and for how long."""
        line = _first(self._responsive, now_s)
        self._skips_unresponsive = False
        if any(self._unresponsive.values()):
            line = self._in_turn(line, _first(self._unresponsive, now_s), now_s)
        if line is None:
            raise ValueError("a schedule without meters")
        others = [*self._responsive.values(), *self._unresponsive.values()]
        dues_s = [one[0].slot.due_s for one in others if one and one is not line]
        self._line, self._until_s = line, min(dues_s, default=math.inf)
        slot = line[0].slot
        self._in_time_s, self._following = slot.ends_s - slot.interval_s / 2, None

    def _in_turn(
        self, responsive: list[_Round] | None, unresponsive: list[_Round] | None, now_s: float
    ) -> list[_Round] | None:
        """Return the queue that goes first: of responsive or of unresponsive meters."""
        if responsive is None or unresponsive is None or self._skipped >= self._count:
            return unresponsive
        due_s = unresponsive[0].slot.due_s
        if responsive[0].slot.due_s > max(now_s, due_s):
            return unresponsive
        self._skips_unresponsive = due_s <= now_s
        return responsive

    def done(self, now_s: float, *, not_before_s: float = -math.inf, failures: int = 0) -> Slot:
        """Move the one that `next` gave the last time to its next slot, and return that.

        Args:
            now_s: the monotonic clock at this moment.
            not_before_s: on the monotonic clock: earlier slots than the nearest are passed over.
            failures: how often in a row it did not answer, up to now.
        """
        now = self._line[0]
        interval_s = now.slot.interval_s
        turn = now.turns.pop(0)
        if not now.turns:
            self._line.pop(0)
            self._until_s = -math.inf
        if self._slots.returns != self._returns:
            self._postpone(now_s)
        self._skipped = self._skipped + 1 if self._skips_unresponsive else 0
        after_s = self._in_time_s
        # Who was silent counts from the end of a time-out, which is always past the next slot.
        sooner_s = not_before_s - interval_s / 2
        if now_s > after_s or sooner_s > after_s:
            after_s = max(now_s, sooner_s)
        elif self._following is not None and not failures:
            self._following.add(turn)
            return self._following.slot
        line = (self._unresponsive if failures else self._responsive)[interval_s]
        slot = self._after(after_s, interval_s, line)
        if failures == 1 and slot.due_s - now_s >= _FAR * AGAIN_S:
            slot = Slot(now_s + AGAIN_S, slot.due_s, now.slot.number, interval_s)
        following = _put(line, slot, turn)
        if line is not self._line:
            self._until_s = min(self._until_s, slot.due_s)
        if after_s == self._in_time_s and not failures:
            self._following = following
        return slot

    def _postpone(self, now_s: float) -> None:
        """UTC comes again: what is planned would come where others were before."""
        self._returns = self._slots.returns
        self._until_s, self._following = -math.inf, None
        for lines in (self._responsive, self._unresponsive):
            for interval_s, line in lines.items():
                planned = line[:]
                line.clear()
                for one in planned:
                    after_s = max(now_s, one.slot.due_s)
                    slot = self._after(after_s, interval_s, line, missed=after_s == now_s)
                    for turn in one.turns:
                        _put(line, slot, turn)

    def _after(
        self, after_s: float, interval_s: float, line: list[_Round], *, missed: bool = False
    ) -> Slot:
        """The first slot after a moment, on the face: that of a round which is there, if one is.

        UTC comes in milliseconds: found anew, the same slot would be another one each time.
        """
        for one in reversed(line):
            due_s = one.slot.due_s
            if after_s < due_s <= after_s + interval_s and one.slot.ends_s == due_s + interval_s:
                return one.slot
        return self._slot(interval_s, after_s, missed=missed)

    def _slot(self, interval_s: float, after_s: float, *, missed: bool = False) -> Slot:
        """The first one after a moment of the monotonic clock, on the face that UTC has now."""
        phase_s = self._phases_s[interval_s]
        number, due_s = self._slots.slot(
            after_s, self._ahead_s(), phase_s, interval_s, missed=missed
        )
        return Slot(due_s, due_s + interval_s, number, interval_s)


def _put(line: list[_Round], slot: Slot, turn: _Turn) -> _Round:
    """Into the round of that slot."""
    for one in reversed(line):
        if one.slot == slot:
            one.add(turn)
            return one
    own = _Round(slot, [turn])
    insort(line, own, key=_due_s)
    return own


def _first(lines: _Queues, now_s: float) -> list[_Round] | None:
    """The line with the round that goes first: of those that are due the one that ends first.

    Where none is due, the one that begins first.
    """
    first: list[_Round] | None = None
    for line in lines.values():
        if line and (first is None or _goes_before(line[0].slot, first[0].slot, now_s)):
            first = line
    return first


def _goes_before(one: Slot, other: Slot, now_s: float) -> bool:
    if one.due_s <= now_s and other.due_s <= now_s:
        return one.ends_s < other.ends_s
    return one.due_s < other.due_s


_due_s: Final = attrgetter("slot.due_s")
