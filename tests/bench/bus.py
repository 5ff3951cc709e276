"""How well a bus's round is predicted: the agent's own poller and link against a paced wire.

The gateway here passes a serial line's time as one does: characters of the question, the silence by
which the device tells its end, the device's own time, characters of the reply, the silence by which
the gateway tells that one's end. Devices are not alike and not steady: each has its own usual time,
a half to one and a half of what `bus_time` assumes, and wavers about it by a quarter. So what is
tested is the sum and what the agent adds to it, not that assumption.
"""

import asyncio
import random
import struct
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import pairwise
from statistics import median
from zoneinfo import ZoneInfo

from edge_agent.bus_time import character_s, round_of, silence_s
from edge_agent.links import TcpLink
from edge_agent.meter import PolledMeter
from edge_agent.poller import BusPoller
from edge_agent.protocols.modbus import FRAMINGS, crc
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


class _Gateway(asyncio.Protocol):
    """One connection; answers each question with zeros, when the wire would have."""

    def __init__(self, bus: Bus, firsts: list[float]) -> None:
        self._loop = asyncio.get_running_loop()
        self._bus = bus
        self._firsts = firsts  # when the first question of unit 1 came
        self._random = random.Random(1)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._first: bytes | None = None

    def data_received(self, data: bytes) -> None:
        now_s = self._loop.time()
        question = data[6:] if self._bus.link == "tcp" else data[:6]
        unit, function, _, count = struct.unpack(">BBHH", question)
        if self._first is None and unit == 1:
            self._first = question
        if question == self._first:
            self._firsts.append(now_s)
        body = bytes([unit, function, 2 * count]) + bytes(2 * count)
        if self._bus.link == "tcp":
            wire_s, reply = 0.0, data[:4] + struct.pack(">H", len(body)) + body
        else:
            reply = body + crc(body)
            wire_s = (len(data) + len(reply)) * character_s(self._bus) + 2 * silence_s(self._bus)
        self._loop.call_at(now_s + wire_s + self._own_s(unit), self._transport.write, reply)

    def _own_s(self, unit: int) -> float:
        usual = 0.5 + (unit - 1) / (len(_MODELS) - 1)
        return _OWN_S * usual * self._random.uniform(0.75, 1.25)


def results() -> Iterator[Result]:
    """Serial lines of 9600 and 19200 baud behind a gateway, and Modbus TCP."""
    for name, bus in (
        ("9600", _bus("rtu_tcp", 9600)),
        ("19200", _bus("rtu_tcp", 19200)),
        ("tcp", _bus("tcp", 9600)),
    ):
        predicted_s, measured_s = asyncio.run(_compare(bus))
        yield Result(bench=f"bus.predicted_{name}", value=predicted_s, unit="s a round")
        yield Result(bench=f"bus.measured_{name}", value=measured_s, unit="s a round")
        share = measured_s / predicted_s
        yield Result(bench=f"bus.prediction_{name}", value=share, unit="of predicted", bar=_BAR)


def _bus(link: str, baud: int) -> Bus:
    if link == "tcp":
        return Bus(id="b", agent="a", link="tcp", host="127.0.0.1", timeout_s=1.0)
    return Bus(id="b", agent="a", link="rtu_tcp", host="127.0.0.1", baud=baud, timeout_s=1.0)


async def _compare(bus: Bus) -> tuple[float, float]:
    """A round as predicted, and as it was [s]."""
    models = packaged_models()
    meters = [
        Meter(
            id=f"m-{unit}", name="m", medium=models[model].model.medium, area="a", model=model,
            bus="b", unit=unit, interval_s=0.1,  # always due: round follows round
        )
        for unit, model in enumerate(_MODELS, 1)
    ]  # fmt: skip
    polled = [(meter, models[meter.model or ""]) for meter in meters]
    firsts: list[float] = []
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Gateway(bus, firsts), "127.0.0.1", 0)
    poller = _poller(bus, meters, server.sockets[0].getsockname()[1])
    polling = asyncio.create_task(poller.run())
    try:
        await _until(lambda: len(firsts) > _ROUNDS + 1)
    finally:
        polling.cancel()
        with suppress(asyncio.CancelledError):
            await polling
        server.close()
    lasted = [later - earlier for earlier, later in pairwise(firsts[1:])]
    return round_of(bus, polled).cycle_s, median(lasted)


def _poller(bus: Bus, meters: list[Meter], port: int) -> BusPoller:
    clock, framing, models = SystemClock(), FRAMINGS[bus.link], packaged_models()
    zone = ZoneInfo("Asia/Shanghai")
    return BusPoller(
        bus.id,
        [PolledMeter(meter, models[meter.model or ""], zone) for meter in meters],
        link=TcpLink(
            "127.0.0.1",
            port,
            timeout_s=bus.timeout_s,
            numbered=framing.numbered,
            now_ms=clock.now_ms,
        ),
        framing=framing,
        clock=clock,
        keep=lambda _: None,
        log=observe.log("bench"),
    )


async def _until(happened: Callable[[], bool]) -> None:
    async with asyncio.timeout(120):
        while not happened():  # noqa: ASYNC110 - the poller tells nobody
            await asyncio.sleep(0.02)
