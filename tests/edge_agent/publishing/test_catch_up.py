"""A backlog and live readings, through a real broker."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Literal

import aiomqtt
import pytest

from edge_agent.publishing.message_limit import MessageLimit
from edge_agent.publishing.publisher import Publisher
from edge_agent.settings import PublishSettings
from edge_agent.spool.queued_batch import QueuedBatch
from edge_agent.spool.spool import Spool
from jieneng import observe
from jieneng.clock import SystemClock
from jieneng.metering import mqtt_messages
from jieneng.metering.reading import Ack, Batch, Sample
from jieneng.mqtt import broker
from jieneng.mqtt.broker import BrokerSettings
from tests.edge_agent.agent_setup import AGENT, SITE, health, running, until
from tests.servers import Mosquitto

LOG = observe.log("test")
OLD, NEW = "aaaaaaaa", "bbbbbbbb"
BACKLOG = 800  # eight times the window


def row(boot: str, seq: int) -> QueuedBatch:
    sample = Sample("e-1", 1_795_000_000_000 + seq, 0, ("energy_kwh",), (float(seq),))
    return QueuedBatch(boot, seq, 1, mqtt_messages.encode_batch(Batch(AGENT, boot, seq, (sample,))))


class Slow:
    """An ingest that acknowledges one batch when it is told to.

    Attributes:
        came: the names of the batches, as they came.
    """

    def __init__(self, port: int) -> None:
        self.came: list[tuple[str, int]] = []
        self.acked = 0
        self._port = port
        self._client: aiomqtt.Client | None = None

    async def run(self) -> None:
        async with broker.client(BrokerSettings(port=self._port), "ingest") as one:
            await one.subscribe(mqtt_messages.topic(SITE, AGENT, "batch"), qos=1)
            self._client = one
            async for message in one.messages:
                assert isinstance(message.payload, bytes)
                batch = mqtt_messages.decode_batch(message.payload)
                self.came.append((batch.boot, batch.seq))

    @property
    def listens(self) -> bool:
        return self._client is not None

    async def acknowledge_next(self) -> None:
        """Acknowledge the first batch that is not yet acknowledged."""
        await until(lambda: len(self.came) > self.acked)
        assert self._client is not None
        boot, seq = self.came[self.acked]
        self.acked += 1
        ack = mqtt_messages.encode_ack(Ack(boot, ((seq, seq),)))
        await self._client.publish(mqtt_messages.topic(SITE, AGENT, "ack"), ack, qos=1)


@asynccontextmanager
async def backlog(
    folder: Path,
    port: int,
    window: int,
    catch_up: Literal["oldest", "newest"],
    protocol: Literal["auto", "5", "3.1.1"] = "auto",
) -> AsyncIterator[tuple[Spool, Publisher]]:
    spool = Spool(folder / "s", 10**8, LOG)
    await spool.put([row(OLD, seq) for seq in range(1, BACKLOG + 1)])
    how = PublishSettings(window=window, catch_up=catch_up, ack_timeout_s=3600)
    publisher = Publisher(
        spool,
        site=SITE,
        agent=AGENT,
        boot=NEW,
        broker_settings=BrokerSettings(port=port, protocol=protocol),
        settings=how,
        limit=MessageLimit(),
        take_number=partial(next, itertools.count(1)),
        clock=SystemClock(),
        log=LOG,
        health=health(),
    )
    try:
        yield spool, publisher
    finally:
        await spool.close()


def came(ingest: Slow, batches: int) -> bool:
    return len(ingest.came) >= batches


@pytest.mark.parametrize("catch_up", ["oldest", "newest"])
async def test_live_batches_pass_a_backlog(
    mosquitto: Mosquitto, tmp_path: Path, catch_up: Literal["oldest", "newest"]
) -> None:
    """Counted in places, not in seconds: a live batch waits for the next place or the one after it,
    behind what is under way already, however long the queue is."""
    window, ingest = 10, Slow(mosquitto.port)
    async with (
        running(ingest.run()),
        backlog(tmp_path, mosquitto.port, window, catch_up) as (spool, publisher),
    ):
        await until(lambda: ingest.listens)
        async with running(publisher.run()):
            await until(lambda: len(ingest.came) == window)
            for seq in range(1, 30):
                await spool.put([row(NEW, seq)])
                before = len(ingest.came)
                for answers in (1, 2):
                    await ingest.acknowledge_next()
                    await until(partial(came, ingest, before + answers))
                assert (NEW, seq) in ingest.came[before:]
                assert len(ingest.came) - ingest.acked <= window
    old = [seq for boot, seq in ingest.came if boot == OLD]
    assert len(old) == len(set(old))
    if catch_up == "oldest":  # and the backlog goes meanwhile, from both its ends
        assert set(range(1, 30)) <= set(old)
    else:
        assert min(old) > BACKLOG - 100


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
async def test_a_backlog_drains_to_the_last_batch(
    mosquitto: Mosquitto, tmp_path: Path, protocol: Literal["5", "3.1.1"]
) -> None:
    ingest = Slow(mosquitto.port)
    async with (
        running(ingest.run()),
        backlog(tmp_path, mosquitto.port, 100, "oldest", protocol) as (spool, publisher),
    ):
        await until(lambda: ingest.listens)
        async with running(publisher.run()):
            for _ in range(BACKLOG):
                await ingest.acknowledge_next()
            await until(lambda: spool.counts.pending == 0)
    assert sorted(ingest.came) == [(OLD, seq) for seq in range(1, BACKLOG + 1)]


async def test_the_window_is_what_is_under_way_whatever_is_read_meanwhile(
    mosquitto: Mosquitto, tmp_path: Path
) -> None:
    ingest = Slow(mosquitto.port)
    async with (
        running(ingest.run()),
        backlog(tmp_path, mosquitto.port, 7, "oldest") as (spool, publisher),
    ):
        await until(lambda: ingest.listens)
        async with running(publisher.run()):
            await until(lambda: len(ingest.came) == 7)
            for seq in range(1, 50):
                await spool.put([row(NEW, seq)])
                await asyncio.sleep(0)
            await ingest.acknowledge_next()
            await until(lambda: len(ingest.came) == publisher.counts.published == 8)
