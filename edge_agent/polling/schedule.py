"""Decide which meter of a bus is polled when. Pure: the clock readings are passed in.

Laws:

1. A meter is due at fixed times of UTC: in each interval, at a fixed delay (its phase) after the
   start of the interval. So the readings of all meters have about the same times, also after a
   restart. If the clock was set back and an interval occurs again, the meter is due at another time
   in it (`poll_slots`), so that no time stamp is used twice.
2. The phase is a stable hash of the agent and its site, in the first tenth of the interval. So the
   agents of different sites do not all poll at the same moment, but the readings of one building
   are of about one moment. The meters of a bus are polled one after the other, always in the same
   order. If an agent has very many buses, they start in groups, a fifth of a second apart.
3. A missed slot is skipped, not made up for. After a poll without any answer, one more attempt is
   made if the next slot is far away.
4. Among the meters that are due, the one whose interval ends first is polled first. So a meter that
   is polled each second does not lose its slot to thirty meters that are polled each minute. Meters
   that did not answer last time, or were never polled, come after all others. So even many dead
   meters delay each working meter by at most one request. When all working meters have been polled
   once, one such meter is polled, even on an overloaded bus.
5. Due times are times of the monotonic clock. If UTC jumps, the next slot of a meter is calculated
   from the new UTC; it is half an interval to one and a half intervals after the last slot. So no
   slot occurs twice, and none is late. If UTC was set back, planned slots are moved by two
   intervals at most.
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
_LONGEST_PHASE_S: Final = 30.0  # so that readings of long intervals are near the start, too
# Time between the starts of two groups. 1,000 polls take half of it on a slow core.
_START_GROUP_DELAY_S: Final = 0.2
_LATEST_START_GROUP: Final = 0.8  # share of the interval after which no group starts
RETRY_S: Final = 30.0  # delay before a poll without any answer is repeated
_RETRY_MIN_RATIO: Final = 2  # no repeat if the next slot is nearer than this many times RETRY_S


class Slot(msgspec.Struct, frozen=True, gc=False):
    """The time slot of a poll.

    Attributes:
        due_s: time on the monotonic clock at which the poll is due.
        ends_s: time on the monotonic clock at which the next slot begins.
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


#: For each interval, its rounds sorted by due time. Apart from a few retries, they also end in this
#: order, so only the first round of each queue has to be compared.
_Queues: TypeAlias = Mapping[float, list[_Round]]


class Schedule:
    """Returns the meters of a bus in the order in which they are to be polled."""

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
        self._queue: list[_Round] = []  # queue whose first round is being polled
        self._queue_until_s = -math.inf  # time until which `_queue` is polled before other queues
        self._on_time_until_s = 0.0  # time until which meters that answer go into `_next_round`
        self._next_round: _Round | None = None  # next round of the meters in `_queue`
        self._skips_unresponsive = False  # True if an unresponsive meter is due and not polled now
        self._times_skipped = 0  # polls in a row with `_skips_unresponsive`
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
        """Select the queue to poll from, and calculate until when it is polled from."""
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
        """Return the queue to poll first: that of responsive or that of unresponsive meters."""
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
        # The delay of a silent meter begins at the end of its time-out. So it ends shortly after a
        # slot. This slot is meant, not the one after it: hence the nearest slot is used.
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
        """Move planned slots after UTC was set back to times of earlier polls."""
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
        """Return the first slot after a time; if a round is planned for it, the slot of this round.

        UTC is rounded to milliseconds, so a slot that is calculated twice would differ a little.
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
    """Add a meter to the round of a slot, and return the round; a new one if there is none."""
    for round_ in reversed(queue):
        if round_.slot == slot:
            round_.add(entry)
            return round_
    added = _Round(slot, [entry])
    insort(queue, added, key=_due_s)
    return added


def _first_queue(queues: _Queues, now_s: float) -> list[_Round] | None:
    """Return the queue whose first round is to be polled first.

    Among rounds that are due it is the one that ends first; if none is due, the one that begins
    first.
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
