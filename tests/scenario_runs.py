"""Scenarios, polled by the real agent's pollers over real sockets; each once a session.

The clock is stepped, so an hour of polls takes as long as its time-outs. What was seen at the
meters and what the agent kept are then for everybody to judge.
"""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import NamedTuple

import msgspec
import numpy as np
import structlog
from numpy.typing import NDArray

from analytics.counters.believed_register import believed_register
from analytics.counters.consumption import consumption_between
from analytics.counters.meter_devices import devices_of
from edge_agent.links.link import bus_link
from edge_agent.polling.bus_poller import BusPoller
from edge_agent.polling.polled_meter import PolledMeter
from jieneng.metering.findings import Finding
from jieneng.metering.reading import Sample
from jieneng.metering.site import Bus
from jieneng.site_folder import SiteFolder
from simulators.scenarios import scenario
from simulators.scenarios.scenario import Golden, Scenario
from simulators.scoring.consumption_comparison import Amounts
from simulators.scoring.reading_pairs import Answers, Readings, Rules
from simulators.scoring.score import Case, Score, score
from simulators.scripting.fault_script import Script
from simulators.serving import site_server
from simulators.serving.modbus_server import Place
from simulators.serving.simulated_bus import Exchange
from simulators.simulated_site import SimulatedSite
from tests.edge_agent.agent_setup import append_samples_to
from tests.stepped_clock import SteppedClock

NAMES = scenario.names()
_ran: dict[str, "Ran"] = {}


class Series(NamedTuple):
    """What the agent kept of a meter's consumption counter."""

    times_ms: NDArray[np.int64]
    values: NDArray[np.float64]
    quality: NDArray[np.int64]


class Ran(NamedTuple):
    """A scenario that was played.

    Attributes:
        seen: every exchange, as the simulator knows it.
        kept: every sample, as the agent kept it.
    """

    scenario: Scenario
    folder: SiteFolder
    campus: SimulatedSite
    seen: tuple[Exchange, ...]
    kept: tuple[Sample, ...]

    def series(self, meter: str) -> Series:
        """A meter's consumption counter, where it was read."""
        counter = self.campus.meters[meter].counts
        rows = [
            (one.time_ms, one.values[one.quantities.index(counter)], one.quality)
            for one in self.kept
            if one.meter == meter and counter in one.quantities
        ]
        known = [row for row in rows if not np.isnan(row[1])]
        return Series(
            np.asarray([row[0] for row in known], dtype=np.int64),
            np.asarray([row[1] for row in known]),
            np.asarray([row[2] for row in known], dtype=np.int64),
        )


async def played(name: str) -> Ran:
    """Play a scenario, or recall how it went."""
    if name not in _ran:
        _ran[name] = await play(scenario.read(name))
    return _ran[name]


async def play(one: Scenario) -> Ran:
    """Play a scenario that may be one's own."""
    folder = one.folder()
    campus = site_server.campus(folder, one.settings())
    begin_ms, end_ms = one.scenario.begin_ms, one.scenario.end_ms
    clock = SteppedClock(begin_ms, sleepers=len(one.bus))
    script = Script(campus, 1, begin_ms)
    script.place(one.fault)
    seen: list[Exchange] = []
    kept: list[Sample] = []
    async with site_server.serving(campus, clock, script=script, seen=seen.append) as places:
        pollers = [_poller(folder, bus, places, clock, kept) for bus in one.bus]
        tasks = [asyncio.create_task(poller.run()) for poller in pollers]
        try:
            await clock.run_until(end_ms)
        finally:
            for task in tasks:
                task.cancel()
            for task in tasks:
                with suppress(asyncio.CancelledError):
                    await task
    return Ran(one, folder, campus, tuple(seen), tuple(kept))


def _poller(
    folder: SiteFolder,
    bus: Bus,
    places: Mapping[str, Place],
    clock: SteppedClock,
    kept: list[Sample],
) -> BusPoller:
    place = places[bus.id]
    found = msgspec.structs.replace(bus, host=place.host, port=place.port, device=place.device)
    return BusPoller(
        bus.id,
        [
            PolledMeter(meter, folder.models[meter.model or ""], folder.site.zone)
            for meter in folder.site.meter
            if meter.bus == bus.id
        ],
        phase=bus.id,
        link=bus_link(found, clock.now_ms),
        link_kind=bus.link,
        clock=clock,
        on_result=append_samples_to(kept),
        log=structlog.get_logger(),
    )


class Counted(NamedTuple):
    """What the analytics makes of what the agent kept."""

    amount: float
    findings: tuple[Finding, ...]


def counted(ran: Ran, golden: Golden) -> Counted:
    """The consumption between the golden answer's moments."""
    meter = ran.folder.site.meters[golden.meter]
    devices = devices_of(meter, ran.folder.models, ran.folder.site.zone)
    series = ran.series(golden.meter)
    register = believed_register(series.times_ms, series.values, devices)
    begin_ms = ran.scenario.scenario.begin_ms
    edges = np.asarray(
        [begin_ms + round(1000 * golden.from_s), begin_ms + round(1000 * golden.to_s)]
    )
    consumption = consumption_between(register, edges)
    return Counted(float(np.nansum(consumption.amount)), register.findings)


def scored(ran: Ran) -> Score:
    """What the agent kept against what the meters answered."""
    head = ran.scenario.scenario
    rules = Rules(
        begin_ms=head.begin_ms,
        end_ms=head.end_ms,
        zone=ran.folder.site.zone,
        tolerance_ms=500,
        grace_ms=0,
    )
    return score([_case(ran, meter.id) for meter in ran.folder.site.meter], rules)


def _case(ran: Ran, meter: str) -> Case:
    told = [one for one in ran.seen if one.meter == meter and one.value is not None]
    series = ran.series(meter)
    nothing = Amounts(np.asarray([], dtype=np.int64), np.asarray([]))
    return Case(
        meter,
        ran.campus.meters[meter].counts,
        ran.campus.meters[meter].step(ran.scenario.scenario.begin_ms),
        Answers(
            np.asarray([one.time_ms for one in told], dtype=np.int64),
            np.asarray([one.value for one in told], dtype=np.float64),
            np.asarray([one.register for one in told], dtype=np.float64),
            np.asarray([one.verdict for one in told], dtype=np.str_),
            tuple(" ".join(one.faults) for one in told),
            tuple(one.peer for one in told),
        ),
        Readings(series.times_ms, series.values, series.quality),
        nothing,
        nothing,
    )
