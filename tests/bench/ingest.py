"""Cost of a reading in the ingest, from the message to the acknowledgement, compared with Telegraf.

A reading is one value of one quantity. The ingest receives, checks, writes and acknowledges it. The
ingest runs as a process of its own, with a real mosquitto and a real InfluxDB 1.x.

Telegraf (`mqtt_consumer`, `outputs.influxdb`) takes the same number of readings from the same
broker into the same server. Telegraf gets them as line protocol, so it does not check or
acknowledge them. The two are measured in turns; the one that is not measured is stopped. The
measured process has a CPU core of its own if the machine has two.

Messages have the sizes that agents send: 10 samples of 20 quantities each (many meters polled every
second), or 1 sample (a small site).
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

from jieneng.metering import mqtt_messages
from jieneng.metering.reading import Batch, Sample
from jieneng.mqtt import broker
from jieneng.mqtt.broker import BrokerSettings
from tests.bench import telegraf
from tests.bench.meters import NAMES
from tests.bench.process import Cores, cpu_s, going_on, highest_resident_mb, running_on
from tests.bench.result import Result
from tests.bench.site import AGENT, PROGRAM, SITE, write_import_site
from tests.servers import Influx, Mosquitto

_METERS: Final = 50
_RUNS: Final = 5
_TIMEOUT_S: Final = 60.0
_CONCURRENT_PUBLISHES: Final = 8
_MAX_UNACKNOWLEDGED: Final = 800  # messages; mosquitto queues 1,020 and drops all further ones
_TELEGRAF_TOPIC: Final = "telegraf/readings"
_BACKLOG_MESSAGES: Final = 5000  # published while the database is stopped
_LATENCY_RUN_S: Final = 5.0  # duration of the measurement of latencies


class _Load(msgspec.Struct, frozen=True):
    """The messages of one measured run.

    Attributes:
        message_samples: number of samples in each message.
        messages: number of messages.
    """

    message_samples: int
    messages: int

    @property
    def message_readings(self) -> int:
        """Number of readings in each message."""
        return self.message_samples * len(NAMES)

    @property
    def readings(self) -> int:
        """Number of readings in all messages."""
        return self.messages * self.message_readings


_LARGE_MESSAGES: Final = _Load(10, 1500)
_SMALL_MESSAGES: Final = _Load(1, 5000)


class _RunResult(msgspec.Struct, frozen=True):
    """The cost of one run.

    Attributes:
        cpu_us: CPU time of the measured process for each reading [us].
        rate: readings stored in each second [1/s].
    """

    cpu_us: float
    rate: float


def results() -> Iterator[Result]:
    """CPU time for each reading, beside Telegraf's; rate, latency and memory of the ingest."""
    path = os.environ["PATH"] + ":/usr/sbin:/usr/local/sbin"
    for program in ("mosquitto", "influxd"):
        if shutil.which(program, path=path) is None:
            sys.stderr.write(f"ingest: {program} is not installed, so nothing is measured\n")
            return
    with tempfile.TemporaryDirectory() as folder:
        yield from asyncio.run(_measure(Path(folder)))


async def _measure(folder: Path) -> list[Result]:
    cores = Cores.of_this_machine()
    measured: list[Result] = []
    telegraf.program()  # builds Telegraf first, which takes longer than a connection may be idle
    with running_on(cores.others), _servers(folder) as (port, influx):
        async with broker.client(BrokerSettings(port=port), "bench") as client:
            await client.subscribe(mqtt_messages.topic(SITE, AGENT, "ack"), qos=1)
            with running_on(cores.subject):
                ingest = _start_ingest(folder, port, influx.url)
                peer = _start_telegraf(folder, port, influx.url)
            try:
                bench = _Bench(client, influx, ingest.pid, peer.pid if peer else None)
                await bench.wait_until_up()
                measured += await bench.cpu_results(_LARGE_MESSAGES)
                measured += await bench.cpu_results(_SMALL_MESSAGES)
                measured += await bench.latency_results(_SMALL_MESSAGES)
                measured += await bench.backlog_results(_LARGE_MESSAGES)
            finally:
                for process in filter(None, (ingest, peer)):
                    process.send_signal(signal.SIGCONT)
                    process.terminate()
                    process.wait()
    return measured


class _Bench:
    """Publishes readings to the measured processes, and waits until they are stored."""

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
        """Wait until each process has stored a message, then stop the processes."""
        await self._wait_until_stored(self._run_ingest)
        if self._telegraf_pid is not None:
            await self._wait_until_stored(self._run_telegraf)
        for pid in filter(None, (self._ingest_pid, self._telegraf_pid)):
            os.kill(pid, signal.SIGSTOP)

    async def _wait_until_stored(self, run: Callable[[_Load], Awaitable[_RunResult]]) -> None:
        """Send messages until one is stored: those before the subscription are lost."""
        async with asyncio.timeout(_TIMEOUT_S):
            while True:
                with suppress(TimeoutError):
                    async with asyncio.timeout(1.0):
                        await run(_Load(1, 1))
                        return

    async def cpu_results(self, load: _Load) -> list[Result]:
        """Return CPU time for each reading and the rate of readings, for messages of one size."""
        ingest_runs: list[_RunResult] = []
        telegraf_runs: list[_RunResult] = []
        for _ in range(_RUNS):
            with going_on(self._ingest_pid):
                ingest_runs.append(await self._run_ingest(load))
            if self._telegraf_pid is not None:
                with going_on(self._telegraf_pid):
                    telegraf_runs.append(await self._run_telegraf(load))
        size = f"{load.message_readings}_readings_a_message"
        cpu_us = median(run.cpu_us for run in ingest_runs)
        peer_us = median(run.cpu_us for run in telegraf_runs) if telegraf_runs else None
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
                value=median(run.rate for run in ingest_runs),
                unit="readings/s",
            ),
        ]

    async def latency_results(self, load: _Load) -> list[Result]:
        """Return the time from publish to acknowledgement, at half of the highest rate."""
        with going_on(self._ingest_pid):
            run = await self._run_ingest(load)
            pause_s = 2 * load.message_readings / run.rate
            latencies_s = await self._ack_latencies_s(load, pause_s)
        p99_s = quantiles(latencies_s, n=100)[98]
        return [Result(bench="ingest.ack_latency_p99", value=p99_s, unit="s", bar="< 1")]

    async def backlog_results(self, load: _Load) -> list[Result]:
        """Return the memory of the ingest after messages arrived while the database was stopped."""
        assert self._influx.process is not None
        with going_on(self._ingest_pid):
            os.kill(self._influx.process.pid, signal.SIGSTOP)
            try:
                backlog = _Load(load.message_samples, _BACKLOG_MESSAGES)
                await self._publish_all(self._new_batches(backlog))
                await asyncio.sleep(1.0)
            finally:
                os.kill(self._influx.process.pid, signal.SIGCONT)
            memory_mb = highest_resident_mb(self._ingest_pid)
        return [
            Result(bench="ingest.resident_memory_backlog", value=memory_mb, unit="MB", bar="< 100")
        ]

    async def _run_ingest(self, load: _Load) -> _RunResult:
        batches = self._new_batches(load)
        begin_s, begin_cpu_s = time.perf_counter(), cpu_s(self._ingest_pid)
        for first in range(0, len(batches), _MAX_UNACKNOWLEDGED):
            part = batches[first : first + _MAX_UNACKNOWLEDGED]
            acks = asyncio.create_task(self._wait_for_acks({batch.seq for batch in part}))
            await self._publish_all(part)
            await acks
        return _run_result(load, begin_s, cpu_s(self._ingest_pid) - begin_cpu_s)

    async def _wait_for_acks(self, waiting: set[int]) -> None:
        """Wait until the batches of these numbers are acknowledged as stored."""
        async with asyncio.timeout(_TIMEOUT_S):
            async for message in self._client.messages:
                assert isinstance(message.payload, bytes)
                for first, last in mqtt_messages.decode_ack(message.payload).stored:
                    waiting.difference_update(range(first, last + 1))
                if not waiting:
                    return

    async def _run_telegraf(self, load: _Load) -> _RunResult:
        assert self._telegraf_pid is not None
        first_ms = self._next_ms
        payloads = [_line_protocol(batch) for batch in self._new_batches(load)]
        begin_s, begin_cpu_s = time.perf_counter(), cpu_s(self._telegraf_pid)
        for first in range(0, len(payloads), _MAX_UNACKNOWLEDGED):
            part = payloads[first : first + _MAX_UNACKNOWLEDGED]
            await self._publish(_TELEGRAF_TOPIC, part)
            sent = (first + len(part)) * load.message_samples
            async with asyncio.timeout(_TIMEOUT_S):
                while (  # noqa: ASYNC110 - the database gives no notice
                    await asyncio.to_thread(_stored_samples, self._influx.url, first_ms) < sent
                ):
                    await asyncio.sleep(0.1)
        return _run_result(load, begin_s, cpu_s(self._telegraf_pid) - begin_cpu_s)

    async def _ack_latencies_s(self, load: _Load, pause_s: float) -> list[float]:
        """Publish a message after each pause, and return the time until its acknowledgement."""
        batches = self._new_batches(_Load(load.message_samples, int(_LATENCY_RUN_S / pause_s)))
        sent_s: dict[int, float] = {}
        latencies_s: list[float] = []

        async def listen() -> None:
            async for message in self._client.messages:
                assert isinstance(message.payload, bytes)
                now_s = time.perf_counter()
                for first, last in mqtt_messages.decode_ack(message.payload).stored:
                    latencies_s.extend(now_s - sent_s.pop(seq) for seq in range(first, last + 1))
                if len(latencies_s) == len(batches):
                    return

        async with asyncio.timeout(_TIMEOUT_S), asyncio.TaskGroup() as tasks:
            tasks.create_task(listen())
            begin_s = time.perf_counter()
            for index, batch in enumerate(batches):
                await asyncio.sleep(begin_s + index * pause_s - time.perf_counter())
                sent_s[batch.seq] = time.perf_counter()
                payload = mqtt_messages.encode_batch(batch)
                tasks.create_task(self._client.publish(_batch_topic(), payload, qos=1))
        return latencies_s

    async def _publish_all(self, batches: list[Batch]) -> None:
        payloads = [mqtt_messages.encode_batch(batch) for batch in batches]
        await self._publish(_batch_topic(), payloads)

    async def _publish(self, topic: str, payloads: list[bytes]) -> None:
        remaining = iter(payloads)

        async def publish_remaining() -> None:
            for payload in remaining:
                await self._client.publish(topic, payload, qos=1)

        await asyncio.gather(*(publish_remaining() for _ in range(_CONCURRENT_PUBLISHES)))

    def _new_batches(self, load: _Load) -> list[Batch]:
        batches = []
        for _ in range(load.messages):
            samples = []
            for _ in range(load.message_samples):
                values = tuple(
                    round(200 + (self._next_ms * index) % 4001 / 100, 2)
                    for index in range(len(NAMES))
                )
                meter = f"m-{self._next_ms % _METERS}"
                samples.append(Sample(meter, self._next_ms, 0, tuple(NAMES), values))
                self._next_ms += 1
            batches.append(Batch(AGENT, "aaaaaaaa", self._next_seq, tuple(samples)))
            self._next_seq += 1
        return batches


def _run_result(load: _Load, begin_s: float, used_cpu_s: float) -> _RunResult:
    """Return the result of a run that ends now."""
    elapsed_s = time.perf_counter() - begin_s
    return _RunResult(used_cpu_s / load.readings * 1e6, load.readings / elapsed_s)


def _batch_topic() -> str:
    return mqtt_messages.topic(SITE, AGENT, "batch")


def _line_protocol(batch: Batch) -> bytes:
    """Return a batch in InfluxDB's line protocol, for Telegraf; times are in nanoseconds."""
    return "\n".join(
        f"electricity,meter={sample.meter},site={SITE} "
        + ",".join(
            f"{quantity}={value}"
            for quantity, value in zip(sample.quantities, sample.values, strict=True)
        )
        + f",quality=0 {sample.time_ms}000000"
        for sample in batch.samples
    ).encode()


def _stored_samples(url: str, first_ms: int) -> int:
    """Return the number of stored samples of Telegraf whose time is `first_ms` or later."""
    query = f'SELECT count("{NAMES[0]}") FROM electricity WHERE time >= {first_ms}ms'  # noqa: S608 - ours
    parameters = urllib.parse.urlencode({"db": "telegraf", "q": query})
    with urllib.request.urlopen(f"{url}/query?{parameters}") as answer:  # noqa: S310 - loopback
        reply = msgspec.json.decode(answer.read())
    series = reply["results"][0].get("series")
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


def _start_ingest(folder: Path, port: int, url: str) -> subprocess.Popen[bytes]:
    write_import_site(folder, _METERS)
    (folder / "ingest.toml").write_text(
        f'[broker]\nport = {port}\n[store]\nkind = "influx"\nurl = "{url}"\n'
    )
    return _start([sys.executable, "-c", PROGRAM, "ingest", "run", "--site", str(folder)])


def _start_telegraf(folder: Path, port: int, url: str) -> subprocess.Popen[bytes] | None:
    """Start Telegraf; return None if it can't be had on this machine."""
    program = telegraf.program()
    if program is None:
        return None
    telegraf.write_consumer_config(folder / "telegraf.conf", _TELEGRAF_TOPIC, port, url)
    return _start([str(program), "--config", str(folder / "telegraf.conf")])


def _start(command: list[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
