"""Unknown meters: one of each model, served by the simulators."""

import asyncio
import struct
from collections.abc import AsyncIterator, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from fractions import Fraction
from typing import Any

import msgspec

from edge_agent.commissioning.bus_probe import BusProbe
from jieneng.clock import Clock, SystemClock
from jieneng.metering.catalog.modbus_points import ModbusModel, PointRow
from jieneng.metering.registers import byte_orders
from jieneng.metering.site import Area, Bus, Meter, Site, SiteInfo
from simulators.load.altered_load import AlteredLoad
from simulators.load.constant_load import ConstantLoad
from simulators.registers.device_period import DevicePeriod
from simulators.registers.simulated_meter import SimulatedMeter
from simulators.serving import site_server
from simulators.simulated_site import SimulatedSite
from tests.edge_agent.misbehaving import Act, Question
from tests.simulators.clocks import StillClock

BEGIN_MS = 1_748_916_000_000  # 2025-06-03 10:00 in Huai'an
NOW_MS = BEGIN_MS + 300 * 3_600_000
_RATES = {"electricity": 36.0, "water": 3.6, "gas": 12.5, "heat": 0.4}


def site_of_models(models: Sequence[ModbusModel], link: Any, ct: float = 1.0) -> SimulatedSite:
    """Unit 1 is the first model, unit 2 the second, and so on; all have run for 300 hours."""
    rows = [
        Meter(
            id=f"m-{unit}", name="m", medium=model.model.medium, area="a", bus="b", unit=unit,
            model=model.id,
        )
        for unit, model in enumerate(models, 1)
    ]  # fmt: skip
    site = Site(
        site=SiteInfo(id="scene", name="试验"),
        area=(Area(id="a", name="A"),),
        bus=(Bus(id="b", agent="agent-1", link=link, host="127.0.0.1", device="x"),),
        meter=tuple(rows),
    )
    leaves = {one.id: AlteredLoad(ConstantLoad(_RATES[one.medium], BEGIN_MS)) for one in rows}
    flows = {name: AlteredLoad(leaf) for name, leaf in leaves.items()}
    meters = {
        one.id: SimulatedMeter(
            one.id, one.medium, flows[one.id], [DevicePeriod(0, model, Fraction(ct))]
        )
        for one, model in zip(rows, models, strict=True)
    }
    return SimulatedSite(site, meters, flows, leaves)


@asynccontextmanager
async def served(
    *models: ModbusModel, link: Any = "tcp", ct: float = 1.0, clock: Clock | None = None
) -> AsyncIterator[int]:
    """The port at which they are served; their registers do not change, except for a clock."""
    here = site_of_models(models, link, ct)
    async with site_server.serving(here, clock or StillClock(NOW_MS)) as places:
        yield places["b"].port


@asynccontextmanager
async def served_on_a_port(*models: ModbusModel) -> AsyncIterator[str]:
    """The serial port at which they are served."""
    async with site_server.serving(site_of_models(models, "rtu"), StillClock(NOW_MS)) as places:
        yield places["b"].device or ""


@asynccontextmanager
async def probing(port: int, link: Any = "tcp", timeout_s: float = 0.1) -> AsyncIterator[BusProbe]:
    """A probe of a port of this machine."""
    bus = Bus(id="b", agent="a", link=link, host="127.0.0.1", port=port, timeout_s=timeout_s)
    one = BusProbe(bus, SystemClock().now_ms, delay_s=0.0)
    try:
        yield one
    finally:
        await one.close()


class Documented:
    """A device with the registers that its manual names and no other, as some gateways map them.

    Attributes:
        most: registers that it gives at once.
    """

    def __init__(self, model: ModbusModel, held: Mapping[int, int], most: int = 125) -> None:
        """Its registers contain 50 unless stated otherwise."""
        named = {
            (row.function, part.address + word)
            for row in model.point
            for part in row.parts
            for word in range(part.words)
        }
        self._held = {place: held.get(place[1], 50) for place in named}
        self.most = most

    def __call__(self, question: Question) -> Iterator[Act]:
        span = range(question.address, question.address + question.count)
        words = [self._held.get((question.function, place)) for place in span]
        if None in words or len(words) > self.most:
            yield question.refusal(2)
            return
        plain = question.reply()
        held = struct.pack(f">{len(words)}H", *words)
        ours = plain[: -len(held)] + held
        yield ours


class Gateway:
    """A Modbus TCP gateway to one serial line, which serves one question at a time.

    A unit that does not exist blocks the line for `gives_up_s`. Waiting requests are dropped with
    their connection; the one on the line is not.
    """

    def __init__(
        self, there: Collection[int], gives_up_s: float, *, says: bool, shared: bool = True
    ) -> None:
        """
        Args:
            there: units that answer at once.
            gives_up_s: after which a unit is given up.
            says: by exception 0x0B, else by nothing.
            shared: else each connection has a line of its own, and takes what is on it along.
        """
        self._there = there
        self._gives_up_s = gives_up_s
        self._says = says
        self._line = asyncio.Lock() if shared else None
        self._tasks = set[asyncio.Task[None]]()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line, served = self._line or asyncio.Lock(), list[asyncio.Task[None]]()
        try:
            while frame := await reader.readexactly(12):
                question = Question(frame, rtu=False, nth=1, connection=1)
                served.append(asyncio.create_task(self._answer(question, writer, line)))
                self._tasks.add(served[-1])
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()
            if self._line is None:
                _cancel(served)

    async def _answer(
        self, question: Question, writer: asyncio.StreamWriter, line: asyncio.Lock
    ) -> None:
        async with line:
            if writer.is_closing():
                return
            if question.unit in self._there:
                writer.write(question.reply(2300))
                return
            await asyncio.sleep(self._gives_up_s)
            if self._says and not writer.is_closing():
                writer.write(question.refusal(0x0B))

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[int]:
        """The port at which it is."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            server.close()
            _cancel(self._tasks)


def _cancel(tasks: Iterable[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()


def quiet(_: float) -> None:
    """Ignore the progress."""


def altered(model: ModbusModel, name: str, by: Any) -> ModbusModel:
    """A device that differs from its manual.

    Args:
        model: as the manual says.
        name: its id.
        by: what became of a point's keys.
    """
    rows = tuple(msgspec.structs.replace(row, **by(row)) for row in model.point)
    return ModbusModel(model=msgspec.structs.replace(model.model, id=name), point=rows)


def low_word_first(row: PointRow) -> dict[str, Any]:
    """CDAB, whatever the width."""
    return {"order": byte_orders(row.words)[1]}


def one_lower(row: PointRow) -> dict[str, Any]:
    """Counted from 0 where the manual counts from 1."""
    return {"address": row.address - 1}
