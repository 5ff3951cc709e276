"""Decide which batches are sent next, and when an unacknowledged batch is sent again. Pure.

A batch is in flight while it is published and not yet acknowledged. The window has a fixed number
of places for batches in flight.

Laws:

1. The number of batches in flight and their total bytes are limited. A batch stays in flight until
   it is removed from the spool, or parked.
2. Free places go in turn to the newest and to the oldest batch that is not in flight. So during a
   backlog, live readings still get every other place, and the backlog always gets smaller. With
   `newest_first`, every place goes to the newest batch. The store accepts batches in any order.
3. A batch that is not acknowledged in time is sent again. The time-out doubles each time, up to a
   limit, so that an ingest that was down is not flooded when it starts again.
4. An acknowledgement of any batch shows that the ingest works. Then every batch that has waited for
   at least one time-out is sent again at once.
5. A transmission counts as passed over if it is not acknowledged in time, although a batch that was
   sent later is. A batch with three such transmissions is parked: it gives up its place, and is
   tried again at long intervals (`trials`). While no batch is acknowledged, none is parked.
6. If each batch in the window was sent at least twice, one more batch is sent without a place: the
   newest one that is not in flight. If the ingest works, it acknowledges that batch. Then the
   others count as passed over, and law 5 clears the window. So batches that the ingest can't store
   never block the window for long.
"""

import math
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import islice
from typing import Final

import msgspec

from edge_agent.publishing.trials import TRIALS, Trials
from edge_agent.spool.queued_batch import BatchKey, QueueEnds, QueueEntry
from jieneng.metering.reading import Ack

_MAX_TIMEOUTS: Final = 16  # longest wait before a batch is sent again, in time-outs
_MAX_BYTES: Final = 4 * 1024 * 1024  # in flight; limits the memory used here and at the broker
_MAX_PASSED_OVER: Final = 3  # passed-over transmissions after which a batch is parked (law 5)
_STUCK_SENDS: Final = 2  # transmissions of each batch in the window before law 6 applies


class _Transmission(msgspec.Struct):
    at_s: float
    times: int
    size_bytes: int
    passed_over: int = 0


class InFlight:
    """The batches in flight on one connection.

    Attributes:
        size: number of places in the window. Parked batches that are tried again need no place.
    """

    def __init__(self, ack_timeout_s: float, size: int, *, newest_first: bool = False) -> None:
        self.size: Final = size
        self._ack_timeout_s = ack_timeout_s
        self._newest_first = newest_first
        self._newest_next = True
        self._transmissions: dict[BatchKey, _Transmission] = {}
        self._tried: dict[BatchKey, _Transmission] = {}  # in flight without a place in the window
        self._scout: BatchKey | None = None  # the batch in `_tried` that law 6 has sent
        self._trials = Trials(ack_timeout_s)
        self._to_park: list[BatchKey] = []
        self._bytes = 0
        self._last_ack_s = -math.inf
        self._acked_send_s = -math.inf  # time of the latest transmission that was acknowledged

    @property
    def keys(self) -> Collection[BatchKey]:
        """All batches in flight, with or without a place in the window."""
        return self._transmissions.keys() | self._tried.keys()

    @property
    def is_any_parked(self) -> bool:
        """True if any batch was parked at the last query of the spool."""
        return self._trials.is_any_parked

    def wanted_parked(self, now_s: float) -> tuple[int, int] | None:
        """Return the range of parked batches that `due` needs (`Trials.wanted`); None if none."""
        return self._trials.wanted(len(self._tried), now_s)

    def due(self, ends: QueueEnds, now_s: float, limit: int) -> list[BatchKey]:
        """Return the batches to send now, new ones first. From now on they are in flight.

        Args:
            ends: both ends of the queue now, and the parked batches in the range of
                `wanted_parked`.
            now_s: the loop's clock.
            limit: largest number of batches to return.
        """
        for key in ends.gone:
            self._forget(key)
        again = []
        for key, sent in list(self._transmissions.items()):
            if self._due_s(sent) > now_s:
                continue
            if sent.passed_over + self._is_passed_over(sent) >= _MAX_PASSED_OVER:
                self._forget(key)
                self._to_park.append(key)
                self._trials.parked(now_s)
            else:
                again.append(key)
        for key in [key for key, sent in self._tried.items() if self._due_s(sent) <= now_s]:
            self._forget(key)  # it stays parked, and is tried again in the next round
        new = list(islice(self._next_new(ends), limit))
        for one in new:
            self._transmissions[one.key] = _Transmission(now_s, 0, one.size_bytes)
        due = [one.key for one in new] or self._next_scout(ends, now_s)
        due += self._next_trials(ends.parked, limit - len(due), now_s)
        # Batches that are sent again come last. They keep their places, so new batches can't
        # displace them for long.
        return [*due, *again[: limit - len(due)]]

    def take_parked(self) -> list[BatchKey]:
        """Return the batches that the spool has to park now. Each batch is returned only once."""
        keys, self._to_park = self._to_park, []
        return keys

    def release(self, key: BatchKey) -> None:
        """Mark a batch as not in flight, because it was not sent and is still in the queue."""
        self._forget(key)

    def give_up(self, key: BatchKey, now_s: float) -> bool:
        """Mark a batch that can't be sent as not in flight. Return True if it has to be parked."""
        if key in self._tried and key != self._scout:
            return False  # the batch is already parked
        self._forget(key)
        self._trials.parked(now_s)
        return True

    def mark_sent(self, keys: Iterable[BatchKey], now_s: float) -> None:
        """Record that batches were handed to the MQTT client."""
        for key in keys:
            sent = self._transmissions.get(key) or self._tried[key]
            sent.passed_over += self._is_passed_over(sent)
            sent.at_s = now_s
            sent.times += 1

    def clear(self) -> None:
        """Forget all batches: the spool is empty."""
        self._transmissions.clear()
        self._tried.clear()
        self._scout = None
        self._to_park.clear()
        self._trials.clear()
        self._bytes = 0

    def acknowledged(self, acks: Sequence[Ack], now_s: float) -> None:
        """Record acknowledgements that have arrived."""
        self._last_ack_s = now_s
        for key, sent in (*self._transmissions.items(), *self._tried.items()):
            if any(_names(ack, key) for ack in acks):
                self._acked_send_s = max(self._acked_send_s, sent.at_s)
                if key in self._tried and key != self._scout:
                    self._trials.acknowledged()

    def next_due_s(self) -> float:
        """Return the time at which the next batch is sent again; infinity if there is none."""
        next_trial_s = (
            self._trials.next_round_s
            if self._trials.is_any_parked and len(self._tried) < TRIALS
            else math.inf
        )
        sent = (*self._transmissions.values(), *self._tried.values())
        return min([next_trial_s, *map(self._due_s, sent)])

    def _forget(self, key: BatchKey) -> None:
        if (sent := self._transmissions.pop(key, None)) is not None:
            self._bytes -= sent.size_bytes
        self._tried.pop(key, None)
        if key == self._scout:
            self._scout = None

    def _is_passed_over(self, sent: _Transmission) -> bool:
        return sent.times > 0 and sent.at_s < self._acked_send_s

    def _next_scout(self, ends: QueueEnds, now_s: float) -> list[BatchKey]:
        """Return the newest batch outside the window if law 6 applies."""
        window = self._transmissions
        if self._scout is not None or any(sent.times < _STUCK_SENDS for sent in window.values()):
            return []
        hidden = {*window, *self._tried, *self._to_park}
        one = next((entry for entry in ends.newest if entry.key not in hidden), None)
        if one is None:
            return []
        self._scout = one.key
        self._tried[one.key] = _Transmission(now_s, 0, one.size_bytes)
        return [one.key]

    def _next_trials(
        self, parked: Sequence[QueueEntry] | None, limit: int, now_s: float
    ) -> list[BatchKey]:
        if parked is None or limit <= 0:
            return []
        some: list[QueueEntry] = []
        for one in parked[:limit]:
            if some and sum(entry.size_bytes for entry in some) + one.size_bytes > _MAX_BYTES:
                break
            some.append(one)
        self._trials.take(some, now_s)
        for one in some:
            self._tried[one.key] = _Transmission(now_s, 0, one.size_bytes)
        return [one.key for one in some]

    def _next_new(self, ends: QueueEnds) -> Iterator[QueueEntry]:
        """Yield batches for the free places, newest and oldest in turn."""
        taken = set(self._transmissions)
        hidden = taken.union(self._tried, self._to_park)
        newest, oldest = iter(ends.newest), iter(ends.oldest)
        while len(taken) < self.size:
            end = newest if self._newest_next or self._newest_first else oldest
            one = next((entry for entry in end if entry.key not in hidden), None)
            if one is None or (taken and self._bytes + one.size_bytes > _MAX_BYTES):
                return
            self._newest_next = not self._newest_next
            self._bytes += one.size_bytes
            taken.add(one.key)
            hidden.add(one.key)
            yield one

    def _due_s(self, sent: _Transmission) -> float:
        waits = (
            1
            if self._last_ack_s > sent.at_s
            else min(2 ** min(max(sent.times - 1, 0), 30), _MAX_TIMEOUTS)
        )
        return sent.at_s + waits * self._ack_timeout_s


def _names(ack: Ack, key: BatchKey) -> bool:
    boot, seq = key
    return boot == ack.boot and (
        any(first <= seq <= last for first, last in ack.stored)
        or any(seq == one for one, _ in ack.quarantined)
    )
