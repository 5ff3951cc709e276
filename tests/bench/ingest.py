"""What a reading costs the ingest, everything included: receive, check, write, acknowledge.

A reading is one value of one quantity. The ingest is a process of its own, mosquitto and InfluxDB
1.x are real. Telegraf's `mqtt_consumer` and `outputs.influxdb` take the same readings in the same
run, from the same broker into the same server: as line protocol, which needs no check and gets no
acknowledgement. Each has its turn while the other stands still, and whoever is measured has a core
of its own if the machine has two.

Messages come as agents send them: 10 samples of 20 quantities (a fleet that is polled every second)
or one (a backlog of a small site).
"""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from statistics import median, quantiles
from typing import Final

import aiomqtt
import msgspec

from jieneng import broker
from jieneng.broker import BrokerSettings
from jieneng.metering import mqtt_messages
from jieneng.metering.reading import Batch, Sample
from tests.bench import telegraf
from tests.bench.meters import NAMES
from tests.bench.process import Cores, cpu_s, going_on, highest_resident_mb, running_on
from tests.bench.result import Result
from tests.bench.site import AGENT, PROGRAM, SITE, write_import_site
from tests.servers import Influx, Mosquitto

_METERS: Final = 50
_TURNS: Final = 5
_START_S: Final = 60.0
_CONCURRENT: Final = 8  # publishes under way at a time
_OUTSTANDING: Final = 800  # messages on their way at a time: mosquitto drops those beyond 1,020
_TELEGRAF_TOPIC: Final = "telegraf/readings"
_BACKLOG: Final = 5000  # messages that come while the database stands still
_PACED_S: Final = 5.0  # for how long latencies are measured


class _Shape(msgspec.Struct, frozen=True):
    """Size of a message [samples], and messages in a turn."""

    samples: int
    messages: int

    @property
    def readings(self) -> int:
        """Readings in a message."""
        return self.samples * len(NAMES)


_SHAPES: Final = (_Shape(10, 1500), _Shape(1, 5000))


class _Turn(msgspec.Struct, frozen=True):
    """CPU of the measured process [us a reading], and pace [readings/s]."""

    cpu_us: float
    rate: float


def results() -> Iterator[Result]:
    """CPU a reading beside Telegraf's for both sizes; memory, pace and latency."""
    path = os.environ["PATH"] + ":/usr/sbin:/usr/local/sbin"
    for program in ("mosquitto", "influxd"):
        if shutil.which(program, path=path) is None:
            sys.stderr.write(f"ingest: {program} is not installed, so nothing is measured\n")
            return
    with tempfile.TemporaryDirectory() as folder:
        yield from asyncio.run(_measure(Path(folder)))


async def _measure(folder: Path) -> list[Result]:
    cores = Cores.of_this_machine()
    found: list[Result] = []
    telegraf.program()  # built before a connection would wait for it
    with running_on(cores.others), _servers(folder) as (port, influx):
        async with broker.client(BrokerSettings(port=port), "bench") as client:
            await client.subscribe(mqtt_messages.topic(SITE, AGENT, "ack"), qos=1)
            with running_on(cores.subject):
                ours, peer = _ingest(folder, port, influx.url), _peer(folder, port, influx.url)
            try:
                bench = _Bench(client, influx, ours.pid, peer.pid if peer else None)
                await bench.wait_until_up()
                for shape in _SHAPES:
                    found += await bench.shape_results(shape)
                found += await bench.latency_results(_SHAPES[1])
                found += await bench.backlog_results(_SHAPES[0])
            finally:
                for process in filter(None, (ours, peer)):
                    process.send_signal(signal.SIGCONT)
                    process.terminate()
                    process.wait()
    return found


class _Bench:
    """The publisher of the readings, and the listener to their acknowledgements."""

    def __init__(
        self, client: aiomqtt.Client, influx: Influx, ingest_pid: int, telegraf_pid: int | None
    ) -> None:
        self._client = client
        self._influx = influx
        self._ingest_pid = ingest_pid
        self._telegraf_pid = telegraf_pid
        self._next_seq = 1
        self._next_ms = int(time.time() * 1000) - 86_400_000

    async def wait_until_up(self) -> None:
        """Return when each has stored a message, and stands still."""
        await self._first_turn(self._ingest_turn)
        if self._telegraf_pid is not None:
            await self._first_turn(self._telegraf_turn)
        for pid in filter(None, (self._ingest_pid, self._telegraf_pid)):
            os.kill(pid, signal.SIGSTOP)

    async def _first_turn(self, turn: Callable[[_Shape], Awaitable[_Turn]]) -> None:
        """Send a message until it is stored: what comes before the subscription is lost."""
        async with asyncio.timeout(_START_S):
            while True:
                with suppress(TimeoutError):
                    async with asyncio.timeout(1.0):
                        await turn(_Shape(1, 1))
                        return

    async def shape_results(self, shape: _Shape) -> list[Result]:
        """Return what messages of one size cost."""
        ours: list[_Turn] = []
        peers: list[_Turn] = []
        for _ in range(_TURNS):
            with going_on(self._ingest_pid):
                ours.append(await self._ingest_turn(shape))
            if self._telegraf_pid is not None:
                with going_on(self._telegraf_pid):
                    peers.append(await self._telegraf_turn(shape))
        size = f"{shape.readings}_readings_a_message"
        cpu_us = median(turn.cpu_us for turn in ours)
        peer_us = median(turn.cpu_us for turn in peers) if peers else None
        return [
            Result(
                bench=f"ingest.cpu_per_reading_{size}",
                value=cpu_us,
                unit="us",
                bar="<= 1.0 of telegraf",
                peer={f"telegraf-{telegraf.VERSION}": peer_us} if peer_us else {},
                ratio=cpu_us / peer_us if peer_us else None,
            ),
            Result(
                bench=f"ingest.pace_{size}",
                value=median(turn.rate for turn in ours),
                unit="readings/s",
            ),
        ]

    async def latency_results(self, shape: _Shape) -> list[Result]:
        """Return the time from publish to acknowledgement, at half of the pace that is possible."""
        with going_on(self._ingest_pid):
            turn = await self._ingest_turn(shape)
            pause_s = 2 * shape.readings / turn.rate
            latencies_s = await self._paced(shape, pause_s)
        p99_s = quantiles(latencies_s, n=100)[98]
        return [Result(bench="ingest.ack_latency_p99", value=p99_s, unit="s", bar="< 1")]

    async def backlog_results(self, shape: _Shape) -> list[Result]:
        """Return the memory after a backlog that came while the database stood still."""
        assert self._influx.process is not None
        with going_on(self._ingest_pid):
            os.kill(self._influx.process.pid, signal.SIGSTOP)
            try:
                await self._publish_all(self._batches(_Shape(shape.samples, _BACKLOG)))
                await asyncio.sleep(1.0)
            finally:
                os.kill(self._influx.process.pid, signal.SIGCONT)
            memory_mb = highest_resident_mb(self._ingest_pid)
        return [
            Result(bench="ingest.resident_memory_backlog", value=memory_mb, unit="MB", bar="< 100")
        ]

    async def _ingest_turn(self, shape: _Shape) -> _Turn:
        batches = self._batches(shape)
        begin, cpu = time.perf_counter(), cpu_s(self._ingest_pid)
        for first in range(0, len(batches), _OUTSTANDING):
            some = batches[first : first + _OUTSTANDING]
            listening = asyncio.create_task(self._acknowledged({batch.seq for batch in some}))
            await self._publish_all(some)
            await listening
        readings = shape.messages * shape.readings
        cpu = cpu_s(self._ingest_pid) - cpu
        return _Turn(cpu / readings * 1e6, readings / (time.perf_counter() - begin))

    async def _acknowledged(self, waiting: set[int]) -> None:
        """Return when all of these batches are acknowledged as stored."""
        async with asyncio.timeout(_START_S):
            async for message in self._client.messages:
                assert isinstance(message.payload, bytes)
                for first, last in mqtt_messages.decode_ack(message.payload).stored:
                    waiting.difference_update(range(first, last + 1))
                if not waiting:
                    return

    async def _telegraf_turn(self, shape: _Shape) -> _Turn:
        assert self._telegraf_pid is not None
        first_ms = self._next_ms
        payloads = [_lines(batch) for batch in self._batches(shape)]
        begin, cpu = time.perf_counter(), cpu_s(self._telegraf_pid)
        for first in range(0, len(payloads), _OUTSTANDING):
            some = payloads[first : first + _OUTSTANDING]
            await self._publish(_TELEGRAF_TOPIC, some)
            wanted = (first + len(some)) * shape.samples
            async with asyncio.timeout(_START_S):
                while (  # noqa: ASYNC110 - the database tells nobody
                    await asyncio.to_thread(_count, self._influx.url, first_ms) < wanted
                ):
                    await asyncio.sleep(0.1)
        readings = shape.messages * shape.readings
        cpu = cpu_s(self._telegraf_pid) - cpu
        return _Turn(cpu / readings * 1e6, readings / (time.perf_counter() - begin))

    async def _paced(self, shape: _Shape, pause_s: float) -> list[float]:
        batches = self._batches(_Shape(shape.samples, int(_PACED_S / pause_s)))
        sent_s: dict[int, float] = {}
        latencies_s: list[float] = []

        async def listen() -> None:
            async for message in self._client.messages:
                assert isinstance(message.payload, bytes)
                now_s = time.perf_counter()
                for first, last in mqtt_messages.decode_ack(message.payload).stored:
                    latencies_s.extend(now_s - sent_s.pop(n) for n in range(first, last + 1))
                if len(latencies_s) == len(batches):
                    return

        async with asyncio.timeout(_START_S), asyncio.TaskGroup() as tasks:
            tasks.create_task(listen())
            begin = time.perf_counter()
            for number, batch in enumerate(batches):
                await asyncio.sleep(begin + number * pause_s - time.perf_counter())
                sent_s[batch.seq] = time.perf_counter()
                payload = mqtt_messages.encode_batch(batch)
                tasks.create_task(self._client.publish(_batch_topic(), payload, qos=1))
        return latencies_s

    async def _publish_all(self, batches: list[Batch]) -> None:
        await self._publish(_batch_topic(), [mqtt_messages.encode_batch(one) for one in batches])

    async def _publish(self, topic: str, payloads: list[bytes]) -> None:
        left = iter(payloads)

        async def some() -> None:
            for payload in left:
                await self._client.publish(topic, payload, qos=1)

        await asyncio.gather(*(some() for _ in range(_CONCURRENT)))

    def _batches(self, shape: _Shape) -> list[Batch]:
        batches = []
        for _ in range(shape.messages):
            samples = []
            for _ in range(shape.samples):
                values = tuple(round(200 + (self._next_ms * k) % 4001 / 100, 2) for k in range(20))
                meter = f"m-{self._next_ms % _METERS}"
                samples.append(Sample(meter, self._next_ms, 0, tuple(NAMES), values))
                self._next_ms += 1
            batches.append(Batch(AGENT, "aaaaaaaa", self._next_seq, tuple(samples)))
            self._next_seq += 1
        return batches


def _batch_topic() -> str:
    return mqtt_messages.topic(SITE, AGENT, "batch")


def _lines(batch: Batch) -> bytes:
    """Return a batch as line protocol, times in nanoseconds, as Telegraf reads it."""
    return "\n".join(
        f"electricity,meter={sample.meter},site={SITE} "
        + ",".join(f"{n}={v}" for n, v in zip(sample.quantities, sample.values, strict=True))
        + f",quality=0 {sample.time_ms}000000"
        for sample in batch.samples
    ).encode()


def _count(url: str, first_ms: int) -> int:
    """Return how many samples Telegraf has stored since a moment of their time."""
    query = f'SELECT count("{NAMES[0]}") FROM electricity WHERE time >= {first_ms}ms'  # noqa: S608 - ours
    parameters = urllib.parse.urlencode({"db": "telegraf", "q": query})
    with urllib.request.urlopen(f"{url}/query?{parameters}") as answer:  # noqa: S310 - loopback
        found = msgspec.json.decode(answer.read())
    series = found["results"][0].get("series")
    return int(series[0]["values"][0][1]) if series else 0


@contextmanager
def _servers(folder: Path) -> Iterator[tuple[int, Influx]]:
    mosquitto = Mosquitto(folder / "mosquitto").start()
    influx = Influx(folder / "influx").start()
    try:
        yield mosquitto.port, influx
    finally:
        influx.stop()
        mosquitto.stop()


def _ingest(folder: Path, port: int, url: str) -> subprocess.Popen[bytes]:
    write_import_site(folder, _METERS)
    (folder / "ingest.toml").write_text(
        f'[broker]\nport = {port}\n[store]\nkind = "influx"\nurl = "{url}"\n'
    )
    return _started([sys.executable, "-c", PROGRAM, "ingest", "run", "--site", str(folder)])


def _peer(folder: Path, port: int, url: str) -> subprocess.Popen[bytes] | None:
    program = telegraf.program()
    if program is None:
        return None
    telegraf.write_consumer_config(folder / "telegraf.conf", _TELEGRAF_TOPIC, port, url)
    return _started([str(program), "--config", str(folder / "telegraf.conf")])


def _started(command: list[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
