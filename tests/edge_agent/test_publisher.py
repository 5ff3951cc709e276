"""What the publisher does while its spool can't be read."""

import asyncio
from collections.abc import Collection, Sequence
from typing import Any

from edge_agent.batches import Row
from edge_agent.config import PublishSettings
from edge_agent.publisher import Publisher
from edge_agent.tally import Counts
from edge_agent.window import Ends, Entry, Key, Window
from jieneng import observe
from jieneng.broker import BrokerSettings
from jieneng.clock import SystemClock
from jieneng.metering.errors import SpoolUnavailable
from tests.edge_agent.scene import AGENT, SITE, health, running, until

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
        self.counts = Counts(size_bytes=10)

    async def ends(self, _: int, under_way: Collection[Key] = ()) -> Ends:
        self.looks += 1
        await asyncio.sleep(0)
        if not self.readable:
            raise SpoolUnavailable("disk I/O error")
        only = [Entry((BOOT, 1), 10)]
        return Ends(only, only)

    async def read(self, keys: Sequence[Key]) -> list[Row]:
        return [Row(*key, 1, b"x") for key in keys]


class Client:
    published = 0

    async def publish(self, *_: object, **__: object) -> None:
        self.published += 1


def sending(spool: Any, client: Any) -> Any:
    publisher = Publisher(
        spool,
        site=SITE,
        agent=AGENT,
        boot=BOOT,
        broker_settings=BrokerSettings(),
        settings=PublishSettings(),
        clock=SystemClock(),
        log=LOG,
        health=health(),
    )
    return running(publisher._send(client, Window(0.05, 10)))


async def test_a_spool_that_can_not_be_read_is_not_looked_at_without_a_pause() -> None:
    spool, client = Broken(readable=True), Client()
    async with sending(spool, client):
        await until(lambda: client.published == 1)
        spool.readable = False
        spool.looks = 0
        await asyncio.sleep(0.5)  # the batch has long been due again
        assert spool.looks == 1


async def test_a_spool_that_can_be_read_again_is_looked_at_although_nothing_changed() -> None:
    spool, client = Broken(readable=False), Client()
    async with sending(spool, client):
        await until(lambda: spool.looks == 1)
        spool.readable = True
        await until(lambda: client.published)
