"""Record the received batches, and write the series `receipt`.

Law: a failure to record a batch does not delay its acknowledgement. The failure is logged once, and
the batch looks missing although it was received.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from ingest.quarantine.quarantine_entry import AgentAccount
from ingest.quarantine.quarantine_file import Quarantine
from ingest.receipts.receipt_file import ReceiptFile, SeenBatches
from ingest.receipts.sequence_ranges import BootSequence
from jieneng.clock import Clock
from jieneng.metering.errors import QuarantineUnavailable
from jieneng.metering.schema import Point, receipt_point
from jieneng.observe import Log, LoggedFault

#: Interval between two points of an agent [s].
_REPORT_S: Final = 60.0
#: Time until the first points; it is short, so that a copy that has just started is seen [s].
_FIRST_S: Final = 1.0


class ReceiptReporter:
    """Records received batches, and reports them for each agent.

    Args:
        site: id of the site.
        receipts: the file of the batches.
        quarantine: the quarantine, whose accounts are reported too.
        clock: clock of the ingest.
        log: logger of the ingest.
    """

    def __init__(
        self, site: str, receipts: ReceiptFile, quarantine: Quarantine, clock: Clock, log: Log
    ) -> None:
        self._site = site
        self._receipts = receipts
        self._quarantine = quarantine
        self._clock = clock
        self._fault = LoggedFault(log, "received batches can't be recorded")

    async def record(self, seen: SeenBatches) -> None:
        """Record received batches."""
        try:
            await asyncio.to_thread(self._receipts.add, seen, self._clock.now_ms())
        except QuarantineUnavailable as error:
            self._fault.report(error)
        else:
            self._fault.clear()

    async def run(self, write: Callable[[list[Point]], None]) -> None:
        """Pass a point of each agent to `write`, at regular intervals, until cancelled."""
        await asyncio.sleep(_FIRST_S)
        while True:
            try:
                points = await asyncio.to_thread(self._points)
            except QuarantineUnavailable as error:
                self._fault.report(error)
            else:
                if points:
                    write(points)
            await asyncio.sleep(_REPORT_S)

    def _points(self) -> list[Point]:
        machine = self._receipts.machine()
        if not machine:
            return []
        newest = {one.agent: one for one in self._receipts.sequences()}
        accounts = self._quarantine.accounts()
        return [
            self._point(agent, machine, accounts.get(agent, AgentAccount()), newest.get(agent))
            for agent in sorted({*newest, *accounts})
        ]

    def _point(
        self, agent: str, machine: str, account: AgentAccount, sequence: BootSequence | None
    ) -> Point:
        counts = {"held": account.held, "replayed": account.replayed, "dropped": account.dropped}
        if sequence is not None:
            counts |= {
                "first": sequence.ranges[0][0],
                "last": sequence.ranges[-1][1],
                "missing": sequence.missing,
            }
        boot = sequence.boot if sequence else None
        return receipt_point(self._site, agent, machine, counts, self._clock.now_ms(), boot=boot)
