"""Measure the cost of a poll in the agent, from the request to the acknowledgement.

A poll includes request, checks, decoding, spool on disk, publication and acknowledgement. The agent
is a process of its own; the meters and the acknowledging ingest are in this process, and mosquitto
is real. Telegraf polls the same meters in the same run, with a broker of the same kind, but without
a disk and without acknowledgements. All processes are started; then one at a time runs for some
seconds while the others are stopped. So all of them have the same conditions: the speed of a shared
machine varies by a factor of two within minutes. The polling process has a core of its own if the
machine has two: at a site, meters and broker are other machines, and would not displace its caches.
Polls are counted when they arrive from the broker. Without mosquitto nothing is measured.
"""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from statistics import median, quantiles
from typing import Final

import aiomqtt
import msgspec

from jieneng.metering import mqtt_messages
from jieneng.metering.reading import Ack
from tests.bench import telegraf
from tests.bench.meters import Meters, lateness_ms
from tests.bench.process import Cores, cpu_s, going_on, resident_mb, running_on
from tests.bench.result import Result
from tests.bench.site import AGENT, PROGRAM, SITE, write_site
from tests.servers import Mosquitto

_METERS: Final = 1000
_INTERVAL_S: Final = 1
_START_S: Final = 60.0  # until as many polls have arrived as there are meters
_WARM_UP_S: Final = 1  # of a turn: polls that were due while it was stopped are over
_WINDOW_S: Final = 3  # of a turn that counts
_TURNS: Final = 13  # of each
_QUIET_S: Final = 0.7  # of each second: the due polls have arrived, the next ones are not yet due

_PLAIN: Final = f"import sys; sys.modules['uvloop'] = None; {PROGRAM}"  # as if not installed


class _Subject(msgspec.Struct, frozen=True):
    """A polling process.

    Attributes:
        command: function of a folder, the meters and the broker's port that returns its
            command line.
        topic: topic of its readings.
        heard: function of a message that returns the number of polls in the message.
    """

    command: Callable[[Path, Meters, int], Sequence[str]]
    topic: str
    heard: Callable[[aiomqtt.Client, bytes], Awaitable[int]]


class _Cost(msgspec.Struct, frozen=True):
    """The cost of polling.

    Attributes:
        cpu_us: CPU time of a poll.
        memory_mb: resident memory at the end of a turn.
        done: share of the due polls that arrived.
        late_ms: 99th percentile of the delay of requests.
        load: CPU load of this process, which has the meters and the ingest, as a share of a
            core.
    """

    cpu_us: float
    memory_mb: float
    done: float
    late_ms: float
    load: float


def results() -> Iterator[Result]:
    """Meters with 20 float registers, 20 of them on a TCP link, each polled every second."""
    path = os.environ["PATH"] + ":/usr/sbin:/usr/local/sbin"
    if shutil.which("mosquitto", path=path) is None:
        sys.stderr.write("edge: mosquitto is not installed, so nothing is measured\n")
        return
    try:
        yield from _results()
    except (OSError, ZeroDivisionError) as error:  # of a process that ended, or never polled
        sys.stderr.write(f"edge: who was to poll did not: {error!r}\n")


def _results() -> Iterator[Result]:
    program = telegraf.program()
    subjects = [_agent(PROGRAM), _agent(_PLAIN), *([_telegraf(program)] if program else [])]
    ours, plain, *peer = _costs([(_METERS, subject) for subject in subjects])
    for bench, cost, what, unit, bar in (
        ("edge.cpu_per_poll", ours, "cpu_us", "us", "<= 0.6 of telegraf"),
        ("edge.cpu_per_poll_without_uvloop", plain, "cpu_us", "us", "<= 1.0 of telegraf"),
        ("edge.resident_memory", ours, "memory_mb", "MB", "<= 60"),
        ("edge.poll_lateness_p99", ours, "late_ms", "ms", "< 250"),
        ("edge.polls_done", ours, "done", "share of those due", "1"),
        ("edge.load_server", ours, "load", "share of a core", ""),
    ):
        value = getattr(cost, what)
        theirs = {f"telegraf-{telegraf.VERSION}": getattr(one, what) for one in peer}
        yield Result(
            bench=bench,
            value=value,
            unit=unit,
            bar=bar,
            peer={name: _short(other) for name, other in theirs.items()},
            ratio=_short(value / next(iter(theirs.values()))) if theirs else None,
        )
    yield from _by_size(ours)


def _by_size(at_1000: _Cost) -> Iterator[Result]:
    """Return the results for several numbers of meters and links."""
    sizes = (10, 100, 5000)
    few, some, many = _costs([(count, _agent(PROGRAM)) for count in sizes])
    for count, cost in ((10, few), (100, some), (1000, at_1000), (5000, many)):
        yield Result(bench=f"edge.cpu_per_poll_{count}_meters", value=cost.cpu_us, unit="us")
    growth = many.cpu_us / some.cpu_us
    unit = "of that with 100 meters"
    yield Result(bench="edge.cpu_growth_to_5000_meters", value=growth, unit=unit, bar="<= 1")
    yield Result(bench="edge.polls_done_5000_meters", value=many.done, unit="share of those due")
    yield Result(bench="edge.poll_lateness_p99_5000_meters", value=many.late_ms, unit="ms")
    yield Result(bench="edge.resident_memory_5000_meters", value=many.memory_mb, unit="MB")


def _middle(costs: Sequence[_Cost]) -> _Cost:
    """The median of each figure."""
    names = _Cost.__struct_fields__
    return _Cost(*[median(getattr(cost, name) for cost in costs) for name in names])


def _short(value: float) -> float:
    return float(f"{value:.4g}")


def _costs(polled: Sequence[tuple[int, _Subject]]) -> list[_Cost]:
    """Return the cost of polling a number of meters, for each process."""
    cores = Cores.of_this_machine()
    with running_on(cores.others):
        return asyncio.run(_in_turn(polled, cores.subject))


async def _in_turn(polled: Sequence[tuple[int, _Subject]], core: frozenset[int]) -> list[_Cost]:
    async with AsyncExitStack() as stack:
        running = [
            await stack.enter_async_context(_polled(Meters(count), subject, core))
            for count, subject in polled
        ]
        turns = [[await _turn(one) for one in running] for _ in range(_TURNS)]
    return [_middle(costs) for costs in zip(*turns, strict=True)]


async def _turn(one: "_Polled") -> _Cost:
    """Run one turn, between two moments at which no poll is in progress."""
    with going_on(one.pid):
        await asyncio.sleep(_WARM_UP_S)
        await _quiet()
        one.meters.asked.clear()
        polls, cpu, load_s = one.polls, cpu_s(one.pid), time.process_time()
        await asyncio.sleep(_WINDOW_S - 0.5)
        await _quiet()
        polls, cpu, load_s = one.polls - polls, cpu_s(one.pid) - cpu, time.process_time() - load_s
    return _Cost(
        cpu_us=cpu / polls * 1e6,
        memory_mb=resident_mb(one.pid),
        done=polls / (one.meters.count / _INTERVAL_S * _WINDOW_S),
        late_ms=quantiles(lateness_ms(one.meters.asked, _INTERVAL_S), n=100)[98],
        load=load_s / _WINDOW_S,
    )


async def _quiet() -> None:
    """Return when the polls of the next second have arrived."""
    await asyncio.sleep((_QUIET_S - time.time()) % 1)


class _Polled(msgspec.Struct):
    """Meters and the process that polls them.

    Attributes:
        pid: id of the process.
        meters: its meters.
        polls: number of polls whose readings have arrived.
    """

    pid: int
    meters: Meters
    polls: int = 0


@asynccontextmanager
async def _polled(
    meters: Meters, subject: _Subject, core: frozenset[int]
) -> AsyncIterator[_Polled]:
    """Yield meters and the process that polls them, started and then stopped."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        await stack.enter_async_context(meters.listening())
        broker = Mosquitto(folder / "mosquitto").start()
        stack.callback(broker.stop)
        command = subject.command(folder, meters, broker.port)
        with running_on(core):
            polling = subprocess.Popen(  # noqa: ASYNC220 - starts at once
                command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
        stack.callback(_end, polling)
        one = _Polled(polling.pid, meters)
        hearing = asyncio.create_task(_hear(broker.port, subject, one))
        try:
            async with asyncio.timeout(_START_S):
                while one.polls < meters.count:  # noqa: ASYNC110 - a tenth of a second is soon enough
                    await asyncio.sleep(0.1)
            await _quiet()
            polling.send_signal(signal.SIGSTOP)
            yield one
        finally:
            hearing.cancel()
            await asyncio.wait([hearing])


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    process.send_signal(signal.SIGCONT)  # it may be stopped, and would not receive the signal
    process.wait()


async def _hear(port: int, subject: _Subject, one: _Polled) -> None:
    async with aiomqtt.Client("127.0.0.1", port) as client:
        await client.subscribe(subject.topic, qos=1)
        async for message in client.messages:
            assert isinstance(message.payload, bytes)
            one.polls += await subject.heard(client, message.payload)


def _telegraf(program: Path) -> _Subject:
    def command(folder: Path, meters: Meters, broker_port: int) -> Sequence[str]:
        telegraf.write_config(folder / "telegraf.conf", meters, broker_port)
        return (str(program), "--config", str(folder / "telegraf.conf"))

    async def heard(client: aiomqtt.Client, payload: bytes) -> int:
        return telegraf.polls(payload)

    return _Subject(command, telegraf.TOPIC, heard)


def _agent(code: str) -> _Subject:
    def command(folder: Path, meters: Meters, broker_port: int) -> Sequence[str]:
        write_site(folder, meters, broker_port, _INTERVAL_S)
        return (sys.executable, "-c", code, "edge", "run", "--site", str(folder))

    async def heard(client: aiomqtt.Client, payload: bytes) -> int:
        """An ingest that stores nothing."""
        batch = mqtt_messages.decode_batch(payload)
        ack = mqtt_messages.encode_ack(Ack(batch.boot, ((batch.seq, batch.seq),)))
        await client.publish(mqtt_messages.topic(SITE, AGENT, "ack"), ack)
        return len(batch.samples)

    return _Subject(command, mqtt_messages.topic(SITE, AGENT, "batch"), heard)
