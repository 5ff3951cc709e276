"""Measure how well the duration of a bus's round is predicted, with the agent's poller and link.

The simulated gateway takes the time of a serial line: characters of the request, the silence at its
end, the device's response time, characters of the reply, the silence at its end. Devices differ:
each has its own mean response time, from half to one and a half of that assumed by `bus_time`, and
varies by a quarter. So the sum is tested, with the time that the agent adds, not the assumption.
"""

import asyncio
import os
import pty
import random
import struct
import tty
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from itertools import pairwise
from statistics import median
from zoneinfo import ZoneInfo

import msgspec

from edge_agent.commissioning.bus_time_budget import bus_budget
from edge_agent.links.link import bus_link
from edge_agent.links.serial_timing import character_s, frame_gap_s
from edge_agent.polling.bus_poller import BusPoller
from edge_agent.polling.polled_meter import PolledMeter
from edge_agent.protocols.crc import crc
from jieneng import observe
from jieneng.clock import SystemClock
from jieneng.metering.site import Bus, Meter
from jieneng.site_folder import packaged_models
from tests.bench.result import Result

_MODELS = (
    "acrel-dtsd1352", "acrel-dtsd1352", "acrel-dtsd1352", "eastron-sdm630", "eastron-sdm630",
    "acrel-ddsy1352", "schneider-iem3155", "tuf-2000m-water",
)  # fmt: skip
_ROUNDS = 6
_OWN_S = 0.02  # usual time of a device, before it differs and wavers
_BAR = "0.8 .. 1.2"


class _Meters:
    """A line and its meters, which answer with zeros after the time of a real line."""

    def __init__(self, bus: Bus) -> None:
        self.firsts: list[float] = []  # time of the first request to unit 1
        self._bus = bus
        self._random = random.Random(1)
        self._first: bytes | None = None

    def hear(self, data: bytes, answer: Callable[[bytes], object]) -> None:
        """Record a complete request; the link sends it in one piece."""
        loop = asyncio.get_running_loop()
        question = data[6:] if self._bus.link == "tcp" else data[:6]
        unit, function, _, count = struct.unpack(">BBHH", question)
        if self._first is None and unit == 1:
            self._first = question
        if question == self._first:
            self.firsts.append(loop.time())
        body = bytes([unit, function, 2 * count]) + bytes(2 * count)
        if self._bus.link == "tcp":
            wire_s, reply = 0.0, data[:4] + struct.pack(">H", len(body)) + body
        else:
            reply = body + crc(body)
            line = self._bus.line_baud, self._bus.parity, self._bus.stop_bits
            wire_s = (len(data) + len(reply)) * character_s(*line)
            # After a reply a port of ours keeps the silence itself.
            wire_s += (1 if self._bus.link == "rtu" else 2) * frame_gap_s(*line)
        loop.call_at(loop.time() + wire_s + self._own_s(unit), answer, reply)

    def _own_s(self, unit: int) -> float:
        usual = 0.5 + (unit - 1) / (len(_MODELS) - 1)
        return _OWN_S * usual * self._random.uniform(0.75, 1.25)


class _Gateway(asyncio.Protocol):
    """A connection to them."""

    def __init__(self, meters: _Meters) -> None:
        self._meters = meters

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._meters.hear(data, self._transport.write)


@asynccontextmanager
async def _over_tcp(bus: Bus, meters: _Meters) -> AsyncIterator[Bus]:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Gateway(meters), "127.0.0.1", 0)
    try:
        port = server.sockets[0].getsockname()[1]
        yield msgspec.structs.replace(bus, host="127.0.0.1", port=port)
    finally:
        server.close()


@asynccontextmanager
async def _on_a_port(bus: Bus, meters: _Meters) -> AsyncIterator[Bus]:
    """A pseudo-terminal, which behaves like a serial port; the meters take the time of the line."""
    loop = asyncio.get_running_loop()
    ours, theirs = pty.openpty()
    tty.setraw(theirs)
    loop.add_reader(
        ours, lambda: meters.hear(os.read(ours, 256), lambda data: os.write(ours, data))
    )
    try:
        yield msgspec.structs.replace(bus, device=os.ttyname(theirs))
    finally:
        loop.remove_reader(ours)
        os.close(ours)
        os.close(theirs)


def results() -> Iterator[Result]:
    """Serial lines of 9600 and 19200 baud, on a port and behind a gateway, and Modbus TCP."""
    for link, baud in (
        ("rtu", 9600),
        ("rtu", 19200),
        ("rtu_tcp", 9600),
        ("rtu_tcp", 19200),
        ("tcp", None),
    ):
        name = link if baud is None else f"{link}_{baud}"
        form = {"id": "b", "agent": "a", "link": link, "baud": baud}
        predicted_s, measured_s = asyncio.run(_compare(msgspec.convert(form, Bus)))
        yield Result(bench=f"bus.predicted_{name}", value=predicted_s, unit="s a round")
        yield Result(bench=f"bus.measured_{name}", value=measured_s, unit="s a round")
        share = measured_s / predicted_s
        yield Result(bench=f"bus.prediction_{name}", value=share, unit="of predicted", bar=_BAR)


async def _compare(bus: Bus) -> tuple[float, float]:
    """Return the predicted and the measured duration of a round [s]."""
    models = packaged_models()
    meters = [
        Meter(
            id=f"m-{unit}", name="m", medium=models[model].model.medium, area="a", model=model,
            bus="b", unit=unit, interval_s=0.1,  # always due: round follows round
        )
        for unit, model in enumerate(_MODELS, 1)
    ]  # fmt: skip
    wire = _Meters(bus)
    async with (_on_a_port if bus.link == "rtu" else _over_tcp)(bus, wire) as placed:
        polling = asyncio.create_task(_poller(placed, meters).run())
        try:
            await _until(lambda: len(wire.firsts) > _ROUNDS + 1)
        finally:
            polling.cancel()
            with suppress(asyncio.CancelledError):
                await polling
    lasted = [later - earlier for earlier, later in pairwise(wire.firsts[1:])]
    predicted = bus_budget(bus, [(meter, models[meter.model or ""]) for meter in meters])
    return predicted.cycle_s, median(lasted)


def _poller(bus: Bus, meters: list[Meter]) -> BusPoller:
    clock, models = SystemClock(), packaged_models()
    zone = ZoneInfo("Asia/Shanghai")
    return BusPoller(
        bus.id,
        [PolledMeter(meter, models[meter.model or ""], zone) for meter in meters],
        phase_key="agent",
        link=bus_link(bus, clock.now_ms),
        link_kind=bus.link,
        clock=clock,
        on_result=lambda _: None,
        log=observe.log("bench"),
    )


async def _until(happened: Callable[[], bool]) -> None:
    async with asyncio.timeout(120):
        while not happened():  # noqa: ASYNC110 - the poller tells nobody
            await asyncio.sleep(0.02)
