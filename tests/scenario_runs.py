"""Play scenarios: the real agent's pollers poll them over real sockets, each once a session.

The clock is stepped and the loop's time is simulated, so an hour of polls passes in a moment, and a
busy machine costs no reply its time. The exchanges that the meters saw and the samples that the
agent kept are there for every test.
"""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import NamedTuple

import msgspec
import numpy as np
import pytest
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
from simulators.scenarios.scenario import GoldenAnswer, Scenario
from simulators.scoring.consumption_comparison import IntervalAmounts
from simulators.scoring.reading_pairs import Answers, Readings, ScoringRules
from simulators.scoring.score import MeterData, Score, score
from simulators.scripting.fault_script import FaultScript
from simulators.serving import site_server
from simulators.serving.bus_endpoint import BusEndpoint
from simulators.serving.simulated_bus import ExchangeRecord
from simulators.simulated_site import SimulatedSite
from tests.edge_agent.agent_setup import append_samples_to
from tests.simulated_loop import run_simulated
from tests.stepped_clock import SteppedClock

NAMES = scenario.scenario_ids()
_played: dict[str, "PlayedScenario"] = {}


class Series(NamedTuple):
    """The samples of a meter's consumption counter."""

    times_ms: NDArray[np.int64]
    values: NDArray[np.float64]
    quality: NDArray[np.int64]


class PlayedScenario(NamedTuple):
    """A scenario that was played.

    Attributes:
        scenario: the scenario.
        folder: its site.
        simulated: its simulated site.
        exchanges: every exchange, as the simulator recorded it.
        samples: every sample that the agent kept.
    """

    scenario: Scenario
    folder: SiteFolder
    simulated: SimulatedSite
    exchanges: tuple[ExchangeRecord, ...]
    samples: tuple[Sample, ...]

    def series(self, meter: str) -> Series:
        """Return the samples of a meter's consumption counter."""
        counter = self.simulated.meters[meter].counter_quantity
        rows = [
            (sample.time_ms, sample.values[sample.quantities.index(counter)], sample.quality)
            for sample in self.samples
            if sample.meter == meter and counter in sample.quantities
        ]
        known = [row for row in rows if not np.isnan(row[1])]
        return Series(
            np.asarray([row[0] for row in known], dtype=np.int64),
            np.asarray([row[1] for row in known]),
            np.asarray([row[2] for row in known], dtype=np.int64),
        )


def played_scenarios(*names: str) -> pytest.MarkDecorator:
    """Return the parameter `name`, with the tests of one scenario in one group of workers."""
    return pytest.mark.parametrize(
        "name",
        [pytest.param(name, marks=pytest.mark.xdist_group(f"scenario {name}")) for name in names],
    )


def played(name: str) -> PlayedScenario:
    """Play a scenario of the library, or return its earlier run."""
    if name not in _played:
        _played[name] = play(scenario.read(name))
    return _played[name]


def play(chosen: Scenario) -> PlayedScenario:
    """Play a scenario, also one that is not in the library."""
    return run_simulated(_play(chosen))


async def _play(chosen: Scenario) -> PlayedScenario:
    folder = chosen.folder()
    simulated = site_server.simulate_site(folder, chosen.settings())
    begin_ms, end_ms = chosen.scenario.begin_ms, chosen.scenario.end_ms
    clock = SteppedClock(begin_ms, sleepers=len(chosen.bus))
    script = FaultScript(simulated, 1, begin_ms)
    script.place(chosen.fault)
    exchanges: list[ExchangeRecord] = []
    samples: list[Sample] = []
    async with site_server.serving(
        simulated, clock, script=script, on_exchange=exchanges.append
    ) as endpoints:
        pollers = [_poller(folder, bus, endpoints, clock, samples) for bus in chosen.bus]
        tasks = [asyncio.create_task(poller.run()) for poller in pollers]
        try:
            await clock.run_until(end_ms)
        finally:
            for task in tasks:
                task.cancel()
            for task in tasks:
                with suppress(asyncio.CancelledError):
                    await task
    return PlayedScenario(chosen, folder, simulated, tuple(exchanges), tuple(samples))


def _poller(
    folder: SiteFolder,
    bus: Bus,
    endpoints: Mapping[str, BusEndpoint],
    clock: SteppedClock,
    samples: list[Sample],
) -> BusPoller:
    endpoint = endpoints[bus.id]
    simulated_bus = msgspec.structs.replace(
        bus, host=endpoint.host, port=endpoint.port, device=endpoint.device
    )
    return BusPoller(
        bus.id,
        [
            PolledMeter(meter, folder.models[meter.model or ""], folder.site.zone)
            for meter in folder.site.meter
            if meter.bus == bus.id
        ],
        phase_key=bus.id,
        link=bus_link(simulated_bus, clock.now_ms),
        link_kind=bus.link,
        clock=clock,
        on_result=append_samples_to(samples),
        log=structlog.get_logger(),
    )


class ComputedConsumption(NamedTuple):
    """The consumption that the analytics computes from the agent's samples, and its findings."""

    amount: float
    findings: tuple[Finding, ...]


def computed_consumption(run: PlayedScenario, golden: GoldenAnswer) -> ComputedConsumption:
    """Return the consumption in the golden answer's span."""
    meter = run.folder.site.meters[golden.meter]
    devices = devices_of(meter, run.folder.models, run.folder.site.zone)
    series = run.series(golden.meter)
    register = believed_register(series.times_ms, series.values, devices)
    begin_ms = run.scenario.scenario.begin_ms
    edges = np.asarray(
        [begin_ms + round(1000 * golden.from_s), begin_ms + round(1000 * golden.to_s)]
    )
    consumption = consumption_between(register, edges)
    findings = tuple(one.finding for one in register.findings)
    return ComputedConsumption(float(np.nansum(consumption.amount)), findings)


def scored(run: PlayedScenario) -> Score:
    """Score the agent's samples against the meters' answers."""
    head = run.scenario.scenario
    rules = ScoringRules(
        begin_ms=head.begin_ms,
        end_ms=head.end_ms,
        zone=run.folder.site.zone,
        tolerance_ms=500,
        grace_ms=0,
    )
    return score([_meter_data(run, meter.id) for meter in run.folder.site.meter], rules)


def _meter_data(run: PlayedScenario, meter: str) -> MeterData:
    answers = [
        exchange
        for exchange in run.exchanges
        if exchange.meter == meter and exchange.value is not None
    ]
    series = run.series(meter)
    no_amounts = IntervalAmounts(np.asarray([], dtype=np.int64), np.asarray([]))
    return MeterData(
        meter,
        run.simulated.meters[meter].counter_quantity,
        run.simulated.meters[meter].counter_step(run.scenario.scenario.begin_ms),
        Answers(
            np.asarray([answer.time_ms for answer in answers], dtype=np.int64),
            np.asarray([answer.value for answer in answers], dtype=np.float64),
            np.asarray([answer.register for answer in answers], dtype=np.float64),
            np.asarray([answer.verdict for answer in answers], dtype=np.str_),
            tuple(" ".join(answer.faults) for answer in answers),
            tuple(answer.peer for answer in answers),
        ),
        Readings(series.times_ms, series.values, series.quality),
        no_amounts,
        no_amounts,
    )
