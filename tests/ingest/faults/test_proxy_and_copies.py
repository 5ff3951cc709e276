"""Real brokers and processes: a proxy that doubles and reorders, two copies of which one dies."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import aiomqtt
import msgspec
import pytest

from jieneng.metering import mqtt_messages
from jieneng.metering.reading import Batch
from jieneng.mqtt import broker
from jieneng.mqtt.broker import BrokerSettings
from jieneng.site_folder import SiteFolder
from tests.ingest.agent import SITE, FakeAgent, connected, sample
from tests.ingest.faults.fault_rig import ModelAgent
from tests.ingest.test_app import (
    copy,
    quarantined,
    reading,
    running,
    settings_for,
    stored,
)
from tests.patience import PATIENCE_S
from tests.servers import Mosquitto

#: Batches of three samples, of which one is of a meter that the site does not have.
BATCHES = 60


@pytest.fixture
def folder(example: SiteFolder, tmp_path: Path) -> SiteFolder:
    return msgspec.structs.replace(example, path=tmp_path)


class BookedAgent:
    """An agent on a broker, with the books of a spool."""

    def __init__(self, agent: FakeAgent) -> None:
        self.agent = agent
        self.books = ModelAgent(agent.name)
        for seq in range(1, BATCHES + 1):
            numbers = range(3 * seq, 3 * seq + 3)
            self.books.take([sample(n, "e-main" if n % 3 else "e-nosuch") for n in numbers])
        self._heard = 0

    @property
    def batches(self) -> Sequence[Batch]:
        return list(self.books.pending.values())

    async def send_until_done(self, wanted: int = 0) -> None:
        """Send again and again until so many batches are pending."""
        async with asyncio.timeout(PATIENCE_S):
            while len(self.books.pending) > wanted:
                for one in self.batches:
                    await self.agent.send(one)
                await asyncio.sleep(0.2)
                while self._heard < len(self.agent.acks):
                    self.books.hear(self.agent.acks[self._heard])
                    self._heard += 1

    async def check(self, folder: SiteFolder, mosquitto: Mosquitto) -> None:
        """Each sample is in one place: two of three in the store, one in the quarantine."""
        assert self.books.is_balanced
        assert (self.books.stored, self.books.quarantined) == (2 * BATCHES, BATCHES)
        good = [n for n in range(3, 3 * BATCHES + 3) if n % 3]
        async with reading(folder, settings_for(mosquitto)) as store:
            assert await stored(store) == good
        kept = Counter(
            (one.time_ms, one.meter)
            for item in quarantined(folder)
            for one in mqtt_messages.decode_batch(item.payload).samples
        )
        assert len(kept) == kept.total() == BATCHES


async def test_two_copies_share_one_quarantine_and_one_of_them_dies(
    folder: SiteFolder, mosquitto: Mosquitto
) -> None:
    settings = settings_for(mosquitto)
    async with connected(mosquitto.port) as connection:
        agent = BookedAgent(connection)
        async with copy(folder, settings) as first, copy(folder, settings):
            await agent.send_until_done(BATCHES // 2)
            first.kill()
            await first.wait()
            await agent.send_until_done()
    await agent.check(folder, mosquitto)


@asynccontextmanager
async def proxy(agents: int, ingests: int) -> AsyncIterator[None]:
    """Carry batches and acknowledgements between two brokers: late, doubled, in any order."""
    chance = random.Random(5)

    async def carry(source: int, target: int, channel: mqtt_messages.Channel) -> None:
        waiting: list[tuple[str, bytes]] = []
        async with (
            broker.client(BrokerSettings(port=source), f"from-{channel}") as one,
            broker.client(BrokerSettings(port=target), f"to-{channel}") as other,
        ):
            await one.subscribe(mqtt_messages.topic(SITE, "+", channel), qos=1)

            async def pass_on() -> None:
                while True:
                    await asyncio.sleep(0.03)
                    for topic, payload in chance.sample(waiting, len(waiting) // 2 or len(waiting)):
                        await other.publish(topic, payload, qos=1)
                        if chance.random() < 0.7:  # it stays, and goes again
                            waiting.remove((topic, payload))

            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(pass_on())
                async for message in one.messages:
                    assert isinstance(message.payload, bytes)
                    waiting.append((message.topic.value, message.payload))

    tasks = [
        asyncio.create_task(carry(agents, ingests, "batch")),
        asyncio.create_task(carry(ingests, agents, "ack")),
    ]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError, aiomqtt.MqttError):
                await task


async def test_a_proxy_that_doubles_and_reorders_changes_nothing(
    folder: SiteFolder, mosquitto: Mosquitto, tmp_path: Path
) -> None:
    near = Mosquitto(tmp_path / "near").start()
    try:
        async with (
            proxy(near.port, mosquitto.port),
            running(folder, settings_for(mosquitto)),
            connected(near.port) as connection,
        ):
            agent = BookedAgent(connection)
            await agent.send_until_done()
        await agent.check(folder, mosquitto)
    finally:
        near.stop()
