"""Decide which meter of a bus is polled when. Pure: the clock readings are passed in.

Laws:

1. A meter is due at fixed wall-clock times: in each whole interval of UTC, a fixed delay (its
   phase) after the start of the interval. So the series of all meters line up, and a restart
   changes nothing. In an interval that the clock shows a second time, because it was set back, the
   meter is due at another time (`poll_slots`): no time stamp is given twice.
2. The phase is a stable hash of the agent and its site, and lies in the first tenth of the
   interval. So a fleet of agents does not poll all at once, and the readings of one building are
   of one moment. The meters of a bus are polled one right after the other, always in the same
   order. If an agent has very many buses, groups of them start a fifth of a second apart.
3. A slot that was missed is skipped and never made up for. After a poll without any answer, one
   more attempt is made if the next slot is far away.
4. Of the meters that are due, the one whose interval ends first is polled first. So a meter that is
   polled each second does not lose its slot to thirty that are polled each minute. A meter that did
   not answer last time, or was never polled, goes after all others. So even many dead meters delay
   each living one by one request at most. Such a meter still gets its turn once in a round of the
   others, also on a bus that can't keep up.
5. Due times are times of the monotonic clock. If UTC jumps, the next slot of a meter is calculated
   from the new UTC, half an interval to one and a half intervals after the last: no slot comes
   twice, and none comes late. If UTC went back to a time that it had shown before, planned slots
   are moved, by two intervals at most.
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

_PHASE_SHARE: Final = 0.1  # share of the interval over which phases are spread
_LONGEST_PHASE_S: Final = 30.0  # enough for any fleet; an hourly series still begins at the hour
# Between two start groups: 1,000 polls take half of that on a slow core.
_START_GROUP_DELAY_S: Final = 0.2
_LATEST_START_GROUP: Final = 0.8  # share of the interval after which no group starts
RETRY_S: Final = 30.0  # a poll without any answer is repeated after this ...
_RETRY_MIN_RATIO: Final = 2  # ... if the next slot is at least this many times as far away


class Slot(msgspec.Struct, frozen=True, gc=False):
    """The time slot of a poll.

    Attributes:
        due_s: time on the monotonic clock at which the poll is due.
        ends_s: time at which the next slot begins.
        number: number of the interval, counted from the zero of UTC.
        interval_s: time from one slot to the next.
    """

    due_s: float
    ends_s: float
    number: int
    interval_s: float


def phase_s(phase_key: str, interval_s: float, start_group: int = 0) -> float:
    """Return the delay of a poll after the start of each whole interval [s].

    Args:
        phase_key: name whose hash decides the phase.
        interval_s: polling interval.
        start_group: group of buses that starts together, 0 for the first.
    """
    group_delay_s = min(start_group * _START_GROUP_DELAY_S, _LATEST_START_GROUP * interval_s)
    return _hash_share(phase_key) * min(_PHASE_SHARE * interval_s, _LONGEST_PHASE_S) + group_delay_s


def _hash_share(name: str) -> float:
    """Return a stable hash of a name, from 0 to below 1."""
    digest = hashlib.blake2b(name.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


#: Hash by which meters are sorted, and the id of a meter.
_MeterEntry: TypeAlias = tuple[float, str]


class _Round(msgspec.Struct, frozen=True):
    """The meters that are polled in one slot, in order."""

    slot: Slot
    meters: list[_MeterEntry]

    def add(self, entry: _MeterEntry) -> None:
        """Insert a meter in order."""
        if entry > self.meters[-1]:
            self.meters.append(entry)
        else:
            insort(self.meters, entry)


#: Rounds by interval, sorted by due time. Rounds of one interval also end in this order, except for
#: the few retries, so only the first round of each queue is looked at.
_Queues: TypeAlias = Mapping[float, list[_Round]]


class Schedule:
    """The meters of a bus in the order in which they are due."""

    def __init__(
        self,
        intervals_s: Iterable[tuple[str, float]],
        *,
        phase_key: str,
        start_group: int = 0,
        clock_offset_s: Callable[[], float],
        now_s: float,
        slots: PollSlots | None = None,
    ) -> None:
        """Give each meter the first slot after now.

        Args:
            intervals_s: (meter, interval) pairs.
            phase_key: name whose hash decides the phase.
            start_group: group of buses that starts together, 0 for the first.
            clock_offset_s: returns UTC [s since 1970] minus the time of the monotonic clock.
            now_s: time of the monotonic clock at this moment.
            slots: slots of the agent's wall clock; new ones if None.
        """
        meters = dict(intervals_s)
        self._meter_count = len(meters)
        self._clock_offset_s = clock_offset_s
        self._slots = slots or PollSlots(round(MILLISECONDS * (now_s + clock_offset_s())), now_s)
        self._rewinds = self._slots.rewinds
        self._phases_s = {
            interval_s: phase_s(phase_key, interval_s, start_group)
            for interval_s in meters.values()
        }
        self._responsive: _Queues = {interval_s: [] for interval_s in self._phases_s}
        self._unresponsive: _Queues = {interval_s: [] for interval_s in self._phases_s}
        self._queue: list[_Round] = []  # whose first round is being polled ...
        self._queue_until_s = -math.inf  # ... until a round of another queue is due, or it is over
        self._on_time_until_s = 0.0  # a meter polled by then is on time for the next round ...
        self._next_round: _Round | None = None  # ... which is this one for those that answer
        self._skips_unresponsive = False  # True if an unresponsive meter is due and not polled now
        self._times_skipped = 0  # number of polls in a row for which that was so
        for meter, interval_s in meters.items():
            queue = self._unresponsive[interval_s]
            slot = queue[-1].slot if queue else self._new_slot(interval_s, now_s)
            _insert(queue, slot, (_hash_share(meter), meter))

    def next(self, now_s: float) -> tuple[str, Slot]:
        """Return the meter to poll next and its slot, which is due now or later."""
        if self._slots.rewinds != self._rewinds:
            self._move_planned_slots(now_s)
        if now_s >= self._queue_until_s:
            self._select_queue(now_s)
        current = self._queue[0]
        return current.meters[0][1], current.slot

    def _select_queue(self, now_s: float) -> None:
        """Select the queue to poll from, and calculate for how long."""
        queue = _first_queue(self._responsive, now_s)
        self._skips_unresponsive = False
        if any(self._unresponsive.values()):
            queue = self._preferred(queue, _first_queue(self._unresponsive, now_s), now_s)
        if queue is None:
            raise ValueError("a schedule without meters")
        queues = [*self._responsive.values(), *self._unresponsive.values()]
        dues_s = [other[0].slot.due_s for other in queues if other and other is not queue]
        self._queue, self._queue_until_s = queue, min(dues_s, default=math.inf)
        slot = queue[0].slot
        self._on_time_until_s, self._next_round = slot.ends_s - slot.interval_s / 2, None

    def _preferred(
        self, responsive: list[_Round] | None, unresponsive: list[_Round] | None, now_s: float
    ) -> list[_Round] | None:
        """Return the queue that goes first: of responsive or of unresponsive meters."""
        if responsive is None or unresponsive is None or self._times_skipped >= self._meter_count:
            return unresponsive
        due_s = unresponsive[0].slot.due_s
        if responsive[0].slot.due_s > max(now_s, due_s):
            return unresponsive
        self._skips_unresponsive = due_s <= now_s
        return responsive

    def reschedule(
        self, now_s: float, *, not_before_s: float = -math.inf, failures: int = 0
    ) -> Slot:
        """Move the meter that `next` returned last to its next slot, and return that slot.

        Args:
            now_s: time of the monotonic clock at this moment.
            not_before_s: time on the monotonic clock. The meter gets the slot nearest to it, or a
                later one.
            failures: number of its polls in a row that were not answered.
        """
        current = self._queue[0]
        interval_s = current.slot.interval_s
        entry = current.meters.pop(0)
        if not current.meters:
            self._queue.pop(0)
            self._queue_until_s = -math.inf
        if self._slots.rewinds != self._rewinds:
            self._move_planned_slots(now_s)
        self._times_skipped = self._times_skipped + 1 if self._skips_unresponsive else 0
        after_s = self._on_time_until_s
        # The delay of a silent meter counts from the end of its time-out, so it ends after the slot
        # that is as far away. Hence the nearest slot, not the next one.
        nearest_s = not_before_s - interval_s / 2
        if now_s > after_s or nearest_s > after_s:
            after_s = max(now_s, nearest_s)
        elif self._next_round is not None and not failures:
            self._next_round.add(entry)
            return self._next_round.slot
        queue = (self._unresponsive if failures else self._responsive)[interval_s]
        slot = self._slot_after(after_s, interval_s, queue)
        if failures == 1 and slot.due_s - now_s >= _RETRY_MIN_RATIO * RETRY_S:
            slot = Slot(now_s + RETRY_S, slot.due_s, current.slot.number, interval_s)
        added_to = _insert(queue, slot, entry)
        if queue is not self._queue:
            self._queue_until_s = min(self._queue_until_s, slot.due_s)
        if after_s == self._on_time_until_s and not failures:
            self._next_round = added_to
        return slot

    def _move_planned_slots(self, now_s: float) -> None:
        """Move planned slots after UTC went back to where earlier polls were."""
        self._rewinds = self._slots.rewinds
        self._queue_until_s, self._next_round = -math.inf, None
        for queues in (self._responsive, self._unresponsive):
            for interval_s, queue in queues.items():
                planned = queue[:]
                queue.clear()
                for round_ in planned:
                    after_s = max(now_s, round_.slot.due_s)
                    slot = self._slot_after(after_s, interval_s, queue, missed=after_s == now_s)
                    for entry in round_.meters:
                        _insert(queue, slot, entry)

    def _slot_after(
        self, after_s: float, interval_s: float, queue: list[_Round], *, missed: bool = False
    ) -> Slot:
        """Return the first slot after a time, the very slot of a planned round if there is one.

        UTC comes in milliseconds: a slot that is calculated again differs a little each time.
        """
        for round_ in reversed(queue):
            slot = round_.slot
            due_s = slot.due_s
            if after_s < due_s <= after_s + interval_s and slot.ends_s == due_s + interval_s:
                return slot
        return self._new_slot(interval_s, after_s, missed=missed)

    def _new_slot(self, interval_s: float, after_s: float, *, missed: bool = False) -> Slot:
        """Return the first slot after a time on the monotonic clock, calculated from UTC now."""
        phase_s = self._phases_s[interval_s]
        number, due_s = self._slots.next_slot(
            after_s, self._clock_offset_s(), phase_s, interval_s, missed=missed
        )
        return Slot(due_s, due_s + interval_s, number, interval_s)


def _insert(queue: list[_Round], slot: Slot, entry: _MeterEntry) -> _Round:
    """Add a meter to the round of a slot, which is made if there is none; return the round."""
    for round_ in reversed(queue):
        if round_.slot == slot:
            round_.add(entry)
            return round_
    added = _Round(slot, [entry])
    insort(queue, added, key=_due_s)
    return added


def _first_queue(queues: _Queues, now_s: float) -> list[_Round] | None:
    """Return the queue whose round goes first: among those that are due, the one that ends first.

    If none is due, the round that begins first goes first.
    """
    first: list[_Round] | None = None
    for queue in queues.values():
        if queue and (first is None or _goes_before(queue[0].slot, first[0].slot, now_s)):
            first = queue
    return first


def _goes_before(slot: Slot, other: Slot, now_s: float) -> bool:
    if slot.due_s <= now_s and other.due_s <= now_s:
        return slot.ends_s < other.ends_s
    return slot.due_s < other.due_s


_due_s: Final = attrgetter("slot.due_s")
