"""Meters as they hang there before anybody knows them: one a model, served by the simulators."""

import struct
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from fractions import Fraction
from typing import Any

import msgspec

from edge_agent import probe
from edge_agent.probe import Probe
from jieneng.clock import Clock, SystemClock
from jieneng.metering.catalog import Model, PointRow
from jieneng.metering.registers import orders
from jieneng.metering.site import Area, Bus, Identity, Meter, Site
from simulators import fleet
from simulators import meter as metered
from simulators.campus import Campus
from simulators.flows import Altered
from simulators.meter import Stretch
from simulators.steady import Steady
from tests.edge_agent.misbehaving import Act, Question
from tests.simulators.clocks import StillClock

BEGIN_MS = 1_748_916_000_000  # 2025-06-03 10:00 in Huai'an
NOW_MS = BEGIN_MS + 300 * 3_600_000
_RATES = {"electricity": 36.0, "water": 3.6, "gas": 12.5, "heat": 0.4}


def campus(models: Sequence[Model], link: Any, ct: float = 1.0) -> Campus:
    """Unit 1 is the first model, unit 2 the second, and so on; all have run for 300 hours."""
    rows = [
        Meter(
            id=f"m-{unit}", name="m", medium=model.model.medium, area="a", bus="b", unit=unit,
            model=model.id,
        )
        for unit, model in enumerate(models, 1)
    ]  # fmt: skip
    site = Site(
        site=Identity(id="scene", name="试验"),
        area=(Area(id="a", name="A"),),
        bus=(Bus(id="b", agent="agent-1", link=link, host="127.0.0.1", device="x"),),
        meter=tuple(rows),
    )
    leaves = {one.id: Altered(Steady(_RATES[one.medium], BEGIN_MS)) for one in rows}
    flows = {name: Altered(leaf) for name, leaf in leaves.items()}
    meters = {
        one.id: metered.Meter(one.id, one.medium, flows[one.id], [Stretch(0, model, Fraction(ct))])
        for one, model in zip(rows, models, strict=True)
    }
    return Campus(site, meters, flows, leaves)


@asynccontextmanager
async def served(
    *models: Model, link: Any = "tcp", ct: float = 1.0, clock: Clock | None = None
) -> AsyncIterator[int]:
    """The port at which they are served; their registers stand still but for a clock that runs."""
    here = campus(models, link, ct)
    async with fleet.serving(here, clock or StillClock(NOW_MS)) as places:
        yield places["b"].port


@asynccontextmanager
async def served_on_a_port(*models: Model) -> AsyncIterator[str]:
    """The serial port at which they are served."""
    async with fleet.serving(campus(models, "rtu"), StillClock(NOW_MS)) as places:
        yield places["b"].device or ""


@asynccontextmanager
async def probing(port: int, link: Any = "tcp", timeout_s: float = 0.1) -> AsyncIterator[Probe]:
    """A probe of a port of this machine."""
    bus = Bus(id="b", agent="a", link=link, host="127.0.0.1", port=port, timeout_s=timeout_s)
    one = Probe(*probe.open_link(bus, SystemClock().now_ms), delay_s=0.0)
    try:
        yield one
    finally:
        await one.close()


class Documented:
    """A device with the registers that its manual names and no other, as some gateways map them.

    Attributes:
        most: registers that it gives at once.
    """

    def __init__(self, model: Model, held: Mapping[int, int], most: int = 125) -> None:
        """Its registers hold 50 where nothing else is said."""
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


def quiet(_: float) -> None:
    """Nobody wants to know how far it is."""


def altered(model: Model, name: str, by: Any) -> Model:
    """A device of a maker who did not keep to the manual.

    Args:
        model: as the manual says.
        name: its id.
        by: what became of a point's keys.
    """
    rows = tuple(msgspec.structs.replace(row, **by(row)) for row in model.point)
    return Model(model=msgspec.structs.replace(model.model, id=name), point=rows)


def low_word_first(row: PointRow) -> dict[str, Any]:
    """CDAB, whatever the width."""
    return {"order": orders(row.words)[1]}


def one_lower(row: PointRow) -> dict[str, Any]:
    """Counted from 0 where the manual counts from 1."""
    return {"address": row.address - 1}
