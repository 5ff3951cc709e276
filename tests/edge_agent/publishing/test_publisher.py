"""The publisher while its spool can't be read, and when it is cancelled."""

import asyncio
import itertools
from collections.abc import Collection, Sequence
from functools import partial
from typing import Any

import aiomqtt
import pytest

from edge_agent.publishing.in_flight import InFlight
from edge_agent.publishing.message_limit import MessageLimit
from edge_agent.publishing.publisher import Publisher
from edge_agent.settings import PublishSettings
from edge_agent.spool.queued_batch import BatchKey, QueuedBatch, QueueEnds, QueueEntry
from edge_agent.spool.sample_counts import SampleCounts
from jieneng import observe
from jieneng.clock import SystemClock
from jieneng.metering.errors import SpoolUnavailable
from jieneng.mqtt.broker import BrokerSettings
from tests.edge_agent.agent_setup import AGENT, SITE, health, running, until
from tests.patience import PATIENCE_S

LOG = observe.log("test")
BOOT = "aaaaaaaa"


class Broken:
    """A spool of one batch, that can be read or not. It never changes, so nobody is woken by it.

    Attributes:
        readable: whether it can be.
        looks: how often somebody tried.
    """

    def __init__(self, *, readable: bool) -> None:
        self.readable = readable
        self.looks = 0
        self.changed = asyncio.Event()
        self.counts = SampleCounts(size_bytes=10)

    async def ends(
        self,
        _: int,
        under_way: Collection[BatchKey] = (),
        parked: tuple[int, int] | None = None,
    ) -> QueueEnds:
        self.looks += 1
        await asyncio.sleep(0)
        if not self.readable:
            raise SpoolUnavailable("disk I/O error")
        only = [QueueEntry((BOOT, 1), 10)]
        return QueueEnds(only, only)

    async def read(self, keys: Sequence[BatchKey]) -> list[QueuedBatch]:
        return [QueuedBatch(*key, 1, b"x") for key in keys]


class Client:
    published = 0

    async def deliver(self, *_: object, **__: object) -> int:
        self.published += 1
        return 0


def publisher(spool: Any) -> Publisher:
    return Publisher(
        spool,
        site=SITE,
        agent=AGENT,
        boot=BOOT,
        broker_settings=BrokerSettings(),
        settings=PublishSettings(),
        limit=MessageLimit(),
        take_number=partial(next, itertools.count(1)),
        clock=SystemClock(),
        log=LOG,
        health=health(),
    )


def sending(spool: Any, client: Any) -> Any:
    return running(publisher(spool)._send(client, InFlight(0.05, 10)))


async def test_a_spool_that_can_not_be_read_is_not_looked_at_without_a_pause(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("edge_agent.publishing.outbox._UNREADABLE_RETRY_S", 3600.0)
    spool, client = Broken(readable=True), Client()
    async with sending(spool, client):
        await until(lambda: client.published == 1)
        spool.readable = False
        spool.looks = 0
        await asyncio.sleep(0.2)  # the batch has long been due again
        assert spool.looks == 1


async def test_a_spool_that_can_be_read_again_is_looked_at_although_nothing_changed() -> None:
    spool, client = Broken(readable=False), Client()
    async with sending(spool, client):
        await until(lambda: spool.looks == 1)
        spool.readable = True
        await until(lambda: client.published)


async def test_one_that_is_told_to_end_while_its_broker_goes_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """asyncio's group of tasks (3.11) forgets a cancellation where one of its tasks fails then."""

    async def breaks_off() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise aiomqtt.MqttError("it is gone") from None

    async def connection() -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(breaks_off())

    one = publisher(Broken(readable=True))
    monkeypatch.setattr(one, "_connection", connection)  # no broker goes at a given turn
    task = asyncio.create_task(one.run())
    await asyncio.sleep(0.01)
    task.cancel()
    done, _ = await asyncio.wait([task], timeout=PATIENCE_S)
    assert done, "the cancellation was forgotten"
    assert task.cancelled()
