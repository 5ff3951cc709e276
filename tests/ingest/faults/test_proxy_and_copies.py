"""Real brokers and processes: a proxy that duplicates and reorders, and a copy that is killed."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import aiomqtt
import msgspec
import pytest

from jieneng.metering import mqtt_messages
from jieneng.mqtt import broker
from jieneng.mqtt.broker import BrokerSettings
from jieneng.site_folder import SiteFolder
from tests.ingest.agent import SITE, connected
from tests.ingest.faults.booked_agent import BATCHES, BookedAgent
from tests.ingest.test_app import (
    copy,
    running,
    settings_for,
)
from tests.servers import Mosquitto


@pytest.fixture
def folder(example: SiteFolder, tmp_path: Path) -> SiteFolder:
    return msgspec.structs.replace(example, path=tmp_path)


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
    await agent.check(folder, settings_for(mosquitto))


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
        await agent.check(folder, settings_for(mosquitto))
    finally:
        near.stop()
