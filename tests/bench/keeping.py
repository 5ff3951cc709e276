"""Measure how fast a backlog of a million readings leaves the spool after the broker is back.

A reading is one value of one quantity; 20 of them are a sample. A real mosquitto passes them to a
consumer that decodes and acknowledges each batch; at the end the spool is empty. The agent's
publisher and spool are a process of their own; the consumer is in this process.

The required rate is 20 times the live rate. Two live rates are measured: a site of 64 meters that
are read every 10 s (128 readings/s), mostly with one sample in a batch, and the fleet of the other
bench, 1,000 meters every second (20,000 readings/s), with 200 samples in a batch. With the first
rate, the delay of live batches during the backlog is measured too.
"""

import asyncio
import itertools
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from os import environ
from pathlib import Path

import aiomqtt
import msgspec

from edge_agent.publishing.message_limit import MessageLimit
from edge_agent.publishing.publisher import Publisher
from edge_agent.settings import PublishSettings
from edge_agent.spool.queued_batch import QueuedBatch
from edge_agent.spool.spool import Spool
from jieneng import observe
from jieneng.clock import SystemClock
from jieneng.metering import mqtt_messages
from jieneng.metering.quantities import QUANTITIES
from jieneng.metering.reading import Ack, Batch, Sample
from jieneng.mqtt import broker
from jieneng.mqtt.broker import BrokerSettings
from tests.bench.process import cpu_s
from tests.bench.result import Result
from tests.edge_agent.agent_setup import health
from tests.servers import Mosquitto

_READINGS = 1_000_000
_NAMES = tuple(sorted(name for name, row in QUANTITIES.items() if "electricity" in row.media)[:20])
_VALUES = tuple(231.7 + number for number in range(len(_NAMES)))
_OLD, _LIVE = "aaaaaaaa", "bbbbbbbb"


class _Shape(msgspec.Struct, frozen=True):
    """A site: its samples in a batch, its live rate [readings/s], and between live batches [s]."""

    name: str
    samples: int
    live_rate: float
    interval_s: float


_SHAPES = (
    _Shape("64_meters_10_s", 1, 64 * 20 / 10, 10 / 64),
    _Shape("1000_meters_1_s", 200, 1000 * 20 / 1, 0.2),
)


def results() -> Iterator[Result]:
    """A drain of each shape, with live batches among it."""
    path = environ["PATH"] + ":/usr/sbin:/usr/local/sbin"
    if shutil.which("mosquitto", path=path) is None:
        sys.stderr.write("keeping: mosquitto is not installed, so nothing is measured\n")
        return
    for shape in _SHAPES:
        with tempfile.TemporaryDirectory() as folder:
            seconds, cpu, latest_s = asyncio.run(_measure(Path(folder), shape))
        rate = _READINGS / seconds
        yield Result(bench=f"keeping.drain_{shape.name}", value=rate, unit="readings/s")
        yield Result(
            bench=f"keeping.drain_to_live_{shape.name}",
            value=rate / shape.live_rate,
            unit="times the live rate",
            bar=">= 20",
        )
        yield Result(
            bench=f"keeping.drain_cpu_{shape.name}", value=cpu / _READINGS * 1e6, unit="us/reading"
        )
        yield Result(
            bench=f"keeping.live_latency_{shape.name}",
            value=latest_s,
            unit="s, of the latest live batch while the backlog drains",
        )


async def _measure(folder: Path, shape: _Shape) -> tuple[float, float, float]:
    server = Mosquitto(folder / "mosquitto").start()
    batches = _READINGS // len(_NAMES) // shape.samples
    spool = Spool(folder / "spool", 2**30, observe.log("bench"))
    for first in range(1, batches + 1, 1000):
        numbers = range(first, min(first + 1000, batches + 1))
        await spool.put([_row(_OLD, number, shape.samples) for number in numbers])
    await spool.close()
    consumer = _Consumer(batches)
    try:
        async with broker.client(BrokerSettings(port=server.port), "ingest") as client:
            await client.subscribe(mqtt_messages.topic("bench", "agent", "batch"), qos=1)
            arguments = map(str, (folder, server.port, shape.samples, shape.interval_s))
            agent = subprocess.Popen(  # noqa: ASYNC220 - starts at once
                [sys.executable, "-m", "tests.bench.keeping", *arguments],
                stderr=subprocess.DEVNULL,
            )
            await consumer.run(client)
            cpu = cpu_s(agent.pid)
            agent.terminate()
            agent.wait()
    finally:
        server.stop()
    return consumer.seconds, cpu, consumer.latest_s


class _Consumer:
    """An ingest that stores nothing, and ends after a number of batches of the backlog."""

    def __init__(self, batches: int) -> None:
        self.seconds = 0.0
        self.latest_s = 0.0
        self._wanted = batches

    async def run(self, client: aiomqtt.Client) -> None:
        began_s, came = 0.0, set[int]()
        topic = mqtt_messages.topic("bench", "agent", "ack")
        acks: list[tuple[str, int]] = []
        async for message in client.messages:
            began_s = began_s or time.perf_counter()
            assert isinstance(message.payload, bytes)
            batch = mqtt_messages.decode_batch(message.payload)
            acks.append((batch.boot, batch.seq))
            if batch.boot == _OLD:
                came.add(batch.seq)
            else:
                late_s = time.time() - batch.samples[0].time_ms / 1000
                self.latest_s = max(self.latest_s, late_s)
            if not len(client.messages) or len(acks) >= 100:  # as the ingest acknowledges a write
                for boot in {boot for boot, _ in acks}:
                    stored = tuple((seq, seq) for one, seq in acks if one == boot)
                    await client.publish(topic, mqtt_messages.encode_ack(Ack(boot, stored)))
                acks = []
            if len(came) == self._wanted:
                self.seconds = time.perf_counter() - began_s
                return


def _row(boot: str, seq: int, samples: int) -> QueuedBatch:
    now_ms = time.time_ns() // 1_000_000
    some = tuple(Sample(f"meter-{n:04}", now_ms, 0, _NAMES, _VALUES) for n in range(samples))
    return QueuedBatch(
        boot, seq, samples, mqtt_messages.encode_batch(Batch("agent", boot, seq, some))
    )


async def _agent(folder: Path, port: int, samples: int, interval_s: float) -> None:
    """Publish the spool, and put live batches into it."""
    log = observe.log("bench")
    spool = Spool(folder / "spool", 2**30, log)
    await spool.open()
    publisher = Publisher(
        spool,
        site="bench",
        agent="agent",
        boot=_LIVE,
        broker_settings=BrokerSettings(port=port),
        settings=PublishSettings(),
        limit=MessageLimit(),
        take_number=partial(next, itertools.count(1)),
        clock=SystemClock(),
        log=log,
        health=health(),
    )
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(publisher.run())
        seq = 0
        while True:
            seq += 1
            await spool.put([_row(_LIVE, seq, samples)])
            await asyncio.sleep(interval_s)


if __name__ == "__main__":
    asyncio.run(_agent(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])))
