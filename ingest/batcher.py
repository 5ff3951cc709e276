"""Collect messages of many agents into few writes to the store, and acknowledge them.

Laws:

1. A batch is acknowledged only afterwards: as `stored` once the store has its points, as
   `quarantined` once its entry is on disk.
2. Losing this process loses no data. Batches that were lost with it, or dropped because the memory
   was full, were not acknowledged, so their agents send them again. So do agents whose batches were
   stored and not acknowledged; the store makes that harmless.
3. A batch waits here at most once, however often it arrives while the store is away.

Delays are real seconds: a database knows no simulated clock.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final, TypeAlias

import msgspec

from ingest.admission import CheckedMessage, QuarantineItem
from ingest.backoff import backoff_s
from ingest.metrics import Metrics
from ingest.settings import BatchSettings
from jieneng.metering.errors import StoreUnavailable
from jieneng.metering.reading import Ack
from jieneng.metering.schema import Point
from jieneng.observe import Log, LoggedFault
from jieneng.storage import RejectedPoint, Store

#: Memory of a point [bytes], to express the size of quarantined payloads in points.
_POINT_BYTES: Final = 200

#: Agent, boot, sequence number.
_Key: TypeAlias = tuple[str, str, int]

#: Writes items to the quarantine, durably; raises OSError if the disk does not take them.
WriteQuarantine: TypeAlias = Callable[[Sequence[QuarantineItem]], Awaitable[None]]
#: Sends an acknowledgement to an agent; does nothing if there is no connection.
Acknowledge: TypeAlias = Callable[[str, Ack], Awaitable[None]]


class Batcher:
    """Takes checked messages from the receiver, and writes them to store and quarantine."""

    def __init__(
        self,
        settings: BatchSettings,
        store: Store,
        write_quarantine: WriteQuarantine,
        acknowledge: Acknowledge,
        *,
        metrics: Metrics,
        log: Log,
    ) -> None:
        self._settings = settings
        self._store = store
        self._write_quarantine = write_quarantine
        self._acknowledge = acknowledge
        self._metrics = metrics
        self._store_fault = LoggedFault(log, "store unavailable")
        self._disk_fault = LoggedFault(log, "quarantine can't be written")
        self._waiting: list[CheckedMessage] = []
        self._weight = 0  # of waiting messages and of those being written [points]
        self._waiting_weight = 0
        self._keys: set[_Key] = set()
        self._oldest_s = 0.0  # arrival of the first waiting message, on the loop's clock
        self._message_added = asyncio.Event()

    def add(self, checked: CheckedMessage) -> str:
        """Take a message, unless it is empty, waiting already, or memory is full.

        Returns:
            The outcome, by its name in `metrics.received`.
        """
        if not checked.points and not checked.to_quarantine and checked.batch_id is None:
            return "ignored"
        key = _key(checked)
        if key is not None and key in self._keys:
            return "repeated"
        weight = _weight(checked)
        # A message larger than the whole memory is taken alone, or it would never be.
        if self._weight and self._weight + weight > self._settings.max_waiting:
            return "overflow"
        if not self._waiting:
            self._oldest_s = asyncio.get_running_loop().time()
        self._waiting.append(checked)
        self._waiting_weight += weight
        self._add_weight(weight)
        if key is not None:
            self._keys.add(key)
        self._message_added.set()
        return "refused" if checked.rejection else "stored"

    async def run(self) -> None:
        """Write until cancelled. Messages still waiting then are not written but sent again."""
        while True:
            await self._wait_until_due()
            batch, self._waiting = self._waiting, []
            self._waiting_weight = 0
            await self._store_and_acknowledge(batch)
            self._add_weight(-sum(map(_weight, batch)))
            self._keys.difference_update(filter(None, map(_key, batch)))

    async def _wait_until_due(self) -> None:
        """Return once enough points wait, or the oldest message has waited long enough."""
        while not self._waiting:
            self._message_added.clear()
            await self._message_added.wait()
        try:
            async with asyncio.timeout_at(self._oldest_s + self._settings.max_delay_s):
                while self._waiting_weight < self._settings.max_points:
                    self._message_added.clear()
                    await self._message_added.wait()
        except TimeoutError:
            pass

    async def _store_and_acknowledge(self, messages: Sequence[CheckedMessage]) -> None:
        """Write to store and quarantine, then acknowledge."""
        rejected = await self._write([p for one in messages for p in one.points])
        items = [item for checked in messages for item in checked.to_quarantine]
        if await self._quarantine([*items, *map(_item_of_rejected, rejected)]):
            done: Iterable[CheckedMessage] = messages
        elif rejected:
            done = ()
        else:
            done = [one for one in messages if not one.to_quarantine]
        for agent, ack in _acks(done):
            await self._acknowledge(agent, ack)

    async def _write(self, points: Sequence[Point]) -> Sequence[RejectedPoint]:
        """Write until the store has the points, however long it takes. Return the rejected ones."""
        failures = 0
        while points:
            try:
                with self._metrics.write_s.time():
                    result = await self._store.write(points)
            except StoreUnavailable as error:
                self._store_fault.report(error)
                self._metrics.store_up.set(0)
                failures += 1
                await asyncio.sleep(backoff_s(failures))
            else:
                self._store_fault.clear()
                self._metrics.store_up.set(1)
                self._metrics.points.labels("stored").inc(result.written)
                self._metrics.points.labels("rejected").inc(len(result.not_stored))
                return result.not_stored
        return ()

    async def _quarantine(self, items: Sequence[QuarantineItem]) -> bool:
        """Write to the quarantine. Return False if the disk does not take the items."""
        if not items:
            return True
        try:
            await self._write_quarantine(items)
        except OSError as error:
            self._disk_fault.report(error)
            return False
        self._disk_fault.clear()
        for item in items:
            self._metrics.set_aside.labels(item.reason).inc(item.samples)
        return True

    def _add_weight(self, weight: int) -> None:
        self._weight += weight
        self._metrics.waiting.set(self._weight)


def _key(checked: CheckedMessage) -> _Key | None:
    return (checked.agent, *checked.batch_id) if checked.batch_id else None


def _weight(checked: CheckedMessage) -> int:
    """Return the size of a message [points], at least 1."""
    quarantine_bytes = sum(len(item.payload) for item in checked.to_quarantine)
    return 1 + len(checked.points) + quarantine_bytes // _POINT_BYTES


def _item_of_rejected(rejected: RejectedPoint) -> QuarantineItem:
    return QuarantineItem(
        topic="",
        reason="store",
        detail=rejected.reason,
        payload=msgspec.json.encode(rejected.point),
    )


def _acks(messages: Iterable[CheckedMessage]) -> list[tuple[str, Ack]]:
    """Return one acknowledgement for each boot of each agent."""
    stored: dict[tuple[str, str], list[int]] = {}
    quarantined: dict[tuple[str, str], list[tuple[int, str]]] = {}
    partly: dict[tuple[str, str], list[tuple[int, str, int]]] = {}
    for checked in messages:
        if checked.batch_id is None:
            continue
        boot, seq = checked.batch_id
        if checked.rejection is None:
            stored.setdefault((checked.agent, boot), []).append(seq)
            partly.setdefault((checked.agent, boot), []).extend(
                (seq, item.reason, item.samples) for item in checked.to_quarantine
            )
        else:
            quarantined.setdefault((checked.agent, boot), []).append((seq, checked.rejection))
    return [
        (
            agent,
            Ack(
                boot,
                ranges(stored.get((agent, boot), ())),
                tuple(quarantined.get((agent, boot), ())),
                tuple(partly.get((agent, boot), ())),
            ),
        )
        for agent, boot in dict.fromkeys([*stored, *quarantined])
    ]


def ranges(numbers: Iterable[int]) -> tuple[tuple[int, int], ...]:
    """Return the closed ranges that hold exactly these numbers, ascending."""
    found: list[tuple[int, int]] = []
    for number in sorted(set(numbers)):
        if found and number == found[-1][1] + 1:
            found[-1] = (found[-1][0], number)
        else:
            found.append((number, number))
    return tuple(found)
