"""Deliveries from many agents -> few writes to the store, and acknowledgements back.

Laws:

1. An acknowledgement follows the store, never goes before it: `stored` once the points are there,
   `quarantined` once the entry is on the disk.
2. Nothing here is worth keeping. What is lost with this process, or let go because the memory is
   full, was not acknowledged and comes again; what was stored but not acknowledged comes again
   too, and the store makes that harmless.
3. A batch waits here at most once, however often it comes while the store is away.

Delays are real seconds: a database does not know that a demonstration runs faster than life.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final, TypeAlias

import msgspec

from ingest.admission import Delivery, SetAside
from ingest.backoff import backoff_s
from ingest.metrics import Metrics
from ingest.settings import BatchSettings
from jieneng.metering.errors import StoreUnavailable
from jieneng.metering.reading import Ack
from jieneng.metering.schema import Point
from jieneng.observe import Log, LoggedFault
from jieneng.storage import RejectedPoint, Store

#: What a point takes in memory, so that what waits for the quarantine can be weighed [bytes].
_POINT_BYTES: Final = 200

#: Agent, boot, sequence number.
_Key: TypeAlias = tuple[str, str, int]

#: Keeps what was set aside, durably; raises OSError where it can't.
Keep: TypeAlias = Callable[[Sequence[SetAside]], Awaitable[None]]
#: Tells an agent; where it can't be told, nothing happens.
Acknowledge: TypeAlias = Callable[[str, Ack], Awaitable[None]]


class Batcher:
    """Between the receiver, which offers deliveries, and the store."""

    def __init__(
        self,
        settings: BatchSettings,
        store: Store,
        keep: Keep,
        acknowledge: Acknowledge,
        *,
        metrics: Metrics,
        log: Log,
    ) -> None:
        self._settings = settings
        self._store = store
        self._keep = keep
        self._acknowledge = acknowledge
        self._metrics = metrics
        self._store_fault = LoggedFault(log, "store unavailable")
        self._disk_fault = LoggedFault(log, "quarantine can't be written")
        self._waiting: list[Delivery] = []
        self._weight = 0  # of what waits and of what is being written [points]
        self._waiting_weight = 0
        self._keys: set[_Key] = set()
        self._oldest_s = 0.0  # when the first of the waiting came, on the loop's clock
        self._news = asyncio.Event()

    def offer(self, delivery: Delivery) -> str:
        """Take a delivery, or leave it. Returns what became of it, as `metrics.received` counts."""
        if not delivery.points and not delivery.aside and delivery.number is None:
            return "ignored"
        key = _key(delivery)
        if key is not None and key in self._keys:
            return "repeated"
        weight = _weight(delivery)
        # What is larger than the whole memory is let in alone, or it would never get in.
        if self._weight and self._weight + weight > self._settings.max_waiting:
            return "overflow"
        if not self._waiting:
            self._oldest_s = asyncio.get_running_loop().time()
        self._waiting.append(delivery)
        self._waiting_weight += weight
        self._weigh(weight)
        if key is not None:
            self._keys.add(key)
        self._news.set()
        return "refused" if delivery.refused else "stored"

    async def run(self) -> None:
        """Write until cancelled. What waits then is not written, and comes again."""
        while True:
            await self._due()
            some, self._waiting = self._waiting, []
            self._waiting_weight = 0
            await self._settle(some)
            self._weigh(-sum(map(_weight, some)))
            self._keys.difference_update(filter(None, map(_key, some)))

    async def _due(self) -> None:
        """Return when enough waits, or the oldest has waited for long enough."""
        while not self._waiting:
            self._news.clear()
            await self._news.wait()
        try:
            async with asyncio.timeout_at(self._oldest_s + self._settings.max_delay_s):
                while self._waiting_weight < self._settings.max_points:
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            pass

    async def _settle(self, deliveries: Sequence[Delivery]) -> None:
        """Store and set aside, then say so."""
        rejected = await self._write([p for one in deliveries for p in one.points])
        aside = [one for delivery in deliveries for one in delivery.aside]
        if await self._set_aside([*aside, *map(_refused_by_store, rejected)]):
            done: Iterable[Delivery] = deliveries
        elif rejected:
            done = ()
        else:
            done = [one for one in deliveries if not one.aside]
        for agent, ack in _acks(done):
            await self._acknowledge(agent, ack)

    async def _write(self, points: Sequence[Point]) -> Sequence[RejectedPoint]:
        """Write until the store has them, however long that takes."""
        failures = 0
        while points:
            try:
                with self._metrics.write_s.time():
                    result = await self._store.write(points)
            except StoreUnavailable as error:
                self._store_fault.happened(error)
                self._metrics.store_up.set(0)
                failures += 1
                await asyncio.sleep(backoff_s(failures))
            else:
                self._store_fault.over()
                self._metrics.store_up.set(1)
                self._metrics.points.labels("stored").inc(result.written)
                self._metrics.points.labels("rejected").inc(len(result.rejected))
                return result.rejected
        return ()

    async def _set_aside(self, entries: Sequence[SetAside]) -> bool:
        if not entries:
            return True
        try:
            await self._keep(entries)
        except OSError as error:
            self._disk_fault.happened(error)
            return False
        self._disk_fault.over()
        for one in entries:
            self._metrics.set_aside.labels(one.reason).inc(one.samples)
        return True

    def _weigh(self, weight: int) -> None:
        self._weight += weight
        self._metrics.waiting.set(self._weight)


def _key(delivery: Delivery) -> _Key | None:
    return (delivery.agent, *delivery.number) if delivery.number else None


def _weight(delivery: Delivery) -> int:
    """In points; at least 1."""
    aside = sum(len(one.payload) for one in delivery.aside)
    return 1 + len(delivery.points) + aside // _POINT_BYTES


def _refused_by_store(rejected: RejectedPoint) -> SetAside:
    return SetAside(
        topic="",
        reason="store",
        detail=rejected.reason,
        payload=msgspec.json.encode(rejected.point),
    )


def _acks(deliveries: Iterable[Delivery]) -> list[tuple[str, Ack]]:
    """Return one acknowledgement for each boot of each agent."""
    stored: dict[tuple[str, str], list[int]] = {}
    quarantined: dict[tuple[str, str], list[tuple[int, str]]] = {}
    for one in deliveries:
        if one.number is None:
            continue
        boot, seq = one.number
        if one.refused is None:
            stored.setdefault((one.agent, boot), []).append(seq)
        else:
            quarantined.setdefault((one.agent, boot), []).append((seq, one.refused))
    return [
        (
            agent,
            Ack(
                boot,
                ranges(stored.get((agent, boot), ())),
                tuple(quarantined.get((agent, boot), ())),
            ),
        )
        for agent, boot in dict.fromkeys([*stored, *quarantined])
    ]


def ranges(numbers: Iterable[int]) -> tuple[tuple[int, int], ...]:
    """The closed ranges that hold these numbers and no others, ascending."""
    found: list[tuple[int, int]] = []
    for number in sorted(set(numbers)):
        if found and number == found[-1][1] + 1:
            found[-1] = (found[-1][0], number)
        else:
            found.append((number, number))
    return tuple(found)
