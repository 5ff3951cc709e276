"""Collect messages of many agents into few writes to the store, and acknowledge them.

Laws:

1. A batch is acknowledged as `stored` only after the store has its points, and as `quarantined`
   only after its entry is on disk. The module `acknowledgement` decides between the two.
2. If this process dies, no data is lost. Batches that were in its memory, or were dropped because
   the memory was full, are not acknowledged, so their agents send them again. Agents also repeat
   batches that were stored but not acknowledged; storing a batch twice changes nothing.
3. While the store is not available, a batch that arrives several times is kept only once.
4. A batch that can't be acknowledged yet is removed from memory, to make room for others. Its
   repetitions are dropped until the next attempt is due (`postponed`).
5. A message that makes every write fail does not block other messages. After a failure, fewer
   messages are written at a time. A message that fails alone while others succeed is postponed as
   in law 4.

Delays are in real seconds, because a database does not follow a simulated clock.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Final, TypeAlias

from ingest.admission.message_checker import CheckedMessage
from ingest.backoff import backoff_s
from ingest.metrics import Metrics
from ingest.quarantine.quarantine_entry import QuarantineItem
from ingest.settings import BatchSettings
from ingest.storing.acknowledgement import Settlement, acks, settle
from ingest.storing.point_writer import PointWriter
from ingest.storing.portion import Portion
from ingest.storing.postponed import BatchKey, Postponed
from jieneng.metering.errors import StoreUnavailable
from jieneng.metering.reading import Ack
from jieneng.metering.schema import Point

#: Memory that a point takes [bytes]; converts the size of quarantined payloads to points.
_POINT_BYTES: Final = 200

#: Writes items to the quarantine: first argument: items by batch; second argument: other items.
#: Returns for each batch whether the quarantine has it on disk.
WriteQuarantine: TypeAlias = Callable[
    [Sequence[Sequence[QuarantineItem]], Sequence[QuarantineItem]], Awaitable[Sequence[bool]]
]
#: Records received batches: sequence numbers by agent and run.
RecordSeen: TypeAlias = Callable[[Mapping[tuple[str, str], Sequence[int]]], Awaitable[None]]
#: Sends an acknowledgement to an agent; does nothing if there is no connection.
Acknowledge: TypeAlias = Callable[[str, Ack], Awaitable[None]]


class Batcher:
    """Takes checked messages from the receiver, and writes them to store and quarantine."""

    def __init__(
        self,
        settings: BatchSettings,
        points: PointWriter,
        write_quarantine: WriteQuarantine,
        acknowledge: Acknowledge,
        record_seen: RecordSeen,
        *,
        metrics: Metrics,
        retry_s: float = 5.0,
    ) -> None:
        """Begin without messages.

        Args:
            settings: when to write, and how many points may wait.
            points: writes points to the store.
            write_quarantine: writes items to the quarantine.
            acknowledge: sends acknowledgements.
            record_seen: records batches, before they are acknowledged.
            metrics: metrics to count in.
            retry_s: time until the second attempt for a batch that can't be acknowledged [s].
        """
        self._settings = settings
        self._points = points
        self._write_quarantine = write_quarantine
        self._acknowledge = acknowledge
        self._record_seen = record_seen
        self._metrics = metrics
        self._postponed = Postponed(asyncio.get_running_loop().time, retry_s)
        self._portion = Portion()
        self._waiting: list[CheckedMessage] = []
        self._weight = 0  # of waiting messages and of those being written [points]
        self._waiting_weight = 0
        self._keys: set[BatchKey] = set()
        self._oldest_s = 0.0  # arrival of the first waiting message, on the loop's clock
        self._message_added = asyncio.Event()

    def add(self, checked: CheckedMessage) -> str:
        """Add a message, unless it is empty, already waiting or postponed, or memory is full.

        Returns:
            The outcome, by its name in `metrics.received`.
        """
        if not checked.points and not checked.to_quarantine and checked.batch_id is None:
            return "ignored"
        key = _key(checked)
        if key is not None and key in self._keys:
            return "repeated"
        if key is not None and not self._postponed.is_due(key):
            return "postponed"
        weight = _weight(checked)
        # A message that is larger than the limit is accepted while nothing else waits; otherwise it
        # would never be accepted.
        if self._weight and self._weight + weight > self._settings.max_waiting:
            return "overflow"
        is_first = not self._waiting
        if is_first:
            self._oldest_s = asyncio.get_running_loop().time()
        self._waiting.append(checked)
        self._waiting_weight += weight
        self._add_weight(weight)
        if key is not None:
            self._keys.add(key)
        # The writer is woken only by a message that changes when the next write begins.
        if is_first or self._waiting_weight >= self._settings.max_points:
            self._message_added.set()
        return "refused" if checked.rejection else "stored"

    def add_points(self, points: Sequence[Point]) -> None:
        """Add points that the ingest itself produces; they are dropped if the memory is full."""
        self.add(CheckedMessage(points=tuple(points)))

    def retry_postponed(self) -> None:
        """Allow the next attempt for all postponed batches at once."""
        self._postponed.clear()

    async def run(self) -> None:
        """Write until cancelled. Agents send messages again that are still waiting then."""
        failures = 0
        while True:
            await self._wait_until_due()
            batch = self._take()
            try:
                written = await self._points.write([p for one in batch for p in one.points])
            except StoreUnavailable:
                self._put_back(batch)
                failures += 1
                await asyncio.sleep(backoff_s(failures))
                continue
            failures = 0
            self._portion.succeeded(is_all=not self._waiting)
            await self._finish(settle(batch, written.refused, written.undecided))
            self._forget(batch)

    def _take(self) -> list[CheckedMessage]:
        """Remove and return the waiting messages that are to be written now."""
        count = self._portion.size(len(self._waiting))
        batch, self._waiting = self._waiting[:count], self._waiting[count:]
        self._waiting_weight -= sum(map(_weight, batch))
        return batch

    def _put_back(self, batch: Sequence[CheckedMessage]) -> None:
        """Add messages that could not be written to the end of the waiting ones."""
        if self._portion.failed(len(batch)):
            for key in filter(None, map(_key, batch)):
                self._postponed.postpone(key)
            self._forget(batch)
        else:
            self._waiting += batch
            self._waiting_weight += sum(map(_weight, batch))

    def _forget(self, batch: Sequence[CheckedMessage]) -> None:
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

    async def _finish(self, settled: Sequence[Settlement]) -> None:
        """Quarantine refused samples, and acknowledge the messages that are safe."""
        aside = [one for one in settled if one.is_decided and one.items]
        others = [item for one in settled for item in one.others]
        unsafe = [one for one in settled if not one.is_decided]
        if aside or others:
            taken = await self._write_quarantine([one.items for one in aside], others)
            unsafe += [one for one, is_taken in zip(aside, taken, strict=True) if not is_taken]
        not_safe = set(map(id, unsafe))
        for one in settled if not_safe or len(self._postponed) else ():
            if (key := _key(one.message)) is not None:
                if id(one) in not_safe:
                    self._postponed.postpone(key)
                else:
                    self._postponed.forget(key)
        if seen := _numbers(one.message for one in settled):
            await self._record_seen(seen)
        for agent, ack in acks(one for one in settled if id(one) not in not_safe):
            await self._acknowledge(agent, ack)

    def _add_weight(self, weight: int) -> None:
        self._weight += weight
        self._metrics.waiting.set(self._weight)


def _key(checked: CheckedMessage) -> BatchKey | None:
    return (checked.agent, *checked.batch_id) if checked.batch_id else None


def _numbers(messages: Iterable[CheckedMessage]) -> dict[tuple[str, str], list[int]]:
    """Return the sequence numbers of batches by agent and boot."""
    found: dict[tuple[str, str], list[int]] = {}
    for one in messages:
        if one.batch_id is not None:
            boot, seq = one.batch_id
            found.setdefault((one.agent, boot), []).append(seq)
    return found


def _weight(checked: CheckedMessage) -> int:
    """Return the size of a message [points], at least 1."""
    quarantine_bytes = sum(len(item.payload) for item in checked.to_quarantine)
    return 1 + len(checked.points) + quarantine_bytes // _POINT_BYTES
