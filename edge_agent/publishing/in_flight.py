"""Which batches are under way, which go next, and when one goes again. Pure: the time is passed in.

Laws:

1. No more are under way than the window holds, in number and in bytes. One stays under way until it
   leaves the spool, for whatever reason.
2. What is free in the window goes in turn to the newest and to the oldest batch that are not under
   way, so a backlog costs what is read now at most every other place, and is itself never left
   lying. Newest first, every place goes to the newest. Order is of no matter to the store.
3. A batch that is not acknowledged in time is sent again, and waits twice as long each time, up to
   a cap: an ingest that is down is not flooded.
4. An acknowledgement of any batch shows that the ingest is there: whatever has waited for one
   plain time-out goes again at once.
"""

import math
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import islice
from typing import Final, TypeAlias

import msgspec

#: Boot and sequence number.
Key: TypeAlias = tuple[str, int]

_LONGEST: Final = 16  # time-outs that a batch waits at most
_MOST_BYTES: Final = 4 * 1024 * 1024  # under way: as much is in memory, here and at the broker


class Entry(msgspec.Struct, frozen=True):
    """A batch that is in the spool.

    Attributes:
        key: its name.
        size_bytes: of its payload.
    """

    key: Key
    size_bytes: int


class Ends(msgspec.Struct, frozen=True):
    """What a window has to know of the spool.

    Attributes:
        oldest: as many as the window holds, the oldest first.
        newest: as many, the newest first.
        gone: of those under way, the ones that are no longer in the spool.
    """

    oldest: Sequence[Entry]
    newest: Sequence[Entry]
    gone: Collection[Key] = ()


class _Sent(msgspec.Struct):
    at_s: float
    times: int
    size_bytes: int


class InFlight:
    """The batches under way on one connection."""

    def __init__(self, ack_timeout_s: float, size: int, *, newest_first: bool = False) -> None:
        self.size: Final = size
        self._ack_timeout_s = ack_timeout_s
        self._newest_first = newest_first
        self._newest_next = True
        self._sent: dict[Key, _Sent] = {}
        self._bytes = 0
        self._heard_s = -math.inf

    @property
    def under_way(self) -> Collection[Key]:
        """Those that were sent, and are not known to have left the spool."""
        return self._sent.keys()

    def due(self, ends: Ends, now_s: float, most: int) -> list[Key]:
        """Those that are to be sent now, again or for the first time: they are under way."""
        for key in ends.gone:
            self._bytes -= self._sent.pop(key).size_bytes
        again = [key for key, sent in self._sent.items() if self._due_s(sent) <= now_s]
        new = list(islice(self._new(ends), most))
        for one in new:
            self._sent[one.key] = _Sent(now_s, 0, one.size_bytes)
        # Repeats go last. They hold places, so their turn comes at the latest when none is free.
        return [*(one.key for one in new), *again[: most - len(new)]]

    def sent(self, keys: Iterable[Key], now_s: float) -> None:
        """They were given to the broker."""
        for key in keys:
            sent = self._sent[key]
            sent.at_s = now_s
            sent.times += 1

    def forget(self) -> None:
        """The spool is empty: none is under way."""
        self._sent.clear()
        self._bytes = 0

    def heard(self, now_s: float) -> None:
        """An acknowledgement came."""
        self._heard_s = now_s

    def next_due_s(self) -> float:
        """When the first of those under way has to be sent again; infinity where none is."""
        return min(map(self._due_s, self._sent.values()), default=math.inf)

    def _new(self, ends: Ends) -> Iterator[Entry]:
        """Those for which there is a place, one after the other."""
        taken = set(self._sent)
        newest, oldest = iter(ends.newest), iter(ends.oldest)
        while len(taken) < self.size:
            end = newest if self._newest_next or self._newest_first else oldest
            one = next((entry for entry in end if entry.key not in taken), None)
            if one is None or (taken and self._bytes + one.size_bytes > _MOST_BYTES):
                return
            self._newest_next = not self._newest_next
            self._bytes += one.size_bytes
            taken.add(one.key)
            yield one

    def _due_s(self, sent: _Sent) -> float:
        waits = (
            1 if self._heard_s > sent.at_s else min(2 ** min(max(sent.times - 1, 0), 30), _LONGEST)
        )
        return sent.at_s + waits * self._ack_timeout_s
