"""A small site whose answers can be calculated by hand, and a master that records bytes.

Two electricity meters (DTSD1352: u32 x 0.01 kWh, CT 1) and a water meter below block `a`, one
electricity meter in block `b`. 36 kW flow through `e-1`: one step of 0.01 kWh each second. All
were installed at `BEGIN_MS` with their registers at 0.
"""

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from jieneng.metering.catalog.modbus_points import modbus_models
from jieneng.metering.site import Area, Bus, Meter, Site, SiteInfo
from jieneng.site_folder import packaged_models
from simulators.faults.fault import Fault
from simulators.load.altered_load import AlteredLoad
from simulators.load.constant_load import ConstantLoad
from simulators.registers.device_period import DevicePeriod
from simulators.registers.simulated_meter import SimulatedMeter
from simulators.scripting.fault_script import FaultScript
from simulators.serving import site_server
from simulators.serving.bus_endpoint import BusEndpoint
from simulators.serving.simulated_bus import ExchangeListener, ExchangeRecord, ignore_exchange
from simulators.simulated_site import SimulatedSite
from tests.patience import PATIENCE_S
from tests.simulators.clocks import StillClock

BEGIN_MS = 1_748_916_000_000  # 2025-06-03 10:00 in Huai'an
HOUR_MS = 3_600_000
MODELS = modbus_models(packaged_models())
_RATES = {"e-1": 36.0, "e-2": 72.0, "w-1": 3.6, "e-b": 3.6}


def site(link: Any = "tcp") -> Site:
    def meter(name: str, medium: Any, area: str, bus: str, unit: int) -> Meter:
        model = "acrel-dtsd1352" if medium == "electricity" else "tuf-2000m-water"
        return Meter(
            id=name, name=name, medium=medium, area=area, bus=bus, unit=unit, model=model
        )  # fmt: skip

    return Site(
        site=SiteInfo(id="scene", name="试验"),
        area=(
            Area(id="a", name="A"),
            Area(id="a-floor", name="A1", parent="a"),
            Area(id="b", name="B"),
        ),
        bus=tuple(
            Bus(id=name, agent="agent-1", link=link, host="127.0.0.1", timeout_s=1.0)
            for name in ("bus-a", "bus-b")
        ),
        meter=(
            meter("e-1", "electricity", "a", "bus-a", 1),
            meter("e-2", "electricity", "a-floor", "bus-a", 2),
            meter("w-1", "water", "a", "bus-a", 3),
            meter("e-b", "electricity", "b", "bus-b", 1),
        ),
    )


def simulated(link: Any = "tcp") -> SimulatedSite:
    where = site(link)
    leaves = {name: AlteredLoad(ConstantLoad(rate, BEGIN_MS)) for name, rate in _RATES.items()}
    flows = {name: AlteredLoad(leaf) for name, leaf in leaves.items()}
    meters = {
        one.id: SimulatedMeter(
            one.id, one.medium, flows[one.id], [DevicePeriod(0, MODELS[one.model or ""])]
        )
        for one in where.meter
    }
    return SimulatedSite(where, meters, flows, leaves)


class Scene:
    """A served site, with its fault script and the exchanges seen.

    Attributes:
        places: endpoint of each bus.
        seen: all exchanges.
        also: a second listener, which is called with each exchange.
    """

    def __init__(self, link: Any = "tcp") -> None:
        self.link = link
        self.simulated = simulated(link)
        self.clock = StillClock(BEGIN_MS)
        self.script = FaultScript(self.simulated, 1, BEGIN_MS)
        self.seen: list[ExchangeRecord] = []
        self.also: ExchangeListener = ignore_exchange
        self.places: dict[str, BusEndpoint] = {}

    def see(self, exchange: ExchangeRecord) -> None:
        self.seen.append(exchange)
        self.also(exchange)

    async def connect(self, bus: str = "bus-a") -> "Master":
        place = self.places[bus]
        reader, writer = await asyncio.open_connection(place.host, place.port)
        return Master(self, reader, writer)

    async def saw(self, count: int) -> None:
        """Wait until a number of exchanges are over."""
        async with asyncio.timeout(PATIENCE_S):
            while len(self.seen) < count:  # noqa: ASYNC110 - a list has no event
                await asyncio.sleep(0.001)


class Master:
    """A master that sends requests, and sees the bytes of the replies."""

    def __init__(
        self, scene: Scene, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.reader = reader
        self.writer = writer
        self._scene = scene
        self._link = scene.link

    def send(
        self, unit: int = 1, address: int = 0, count: int = 2, number: int = 7, function: int = 3
    ) -> None:
        pdu = struct.pack(">BBHH", unit, function, address, count)
        if self._link == "tcp":
            self.writer.write(struct.pack(">HHH", number, 0, len(pdu)) + pdu)
        else:
            self.writer.write(pdu + checksum(pdu))

    async def ask(self, **question: int) -> bytes:
        """Send a request; return all that was sent once the simulator is done with it."""
        before = len(self._scene.seen)
        self.send(**question)
        await self._scene.saw(before + 1)
        return await self.hear()

    async def hear(self, quiet_s: float = 0.03) -> bytes:
        """Return the bytes that arrive until the line is quiet."""
        heard = b""
        try:
            while True:
                async with asyncio.timeout(quiet_s):
                    data = await self.reader.read(1000)
                if not data:
                    return heard
                heard += data
        except TimeoutError:
            return heard

    async def energy(self, unit: int = 1, **question: int) -> float:
        """Return the energy register as a reader decodes it that checks nothing [kWh]."""
        answer = await self.ask(unit=unit, **question)
        words = answer[9:13] if self._link == "tcp" else answer[3:7]
        return int(struct.unpack(">I", words)[0]) / 100


def checksum(data: bytes) -> bytes:
    """CRC of MODBUS over Serial Line V1.02, section 6.2.2, written once more."""
    value = 0xFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0xA001 if value & 1 else 0)
    return struct.pack("<H", value)


@asynccontextmanager
async def scene(*faults: Fault, link: Any = "tcp") -> AsyncIterator[Scene]:
    """Serve the scene with these faults."""
    one = Scene(link)
    one.script.place(faults)
    async with site_server.serving(
        one.simulated, one.clock, script=one.script, on_exchange=one.see
    ) as places:
        one.places = places
        one.script.simulation_started()
        yield one
