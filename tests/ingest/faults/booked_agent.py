"""An agent on a real broker, with the books of a spool."""

import asyncio
from collections import Counter
from collections.abc import Sequence

from ingest.settings import IngestSettings
from jieneng.metering import mqtt_messages
from jieneng.metering.reading import Batch
from jieneng.site_folder import SiteFolder
from tests.ingest.agent import FakeAgent, sample
from tests.ingest.faults.fault_rig import ModelAgent
from tests.ingest.test_app import quarantined, reading, stored
from tests.patience import PATIENCE_S

#: Batches of three samples, of which one is of a meter that the site does not have.
BATCHES = 60


class BookedAgent:
    """An agent on a broker, with the books of a spool."""

    def __init__(self, agent: FakeAgent, batches: int = BATCHES) -> None:
        self.agent = agent
        self.books = ModelAgent(agent.name)
        self._count = batches
        for seq in range(1, batches + 1):
            numbers = range(3 * seq, 3 * seq + 3)
            self.books.take([sample(n, "e-main" if n % 3 else "e-nosuch") for n in numbers])
        self._heard = 0

    @property
    def batches(self) -> Sequence[Batch]:
        return list(self.books.pending.values())

    async def send_until_done(self, wanted: int = 0) -> None:
        """Send again and again until a number of batches are pending."""
        async with asyncio.timeout(PATIENCE_S):
            while len(self.books.pending) > wanted:
                await self.send_once()
                await asyncio.sleep(0.2)
                while self._heard < len(self.agent.acks):
                    self.books.hear(self.agent.acks[self._heard])
                    self._heard += 1

    async def send_once(self) -> None:
        """Send each pending batch."""
        for one in self.batches:
            await self.agent.send(one)

    async def check(self, folder: SiteFolder, settings: IngestSettings) -> None:
        """Each sample is in one place: two of three in the store, one in the quarantine."""
        assert self.books.is_balanced
        assert (self.books.stored, self.books.quarantined) == (2 * self._count, self._count)
        good = [n for n in range(3, 3 * self._count + 3) if n % 3]
        async with reading(folder, settings) as store:
            assert await stored(store) == good
        kept = Counter(
            (one.time_ms, one.meter)
            for item in quarantined(folder)
            for one in mqtt_messages.decode_batch(item.payload).samples
        )
        assert len(kept) == kept.total() == self._count
