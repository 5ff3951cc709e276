"""An ingest that can be killed at any step, agents with a ledger, and the truth for comparison.

The files are real: the store, the quarantine, the batches that came in. A life is one run of the
    ingest: a kill deletes its memory, and the next life opens the same files.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from ingest.admission.message_checker import MessageChecker
from ingest.metrics import Metrics
from ingest.quarantine.quarantine_entry import EntryFilter, QuarantineItem
from ingest.quarantine.quarantine_file import Quarantine
from ingest.quarantine.quarantine_writer import QuarantineWriter
from ingest.quarantine_replay import replay
from ingest.receipts.receipt_file import ReceiptFile
from ingest.settings import BatchSettings
from ingest.storing.batcher import Batcher
from ingest.storing.late_days import LateDays
from ingest.storing.point_writer import PointWriter
from jieneng import observe
from jieneng.metering import mqtt_messages
from jieneng.metering.reading import Ack, Batch, Sample
from jieneng.metering.schema import Point
from jieneng.site_folder import SiteFolder
from jieneng.storage import RejectedPoint
from jieneng.storage.sqlite import SqliteStore
from jieneng.storage.store import WriteResult, write_result
from tests.ingest.agent import BOOT, SITE, START
from tests.patience import PATIENCE_S
from tests.stepped_clock import SteppedClock

#: Meters of the agents in the example site. The store refuses `REFUSED` until the cause is removed.
METERS = {"agent-1": ("e-main", "e-b1", "w-main"), "agent-2": ("e-b3", "e-ct")}
REFUSED = frozenset({"e-b1", "e-ct"})
#: A meter that the site does not have yet.
UNKNOWN = "e-later"
NOW = START + 10**7


class ModelAgent:
    """An agent's spool in memory: batches until they are acknowledged, and the books."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.topic = mqtt_messages.topic(SITE, name, "batch")
        self.pending: dict[int, Batch] = {}
        self.samples: set[Sample] = set()
        self.read = self.stored = self.quarantined = 0
        self._seq = 0

    def take(self, samples: Sequence[Sample]) -> None:
        """Number a batch."""
        self._seq += 1
        self.pending[self._seq] = Batch(self.name, BOOT, self._seq, tuple(samples))
        self.samples.update(samples)
        self.read += len(samples)

    def hear(self, ack: Ack) -> None:
        """Book what an acknowledgement says, as the spool does."""
        aside: Counter[int] = Counter()
        for seq, _, samples in ack.partly:
            aside[seq] += samples
        for first, last in ack.stored:
            for seq in range(first, last + 1):
                if (batch := self.pending.pop(seq, None)) is not None:
                    self.stored += len(batch.samples) - aside[seq]
                    self.quarantined += aside[seq]
        for seq, _ in ack.quarantined:
            if (batch := self.pending.pop(seq, None)) is not None:
                self.quarantined += len(batch.samples)

    @property
    def is_balanced(self) -> bool:
        """True if each sample that was read is in one place."""
        pending = sum(len(batch.samples) for batch in self.pending.values())
        return self.read == self.stored + self.quarantined + pending


class Killed(Exception):
    """The end of a life."""


class FaultyStore(SqliteStore):
    """A real store that refuses meters as a server would, and tells when it has written."""

    def __init__(self, path: Path, refused: frozenset[str], after: Callable[[], None]) -> None:
        super().__init__(path)
        self._refused = refused
        self._after = after

    async def write(self, points: Sequence[Point]) -> WriteResult:
        bad = [
            index
            for index, one in enumerate(points)
            if "energy_kwh" in one.names and dict(one.tags).get("meter") in self._refused
        ]
        await super().write([one for index, one in enumerate(points) if index not in set(bad)])
        self._after()
        refused = [RejectedPoint(index, points[index], "field_type", "400 no") for index in bad]
        return write_result(len(points), refused)


class FaultRig:
    """The files of an ingest, and one life after the other.

    Attributes:
        refused: meters that the store refuses now.
        knows_later: True if the site has the meter `UNKNOWN`.
    """

    def __init__(self, site: SiteFolder, path: Path, seed: int) -> None:
        self.chance = random.Random(seed)
        self.agents = [ModelAgent(name) for name in METERS]
        self.refused = REFUSED
        self.knows_later = False
        self.quarantine_bytes = 2**40
        self.disk_is_full = False
        self.held_back: list[tuple[ModelAgent, Ack]] = []
        self.kills: Counter[str] = Counter()
        self._site = site
        self._path = path
        self._number = 0

    # --- what the agents read --------------------------------------------------------------------

    def read_some(self, batches: int) -> None:
        """Let the agents read, each sample of a time of its own."""
        for _ in range(batches):
            agent = self.chance.choice(self.agents)
            meters = [*METERS[agent.name], *METERS[agent.name], UNKNOWN]
            agent.take([self._sample(self.chance.choice(meters)) for _ in range(5)])

    def _sample(self, meter: str) -> Sample:
        self._number += 1
        quantity = "volume_m3" if meter.startswith("w") else "energy_kwh"
        return Sample(meter, START + self._number, 0, (quantity,), (float(self._number),))

    # --- lives ---------------------------------------------------------------------------------

    async def live(self, *, kill_at: str = "", mess: float = 0.0) -> None:
        """Deliver all pending batches to one life of the ingest, and its acknowledgements back.

        Args:
            kill_at: step at which it is killed: written, quarantined, recorded or acknowledging.
            mess: share of messages and acknowledgements that are lost, doubled or held back.
        """

        def step(name: str) -> None:
            if name == kill_at:
                self.kills[name] += 1
                raise Killed

        store = FaultyStore(self._path / "store.sqlite", self.refused, lambda: step("written"))
        quarantine = self.quarantine()
        receipts = ReceiptFile(self._path / "q")
        metrics, log = Metrics(), observe.log("test")
        clock = SteppedClock(NOW, 0)
        writer = QuarantineWriter(quarantine, metrics=metrics, clock=clock, log=log)

        async def write_quarantine(
            batches: Sequence[Sequence[QuarantineItem]], others: Sequence[QuarantineItem]
        ) -> Sequence[bool]:
            taken = await writer.write(batches, others)
            step("quarantined")
            return taken

        async def record(seen: Mapping[tuple[str, str], Iterable[int]]) -> None:
            await asyncio.to_thread(receipts.add, seen, NOW)
            step("recorded")

        async def acknowledge(agent: str, ack: Ack) -> None:
            self._deliver(next(one for one in self.agents if one.name == agent), ack, mess)
            step("acknowledging")

        loop = asyncio.get_running_loop()
        points = PointWriter(
            store, LateDays(self._site.site, clock), loop.time, metrics=metrics, log=log
        )
        batcher = Batcher(
            BatchSettings(max_delay_s=0),
            points,
            write_quarantine,
            acknowledge,
            record,
            metrics=metrics,
        )
        running = asyncio.create_task(batcher.run())
        try:
            for topic, payload in self._traffic(mess):
                batcher.add(self.checker().check(topic, payload, NOW))
            await self._until_idle(running, metrics)
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError, Killed):
                await running
            await store.close()
            quarantine.close()
            receipts.close()

    def checker(self) -> MessageChecker:
        """The checks of the site as it is now."""
        site = self._site.site
        if self.knows_later:
            new = [msgspec.structs.replace(site.meters[meter], id=UNKNOWN) for meter in ("e-main",)]
            site = msgspec.structs.replace(site, meter=(*site.meter, *new))
        return MessageChecker(site, self._site.models)

    def quarantine(self) -> Quarantine:
        """Open the quarantine; on a full disk its file can't grow."""
        quarantine = Quarantine(self._path / "q", self.quarantine_bytes, 10**6)
        if self.disk_is_full:
            quarantine.usage(acknowledged=True)
            connection = quarantine._connection
            assert connection is not None
            (pages,) = connection.execute("PRAGMA page_count").fetchone()
            connection.execute(f"PRAGMA max_page_count = {pages}")
        return quarantine

    async def replay(self) -> int:
        """Send everything in the quarantine again; return the samples that were stored."""
        quarantine = self.quarantine()
        store = FaultyStore(self._path / "store.sqlite", self.refused, lambda: None)
        try:
            report = await replay(
                quarantine,
                EntryFilter(),
                self.checker(),
                store,
                LateDays(self._site.site, SteppedClock(NOW, 0)),
                NOW,
                lambda _: None,
            )
            return report.stored
        finally:
            quarantine.close()
            await store.close()

    # --- what came of it ------------------------------------------------------------------------

    async def stored(self) -> Counter[Sample]:
        """Return the samples in the store, each as often as it is stored."""
        store = SqliteStore(self._path / "store.sqlite")
        found: Counter[Sample] = Counter()
        try:
            for medium, quantity in (("electricity", "energy_kwh"), ("water", "volume_m3")):
                for series in await store.read(medium, quantity, where={}, start_ms=0, end_ms=NOW):
                    rows = zip(series.times_ms.tolist(), series.values.tolist(), strict=True)
                    for time_ms, value in rows:
                        one = Sample(series.tags["meter"], time_ms, 0, (quantity,), (value,))
                        found[one] += 1
        finally:
            await store.close()
        return found

    def quarantined(self) -> Counter[Sample]:
        """Return the samples in the quarantine, each as often as it is there."""
        quarantine = self.quarantine()
        try:
            return Counter(
                sample
                for entry in quarantine.entries(EntryFilter())
                for sample in mqtt_messages.decode_batch(entry.item.payload).samples
            )
        finally:
            quarantine.close()

    @property
    def truth(self) -> set[Sample]:
        """All samples that were read."""
        return {sample for agent in self.agents for sample in agent.samples}

    # --- in between ----------------------------------------------------------------------------

    def _traffic(self, mess: float) -> list[tuple[str, bytes]]:
        messages = [
            (agent.topic, mqtt_messages.encode_batch(batch))
            for agent in self.agents
            for batch in agent.pending.values()
            if self.chance.random() >= mess / 2
        ]
        messages += [one for one in messages if self.chance.random() < mess]
        self.chance.shuffle(messages)
        return messages

    def _deliver(self, agent: ModelAgent, ack: Ack, mess: float) -> None:
        fate = self.chance.random()
        if fate < mess / 4:
            return  # lost
        if fate < mess / 2:
            self.held_back.append((agent, ack))
            return
        agent.hear(ack)
        if fate < mess:
            agent.hear(ack)
        while self.held_back and self.chance.random() < mess:
            late_agent, late = self.held_back.pop(self.chance.randrange(len(self.held_back)))
            late_agent.hear(late)

    async def _until_idle(self, running: "asyncio.Task[None]", metrics: Metrics) -> None:
        async with asyncio.timeout(PATIENCE_S):
            waiting = metrics.registry.get_sample_value
            while not running.done() and waiting("jieneng_ingest_waiting_points"):  # noqa: ASYNC110 - a metric has no event
                await asyncio.sleep(0.001)
