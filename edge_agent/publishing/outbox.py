"""Read the batches that are to be sent next from the spool, and cut those that are too large.

Laws:

1. `in_flight` decides which batches are sent next, and when a batch is sent again.
2. A batch that is larger than the broker accepts (`message_limit`) is cut into several batches in
   the spool. If even a single sample is too large, its batch stays in the spool and is parked: it
   is sent again only at long intervals.
3. If the spool can't be read, it is read again after a pause.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from edge_agent.publishing.in_flight import InFlight
from edge_agent.publishing.message_limit import MessageLimit
from edge_agent.publishing.publish_counts import PublishCounts
from edge_agent.spool.queued_batch import QueuedBatch
from edge_agent.spool.spool import Spool
from jieneng.metering.errors import SpoolUnavailable
from jieneng.observe import Log, LoggedFault

_UNREADABLE_RETRY_S: Final = 1.0  # wait before an unreadable spool is read again


class Outbox:
    """Reads the batches of one spool for the publisher.

    Attributes:
        oversize: text with the size of the last message that could not be cut, and with the limit;
            "" if there is none.
    """

    def __init__(
        self,
        spool: Spool,
        limit: MessageLimit,
        counts: PublishCounts,
        *,
        boot: str,
        take_number: Callable[[], int],
        log: Log,
    ) -> None:
        """Create an outbox without faults.

        Args:
            spool: holds the batches.
            limit: largest message that the broker accepts.
            counts: counts the parked batches.
            boot: boot id of this run; the parts of a cut batch get this boot id.
            take_number: returns the next sequence number of this run, for the parts of a cut batch.
            log: log for faults.
        """
        self.oversize = ""
        self._spool = spool
        self._limit = limit
        self._counts = counts
        self._boot = boot
        self._take_number = take_number
        self._cut_fault = LoggedFault(
            log, "batches are larger than the broker accepts, and are cut"
        )
        self._oversize_fault = LoggedFault(log, "a message is too large, and can't be cut")
        self._parked_fault = LoggedFault(log, "batches are parked")
        self._spool_fault = LoggedFault(log, "spool can't be read")

    async def next_batches(self, in_flight: InFlight, limit: int) -> Sequence[QueuedBatch]:
        """Return the batches to send now; none if nothing is due."""
        while self._spool.counts.size_bytes:
            now_s = asyncio.get_running_loop().time()
            try:
                ends = await self._spool.ends(
                    in_flight.size, in_flight.keys, in_flight.wanted_parked(now_s)
                )
                due = in_flight.due(ends, now_s, limit)
                await self._park(in_flight)
                rows: Sequence[QueuedBatch] = await self._spool.read(due) if due else ()
                if any(len(row.payload) > self._limit.payload_bytes for row in rows):
                    rows = await self._cut(rows, in_flight)
            except SpoolUnavailable as error:
                self._spool_fault.report(error)
                await asyncio.sleep(_UNREADABLE_RETRY_S)  # no event announces a readable disk
            else:
                self._spool_fault.clear()
                return rows
        # After most acknowledgements the spool is empty: no query is needed.
        in_flight.clear()
        self._clear_parked()
        return ()

    def report_oversize(self, text: str) -> None:
        """Record a message that is too large and can't be cut."""
        self.oversize = f"{text}, and the broker accepts at most {self._limit.payload_bytes:.0f}"
        self._oversize_fault.report(self.oversize)

    async def _cut(self, rows: Sequence[QueuedBatch], in_flight: InFlight) -> Sequence[QueuedBatch]:
        """Cut the batches that are too large, and return the others.

        The parts stay in the spool, and are read by the next call of `next_batches`.
        """
        limit = self._limit.payload_bytes
        fitting = [row for row in rows if len(row.payload) <= limit]
        for row in rows:
            size_bytes = len(row.payload)
            if size_bytes <= limit:
                continue
            if await self._spool.cut(row.key, limit, self._boot, self._take_number) > 1:
                in_flight.release(row.key)
                self._cut_fault.report(f"{size_bytes} bytes, and it takes at most {limit:.0f}")
                continue
            self.report_oversize(f"{size_bytes} bytes")
            if in_flight.give_up(row.key, asyncio.get_running_loop().time()):
                await self._spool.park([row.key])
                self._counts.parked += 1
        return fitting

    async def _park(self, in_flight: InFlight) -> None:
        """Park batches that the ingest does not acknowledge, and log one fault for all of them."""
        if keys := in_flight.take_parked():
            await self._spool.park(keys)
            self._counts.parked += len(keys)
            boot, seq = keys[0]
            self._parked_fault.report(
                "the ingest acknowledges later batches, but not these; they are sent again rarely",
                batch_boot=boot,
                seq=seq,
            )
        elif not in_flight.is_any_parked:
            self._clear_parked()

    def _clear_parked(self) -> None:
        self._parked_fault.clear()
        self._oversize_fault.clear()
        self.oversize = ""
