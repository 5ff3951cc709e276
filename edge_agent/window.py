"""Which batches are under way, and when each is sent again. Pure: the time is passed in.

Laws:

1. Under way are the oldest batches of the spool, as many as the window holds. One that left the
   spool, for whatever reason, is under way no longer.
2. A batch that is not acknowledged in time is sent again, and waits twice as long each time, up to
   a cap: an ingest that is down is not flooded.
3. An acknowledgement of any batch shows that the ingest is there: whatever has waited for one
   plain time-out goes again at once.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Final, TypeAlias

import msgspec

#: Boot and sequence number.
Key: TypeAlias = tuple[str, int]

_LONGEST: Final = 16  # time-outs that a batch waits at most


class _Sent(msgspec.Struct):
    at_s: float
    times: int


class Window:
    """The batches under way on one connection."""

    def __init__(self, ack_timeout_s: float) -> None:
        self._ack_timeout_s = ack_timeout_s
        self._sent: dict[Key, _Sent] = {}
        self._heard_s = -math.inf

    def due(self, oldest: Sequence[Key], now_s: float) -> set[Key]:
        """Those that are to be sent now, of the oldest that the spool holds."""
        self._sent = {key: self._sent[key] for key in oldest if key in self._sent}
        return {
            key for key in oldest if key not in self._sent or self._due_s(self._sent[key]) <= now_s
        }

    def sent(self, keys: Iterable[Key], now_s: float) -> None:
        """They were given to the broker."""
        for key in keys:
            before = self._sent.get(key)
            self._sent[key] = _Sent(now_s, 1 if before is None else before.times + 1)

    def heard(self, now_s: float) -> None:
        """An acknowledgement came."""
        self._heard_s = now_s

    def next_due_s(self) -> float:
        """When the first of those under way has to be sent again; infinity where none is."""
        return min(map(self._due_s, self._sent.values()), default=math.inf)

    def _due_s(self, sent: _Sent) -> float:
        waits = 1 if self._heard_s > sent.at_s else min(2 ** min(sent.times - 1, 30), _LONGEST)
        return sent.at_s + waits * self._ack_timeout_s
