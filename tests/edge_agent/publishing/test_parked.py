"""Batches that are never acknowledged, through a real broker: no other batch waits for them."""

import itertools
from collections.abc import Callable
from functools import partial
from pathlib import Path

import aiomqtt

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
POISON = 1000


def row(boot: str, seq: int) -> QueuedBatch:
    sample = Sample("e-1", 1_795_000_000_000 + seq, 0, ("energy_kwh",), (float(seq),))
    return QueuedBatch(boot, seq, 1, mqtt_messages.encode_batch(Batch(AGENT, boot, seq, (sample,))))


class Choosy:
    """An ingest that acknowledges the batches that it likes, and says nothing to the others.

    Attributes:
        likes: tells which batches it acknowledges.
        stored: their names.
        listens: True once it has subscribed.
    """

    def __init__(self, port: int) -> None:
        self.likes: Callable[[tuple[str, int]], bool] = lambda key: key[0] == NEW
        self.stored: set[tuple[str, int]] = set()
        self.listens = False
        self._port = port

    async def run(self) -> None:
        async with broker.client(BrokerSettings(port=self._port), "ingest") as client:
            await client.subscribe(mqtt_messages.topic(SITE, AGENT, "batch"), qos=1)
            self.listens = True
            async for message in client.messages:
                await self._take(client, message)

    async def _take(self, client: aiomqtt.Client, message: aiomqtt.Message) -> None:
        assert isinstance(message.payload, bytes)
        batch = mqtt_messages.decode_batch(message.payload)
        key = (batch.boot, batch.seq)
        if self.likes(key):
            self.stored.add(key)
            ack = mqtt_messages.encode_ack(Ack(batch.boot, ((batch.seq, batch.seq),)))
            await client.publish(mqtt_messages.topic(SITE, AGENT, "ack"), ack, qos=1)


async def test_a_thousand_batches_that_can_not_pass_stop_no_live_one(
    mosquitto: Mosquitto, tmp_path: Path
) -> None:
    """First they fill the window; then live batches pass; when the cause is removed, all are
    stored.
    """
    ingest = Choosy(mosquitto.port)
    spool = Spool(tmp_path / "s", 10**8, LOG)
    await spool.put([row(OLD, seq) for seq in range(1, POISON + 1)])
    publisher = Publisher(
        spool,
        site=SITE,
        agent=AGENT,
        boot=NEW,
        broker_settings=BrokerSettings(port=mosquitto.port),
        settings=PublishSettings(window=50, ack_timeout_s=0.02),
        limit=MessageLimit(),
        take_number=partial(next, itertools.count(1)),
        clock=SystemClock(),
        log=LOG,
        health=health(),
    )
    async with running(ingest.run()):
        await until(lambda: ingest.listens)
        async with running(publisher.run()):
            await until(lambda: publisher.counts.published > 100)
            seq = 0
            while publisher.counts.parked < POISON:
                seq += 1
                await spool.put([row(NEW, seq)])
                await until(lambda: (NEW, seq) in ingest.stored)  # noqa: B023 - waited for here
            await until(lambda: spool.counts.pending == POISON)
            assert not (await spool.ends(10)).oldest
            ingest.likes = lambda _: True
            await until(lambda: spool.counts.pending == 0)
    assert spool.counts.stored == POISON + seq
    await spool.close()
