"""A small site, controllable meters, and a storing ingest, for tests of the agent."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiomqtt
import msgspec
from pymodbus.constants import ExcCodes
from pymodbus.framer import FramerType
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from edge_agent import app
from edge_agent.health import AgentHealth, BusLoad
from edge_agent.settings import AgentSettings, PublishSettings, SpoolSettings
from edge_agent.spool.batch_writer import FinishedPoll
from edge_agent.timekeeping.clock_trust import ClockTrust
from jieneng.clock import SystemClock
from jieneng.metering import mqtt_messages
from jieneng.metering.catalog.modbus_points import modbus_models
from jieneng.metering.reading import Ack, Batch, PollReport, Sample, Status
from jieneng.metering.site import Area, Bus, Meter, Site, SiteInfo
from jieneng.mqtt import broker
from jieneng.mqtt.broker import BrokerSettings
from jieneng.site_folder import SiteFolder, packaged_models
from tests.patience import PATIENCE_S

SITE = "test-site"
AGENT = "agent-1"

_DTSD1352 = modbus_models(packaged_models())["acrel-dtsd1352"]
#: A DTSD1352 without slow quantities: each poll has three reads, of 2, 23 and 2 registers.
EVEN = msgspec.structs.replace(
    _DTSD1352, point=tuple(row for row in _DTSD1352.point if row.every == 1)
)


async def until(happened: Callable[[], object]) -> None:
    """Poll a condition until it holds."""
    async with asyncio.timeout(PATIENCE_S):
        while not happened():  # noqa: ASYNC110 - conditions of others' making
            await asyncio.sleep(0.005)


def site(*buses: Bus, meters: Sequence[Meter]) -> Site:
    """A site of these buses and meters."""
    return Site(
        site=SiteInfo(id=SITE, name="试验"),
        area=(Area(id="block", name="楼"),),
        bus=buses,
        meter=tuple(meters),
    )


def folder(path: Path, *buses: Bus, meters: Sequence[Meter]) -> SiteFolder:
    """Return the site folder of these buses and meters."""
    models = {**packaged_models(), EVEN.id: EVEN}
    return SiteFolder(path, site(*buses, meters=meters), models)


def bus(name: str, port: int, link: Any = "tcp", timeout_s: float = 5.0) -> Bus:
    """A bus on this machine."""
    return Bus(id=name, agent=AGENT, link=link, host="127.0.0.1", port=port, timeout_s=timeout_s)


def meter(name: str, on: str, unit: int, **more: Any) -> Meter:
    """An electricity meter, by default a DTSD1352, that is polled every 0.1 s."""
    given: dict[str, Any] = {
        "medium": "electricity",
        "model": "acrel-dtsd1352",
        "interval_s": 0.1,
        **more,
    }
    return Meter(id=name, name=name, area="block", bus=on, unit=unit, **given)


def settings(port: int, **more: Any) -> AgentSettings:
    """Return settings with short delays, for a broker at this port."""
    given: dict[str, Any] = {
        "broker": BrokerSettings(port=port, timeout_s=2.0),
        "spool": SpoolSettings(commit_delay_s=0.02),
        "publish": PublishSettings(ack_timeout_s=0.3, status_interval_s=0.2),
        **more,
    }
    return AgentSettings(**given)


def append_samples_to(samples: list[Sample]) -> Callable[[FinishedPoll], None]:
    """Return a result handler for a poller that collects the samples."""

    def keep(poll: FinishedPoll) -> None:
        sample = poll.sample()
        if sample is not None:
            samples.append(sample)

    return keep


class StubPollResult(msgspec.Struct, frozen=True):
    """A poll result as the batch writer takes it: a sample, or the report of a failed poll."""

    found: Sample | PollReport

    @property
    def time_ms(self) -> int:
        return self.found.time_ms

    @property
    def answered(self) -> bool:
        return isinstance(self.found, Sample)

    def with_time(self, time_ms: int) -> "StubPollResult":
        return StubPollResult(msgspec.structs.replace(self.found, time_ms=time_ms))

    def sample(self) -> Sample | None:
        return self.found if isinstance(self.found, Sample) else None

    def report(self) -> PollReport:
        if isinstance(self.found, PollReport):
            return self.found
        return PollReport(self.found.meter, self.time_ms, True, 10, 1)


class Dtsd1352:
    """A meter whose energy register counts the requests for it, so no two values are equal."""

    def __init__(self, unit: int) -> None:
        self.unit = unit
        self.asked = 0

    async def action(
        self,
        function: int,
        start: int,
        address: int,
        count: int,
        registers: list[int],
        values: list[int] | list[bool] | None,
    ) -> ExcCodes | None:
        """Handle a read of registers, as pymodbus calls it."""
        assert values is None, "the edge can't write"
        if address == 0:
            self.asked += 1
            registers[0 - start : 2 - start] = [self.asked >> 16, self.asked & 0xFFFF]
        return None

    def device(self) -> SimDevice:
        """Return the device for a pymodbus server."""
        phases = [2317, 2318, 2319, 500, 501, 502]
        words = DataType.REGISTERS
        return SimDevice(
            self.unit,
            [
                SimData(0x0000, count=22, values=0, datatype=words),
                SimData(0x0061, values=phases, datatype=words),
                SimData(0x0067, count=16, values=0, datatype=words),
                SimData(0x0077, values=5001, datatype=words),
                SimData(0x016A, values=-1234, datatype=DataType.INT32),
                SimData(0x017F, values=920, datatype=words),
            ],
            action=self.action,
        )


@asynccontextmanager
async def gateway(*meters: Dtsd1352 | SimDevice, rtu: bool = False) -> AsyncIterator[int]:
    """The port of a pymodbus server with these meters."""
    server = ModbusTcpServer(
        [one.device() if isinstance(one, Dtsd1352) else one for one in meters],
        framer=FramerType.RTU if rtu else FramerType.SOCKET,
        address=("127.0.0.1", 0),
    )
    await server.serve_forever(background=True)
    try:
        yield server.transport.sockets[0].getsockname()[1]  # type: ignore[attr-defined]  # it serves
    finally:
        await server.shutdown()  # type: ignore[no-untyped-call]  # pymodbus


class Ingest:
    """An ingest that stores batches in a dict and acknowledges them, and reconnects by itself.

    Attributes:
        batches: by boot and sequence number.
        received: number of batches received, repetitions included.
        points: meter, time and first value of each sample ever received.
        status: the latest status.
        deaf: True if batches are left unanswered.
        quarantines: True if batches are quarantined.
    """

    def __init__(self, port: int) -> None:
        self.batches: dict[tuple[str, int], Batch] = {}
        self.received = 0
        self.points: set[tuple[str, int, float]] = set()
        self.status: Status | None = None
        self.deaf = False
        self.quarantines = False
        self._port = port

    @property
    def samples(self) -> list[Sample]:
        """All samples stored."""
        return [sample for batch in self.batches.values() for sample in batch.samples]

    def energies(self, of: str) -> list[float]:
        """Return the sorted counts of a `Dtsd1352`."""
        return sorted(one.values[0] for one in self.samples if one.meter == of)

    def has(self, of: str, count: int) -> bool:
        """Return True if the first answers of a `Dtsd1352` are stored, none missing or doubled."""
        return self.energies(of)[:count] == [number / 100 for number in range(1, count + 1)]

    async def run(self) -> None:
        """Store until cancelled."""
        while True:
            with suppress(aiomqtt.MqttError):
                settings = BrokerSettings(port=self._port, timeout_s=2.0)
                async with broker.client(settings, "ingest") as client:
                    await client.subscribe(mqtt_messages.topic("+", "+", "batch"), qos=1)
                    await client.subscribe(mqtt_messages.topic("+", "+", "status"), qos=1)
                    async for message in client.messages:
                        await self._take(client, message)
            await asyncio.sleep(0.05)

    async def _take(self, client: aiomqtt.Client, message: aiomqtt.Message) -> None:
        name, agent, channel = mqtt_messages.parse_topic(str(message.topic))
        assert isinstance(message.payload, bytes)
        if channel == "status":
            self.status = mqtt_messages.decode_status(message.payload)
        else:
            self.received += 1
            batch = mqtt_messages.decode_batch(message.payload)
            self.points |= {(one.meter, one.time_ms, one.values[0]) for one in batch.samples}
            if not self.deaf:
                self.batches[batch.boot, batch.seq] = batch
                one = (batch.seq, batch.seq)
                ack = (
                    Ack(batch.boot, quarantined=((batch.seq, "unknown_meter"),))
                    if self.quarantines
                    else Ack(batch.boot, stored=(one,))
                )
                await client.publish(
                    mqtt_messages.topic(name, agent, "ack"), mqtt_messages.encode_ack(ack), qos=1
                )


@asynccontextmanager
async def running(coroutine: Any) -> AsyncIterator[asyncio.Task[None]]:
    """Run a service in the background; an error in it fails the test."""
    task = asyncio.create_task(coroutine)
    try:
        yield task
        if task.done() and not task.cancelled():
            task.result()
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def refuse_running_time(time_ms: int) -> int:
    """Fail the test: the clock of this writer is always plausible."""
    raise AssertionError(f"{time_ms} is before 2018")


def health() -> AgentHealth:
    """Return the health of an agent without buses."""
    clock = SystemClock()
    clock_trust = ClockTrust(clock.now_ms(), clock.up_ms())
    return AgentHealth(BusLoad(lambda: (), clock), clock_trust, clock)


def agent(where: SiteFolder, how: AgentSettings) -> Any:
    """The agent, to be run."""
    return app.run(where, how, SystemClock())
