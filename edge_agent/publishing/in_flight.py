"""Batches published but not yet acknowledged: which go next, and when one is sent again. Pure.

Laws:

1. The number and the bytes of batches in flight are limited. A batch stays in flight until it
   leaves the spool, for whatever reason.
2. Free places go in turn to the newest and to the oldest batch that is not in flight. So a backlog
   costs live readings at most every other place, and the backlog itself always gets smaller. With
   `newest_first`, every place goes to the newest. The store does not depend on the order.
3. A batch that is not acknowledged in time is sent again, and the time-out doubles each time up to
   a limit: an ingest that is down is not flooded.
4. An acknowledgement of any batch shows that the ingest is up: every batch that has waited for one
   plain time-out is then sent again at once.
"""

import math
from collections.abc import Iterable, Iterator, KeysView
from itertools import islice
from typing import Final

import msgspec

from edge_agent.spool.queued_batch import BatchKey, QueueEnds, QueueEntry

_MAX_TIMEOUTS: Final = 16  # longest wait of a batch, in time-outs
_MAX_BYTES: Final = 4 * 1024 * 1024  # in flight: so much is in memory, here and at the broker


class _Transmission(msgspec.Struct):
    at_s: float
    times: int
    size_bytes: int


class InFlight:
    """The batches in flight on one connection.

    Attributes:
        size: largest number of batches in flight.
    """

    def __init__(self, ack_timeout_s: float, size: int, *, newest_first: bool = False) -> None:
        self.size: Final = size
        self._ack_timeout_s = ack_timeout_s
        self._newest_first = newest_first
        self._newest_next = True
        self._transmissions: dict[BatchKey, _Transmission] = {}
        self._bytes = 0
        self._last_ack_s = -math.inf

    @property
    def keys(self) -> KeysView[BatchKey]:
        """Batches that were sent and are not known to have left the spool."""
        return self._transmissions.keys()

    def due(self, ends: QueueEnds, now_s: float, limit: int) -> list[BatchKey]:
        """Return the batches to send now, new ones first; they are in flight from now on.

        Args:
            ends: both ends of the queue now.
            now_s: the loop's clock.
            limit: largest number of batches to return.
        """
        for key in ends.gone:
            self._bytes -= self._transmissions.pop(key).size_bytes
        again = [key for key, sent in self._transmissions.items() if self._due_s(sent) <= now_s]
        new = list(islice(self._next_new(ends), limit))
        for one in new:
            self._transmissions[one.key] = _Transmission(now_s, 0, one.size_bytes)
        # Resends go last. They hold places, so they get their turn at the latest when none is free.
        return [*(one.key for one in new), *again[: limit - len(new)]]

    def mark_sent(self, keys: Iterable[BatchKey], now_s: float) -> None:
        """Record that batches were handed to the MQTT client."""
        for key in keys:
            sent = self._transmissions[key]
            sent.at_s = now_s
            sent.times += 1

    def clear(self) -> None:
        """Forget all batches: the spool is empty."""
        self._transmissions.clear()
        self._bytes = 0

    def acknowledged(self, now_s: float) -> None:
        """Record that some acknowledgement arrived."""
        self._last_ack_s = now_s

    def next_due_s(self) -> float:
        """Return the time of the earliest resend; infinity if nothing is in flight."""
        return min(map(self._due_s, self._transmissions.values()), default=math.inf)

    def _next_new(self, ends: QueueEnds) -> Iterator[QueueEntry]:
        """Yield the batches for which there is a free place, newest and oldest in turn."""
        taken = set(self._transmissions)
        newest, oldest = iter(ends.newest), iter(ends.oldest)
        while len(taken) < self.size:
            end = newest if self._newest_next or self._newest_first else oldest
            one = next((entry for entry in end if entry.key not in taken), None)
            if one is None or (taken and self._bytes + one.size_bytes > _MAX_BYTES):
                return
            self._newest_next = not self._newest_next
            self._bytes += one.size_bytes
            taken.add(one.key)
            yield one

    def _due_s(self, sent: _Transmission) -> float:
        waits = (
            1
            if self._last_ack_s > sent.at_s
            else min(2 ** min(max(sent.times - 1, 0), 30), _MAX_TIMEOUTS)
        )
        return sent.at_s + waits * self._ack_timeout_s
