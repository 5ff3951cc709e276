"""Measure how fast a backlog of a million readings in the spool is stored.

`keeping` measures the agent alone, with a consumer that stores nothing. Here all services run with
their defaults: `jieneng edge run`, mosquitto, `jieneng ingest run` and a store. The agent goes on
polling 64 meters with 20 quantities every 10 s, which is the live rate (128 readings/s), and the
live readings have to be stored too. A reading is one value of one quantity. The backlog has one
sample in each batch, as at such a site.

A batch counts when the ingest has acknowledged it; at the end the number of stored values is
checked. The rate is limited by the ingest, which acknowledges twice a second, and by the agent's
window of 100 batches: 200 batches/s, or 31 times the live rate, is the highest rate with these
defaults. The rate is constant, so only the first minute is measured; the whole backlog would take
four and a half minutes.
"""

import asyncio
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from os import environ
from pathlib import Path
from statistics import median
from typing import Final

import aiomqtt
import msgspec

from edge_agent.settings import SpoolSettings
from edge_agent.spool.queued_batch import QueuedBatch
from edge_agent.spool.spool import Spool
from jieneng import observe
from jieneng.metering import mqtt_messages
from jieneng.metering.reading import Batch, PollReport, Sample
from jieneng.mqtt import broker
from jieneng.mqtt.broker import BrokerSettings
from jieneng.storage import StoreSettings, open_store
from tests.bench.meters import NAMES, Meters
from tests.bench.process import cpu_s
from tests.bench.result import Result
from tests.bench.site import AGENT, PROGRAM, SITE, meter_id, write_site
from tests.servers import Influx, Mosquitto

_METERS: Final = 64
_INTERVAL_S: Final = 10
_LIVE_RATE: Final = _METERS * len(NAMES) / _INTERVAL_S
_BATCHES: Final = 1_000_000 // len(NAMES)
_BACKLOG_S: Final = _BATCHES / _METERS * _INTERVAL_S
_START_S: Final = 60.0
_MEASURED_S: Final = 60.0
_OLD, _HELLO = "aaaaaaaa", "cccccccc"


class _Drain(msgspec.Struct):
    """The measured values of a drain.

    Attributes:
        seconds: time from the first sent batch to the last acknowledgement.
        acknowledged: sequence numbers of the acknowledged batches of the backlog.
        latencies_s: time from the first sample to the acknowledgement, for each live batch.
        ingest_cpu_s: CPU time of the ingest.
    """

    seconds: float = 0.0
    acknowledged: set[int] = msgspec.field(default_factory=set)
    latencies_s: list[float] = msgspec.field(default_factory=list)
    ingest_cpu_s: float = 0.0


def results() -> Iterator[Result]:
    """A drain into each store that is installed."""
    if not _installed("mosquitto"):
        sys.stderr.write("draining: mosquitto is not installed, so nothing is measured\n")
        return
    yield from _results("sqlite")
    if _installed("influxd"):
        yield from _results("influx")
    else:
        sys.stderr.write("draining: influxd is not installed, so only SQLite is measured\n")


def _installed(program: str) -> bool:
    path = environ["PATH"] + ":/usr/sbin:/usr/local/sbin"
    return shutil.which(program, path=path) is not None


def _results(kind: str) -> Iterator[Result]:
    with tempfile.TemporaryDirectory() as folder:
        drain = asyncio.run(_measure(Path(folder), kind))
    readings = len(drain.acknowledged) * len(NAMES)
    rate = readings / drain.seconds
    for what, value, unit, bar in (
        ("drain", rate, "readings/s", ""),
        ("drain_to_live", rate / _LIVE_RATE, "times the live rate", ">= 20"),
        ("drained", readings, f"readings of {_BATCHES * len(NAMES)}", ""),
        ("ingest_cpu", drain.ingest_cpu_s / readings * 1e6, "us/reading", ""),
        (
            "live_latency",
            median(drain.latencies_s),
            "s, from the meter's answer to the acknowledgement",
            "",
        ),
        (
            "live_latency_latest",
            max(drain.latencies_s),
            "s, of the latest live batch while the backlog drains",
            "",
        ),
    ):
        yield Result(bench=f"draining.{what}_{kind}", value=value, unit=unit, bar=bar)


async def _measure(folder: Path, kind: str) -> _Drain:
    first_ms = int((time.time() - _BACKLOG_S) * 1000)
    meters = Meters(_METERS)
    async with meters.listening(), _servers(folder, kind) as (port, settings):
        write_site(folder, meters, port, _INTERVAL_S)
        (folder / "ingest.toml").write_text(
            f'[broker]\nport = {port}\n[store]\nkind = "{settings.kind}"\nurl = "{settings.url}"\n'
        )
        await _fill(folder / f"spool-{AGENT}.sqlite", meters, first_ms)
        drain = _Drain()
        async with broker.client(BrokerSettings(port=port), "bench") as client:
            await client.subscribe(mqtt_messages.topic(SITE, AGENT, "ack"), qos=1)
            with _service(folder, "ingest") as ingest:
                await _answered(client)
                await client.subscribe(mqtt_messages.topic(SITE, AGENT, "batch"), qos=0)
                cpu = cpu_s(ingest.pid)
                with _service(folder, "edge"):
                    await _hear(client, drain)
                    drain.ingest_cpu_s = cpu_s(ingest.pid) - cpu
        store = open_store(settings, folder)
        found = await store.read(
            "electricity",
            NAMES[0],
            where={"site": SITE},
            start_ms=first_ms,
            end_ms=first_ms + int(_BACKLOG_S * 1000),
        )
        await store.close()
        assert sum(len(series.values) for series in found) >= len(drain.acknowledged)
        return drain


@asynccontextmanager
async def _servers(folder: Path, kind: str) -> AsyncIterator[tuple[int, StoreSettings]]:
    """The broker's port, and the store."""
    mosquitto = Mosquitto(folder / "mosquitto").start()
    try:
        if kind == "sqlite":
            yield mosquitto.port, StoreSettings()
        else:
            influx = Influx(folder / "influx").start()
            try:
                yield mosquitto.port, StoreSettings(kind="influx", url=influx.url)
            finally:
                influx.stop()
    finally:
        mosquitto.stop()


@contextmanager
def _service(folder: Path, name: str) -> Iterator[subprocess.Popen[bytes]]:
    """A service of the site in this folder."""
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, name, "run", "--site", str(folder)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


async def _fill(file: Path, meters: Meters, first_ms: int) -> None:
    """Put the backlog into the agent's spool."""
    chance = random.Random(1)
    ids = [meter_id(link, unit) for link, unit in meters]
    between_ms = _INTERVAL_S * 1000 / _METERS

    def row(number: int) -> QueuedBatch:
        values = tuple(round(chance.uniform(200, 240), 2) for _ in NAMES)
        time_ms = first_ms + int(number * between_ms)
        sample = Sample(ids[number % _METERS], time_ms, 0, tuple(NAMES), values)
        batch = Batch(AGENT, _OLD, number + 1, (sample,))
        return QueuedBatch(_OLD, batch.seq, 1, mqtt_messages.encode_batch(batch))

    spool = Spool(file, SpoolSettings().max_bytes, observe.log("bench"))
    for first in range(0, _BATCHES, 1000):
        await spool.put([row(n) for n in range(first, min(first + 1000, _BATCHES))])
    await spool.close()


async def _answered(client: aiomqtt.Client) -> None:
    """Return when the ingest listens; a batch that is published earlier has to wait until it is
    repeated.
    """
    poll = PollReport(meter_id(0, 1), time.time_ns() // 1_000_000, True, 0, 1)
    hello = mqtt_messages.encode_batch(Batch(AGENT, _HELLO, 1, (), (poll,)))

    async def ask() -> None:
        while True:
            await client.publish(mqtt_messages.topic(SITE, AGENT, "batch"), hello, qos=1)
            await asyncio.sleep(0.2)

    async with asyncio.timeout(_START_S):
        asking = asyncio.create_task(ask())
        try:
            await anext(aiter(client.messages))
        finally:
            asking.cancel()


async def _hear(client: aiomqtt.Client, drain: _Drain) -> None:
    """Listen to both sides until the backlog is gone, or the measurement is over."""
    loop = asyncio.get_running_loop()
    read_s: dict[tuple[str, int], float] = {}
    began_s = 0.0
    with suppress(TimeoutError):
        async with asyncio.timeout(_START_S) as limit:
            async for message in client.messages:
                assert isinstance(message.payload, bytes)
                if message.topic.value.endswith("/batch"):
                    batch = mqtt_messages.decode_batch(message.payload)
                    if batch.boot == _OLD and not began_s:
                        began_s = loop.time()
                        limit.reschedule(began_s + _MEASURED_S)
                    elif batch.boot != _OLD and batch.samples:
                        read_s[batch.boot, batch.seq] = batch.samples[0].time_ms / 1000
                    continue
                ack = mqtt_messages.decode_ack(message.payload)
                for seq in (seq for first, last in ack.stored for seq in range(first, last + 1)):
                    if ack.boot == _OLD:
                        drain.acknowledged.add(seq)
                        drain.seconds = loop.time() - began_s
                    elif (ack.boot, seq) in read_s:
                        drain.latencies_s.append(time.time() - read_s.pop((ack.boot, seq)))
                if len(drain.acknowledged) == _BATCHES:
                    return
