"""Power cuts and leaks change the true consumption; gateways limit their connections."""

import asyncio

import numpy as np
import pytest

from jieneng.site_folder import SiteFolder
from simulators.faults import connection_faults, flow_faults
from simulators.load.altered_load import AlteredLoad, LeakPeriod, Outage
from simulators.load.constant_load import ConstantLoad
from simulators.scripting.fault_script import FaultScript
from simulators.serving import site_server
from simulators.settings import SimulatorSettings
from tests.patience import PATIENCE_S
from tests.simulators.scene import BEGIN_MS, HOUR_MS, Master, Scene, scene

pytestmark = pytest.mark.server


def _flowed(one: Scene, meter: str, after_s: int) -> float:
    at = np.asarray([BEGIN_MS + 1000 * after_s])
    return float(one.simulated.meters[meter].load.consumption(at)[0])


async def test_a_power_cut_darkens_a_building_and_the_truth_knows() -> None:
    """Block a is without power for an hour from second 600 on; block b is not."""
    async with scene(flow_faults.PowerCut(area="a", after_s=600, duration_s=3600)) as one:
        assert _flowed(one, "e-1", 600) == 6.0
        assert _flowed(one, "e-1", 4200) == 6.0
        assert _flowed(one, "e-1", 7800) == 42.0
        assert _flowed(one, "e-2", 4200) == 12.0  # on a floor of block a
        assert round(_flowed(one, "e-b", 4200), 9) == 4.2
        assert round(_flowed(one, "w-1", 4200), 9) == 4.2  # water needs no power
        at = np.asarray([BEGIN_MS + 1_000_000])
        assert one.simulated.meters["e-1"].load.rate(at)[0] == 0.0


async def test_a_dark_gateway_takes_nobody_and_has_forgotten_everybody_afterwards() -> None:
    async with scene(flow_faults.PowerCut(area="a", after_s=600, duration_s=60)) as one:
        before, idle = await one.connect(), await one.connect()
        assert len(await before.ask()) == 13
        one.clock.time_ms += 610_000
        assert await before.ask() == b""
        newcomer = await one.connect()
        with pytest.raises(ConnectionResetError):
            await newcomer.reader.readexactly(1)
        other = await one.connect("bus-b")
        assert len(await other.ask()) == 13
        one.clock.time_ms += 60_000
        before.send()
        with pytest.raises(ConnectionResetError):
            await before.reader.readexactly(1)
        assert len(await idle.ask()) == 13  # nothing was asked on it in the dark
        after = await one.connect()
        assert await after.energy() == 6.1  # 670 s less the minute in the dark
        for master in (before, idle, newcomer, other, after):
            master.writer.close()


async def test_a_cut_of_one_meter_leaves_its_gateway_alive() -> None:
    async with scene(flow_faults.PowerCut(meter="e-1")) as one:
        master = await one.connect()
        assert await master.ask(unit=1) == b""
        assert len(await master.ask(unit=2)) == 13
        master.writer.close()


async def test_a_dark_gateway_says_nothing_of_units_that_are_not_there() -> None:
    async with scene(flow_faults.PowerCut(area="a")) as one:
        one.clock.time_ms -= 1  # just before, so that the connection is taken
        master = await one.connect()
        one.clock.time_ms += 1
        assert await master.ask(unit=77) == b""
        master.writer.close()


async def test_a_bus_is_dark_when_all_its_meters_are_whoever_darkened_them() -> None:
    cuts = [flow_faults.PowerCut(meter=name) for name in ("e-1", "e-2", "w-1")]
    async with scene(*cuts) as one:
        assert one.script.bus_has_no_power("bus-a", BEGIN_MS)
        assert not one.script.bus_has_no_power("bus-b", BEGIN_MS)


async def test_no_electricity_leaks_without_power_but_water_does() -> None:
    """The power is cut from second 600 to 1200, the leaks go on from 0 to 1800."""
    async with scene(
        flow_faults.PowerCut(area="a", after_s=600, duration_s=600),
        flow_faults.Leak(meter="e-1", after_s=0, duration_s=1800, rate=36.0),
        flow_faults.Leak(meter="w-1", after_s=0, duration_s=1800, rate=3.6),
    ) as one:
        assert _flowed(one, "e-1", 1800) == 2 * 12.0
        assert round(_flowed(one, "w-1", 1800), 9) == 2 * 1.8


def test_what_is_fed_through_a_dark_meter_is_dark_too(
    example: SiteFolder, settings: SimulatorSettings
) -> None:
    """Block 2 feeds the data room, which is another area of the example centre."""
    simulated = site_server.simulate_site(example, settings)
    script = FaultScript(simulated, 1, BEGIN_MS)
    [cut] = script.place([flow_faults.PowerCut(meter="e-b2", duration_s=3600)])
    assert {"e-b2", "e-b2-light", "e-dr", "e-dr-it", "e-dr-cool"} <= cut.meters
    assert "w-b2" not in cut.meters
    during = np.asarray([BEGIN_MS, BEGIN_MS + HOUR_MS])
    flowed = {
        name: float(np.diff(simulated.meters[name].load.consumption(during))[0])
        for name in ("e-b2", "e-dr", "e-main")
    }
    assert flowed["e-b2"] == pytest.approx(0, abs=1e-6)
    assert flowed["e-dr"] == pytest.approx(0, abs=1e-6)
    assert flowed["e-main"] > 10


async def test_a_leak_flows_on_top() -> None:
    """3.6 m3/h, and 1.8 m3/h more from the second hour on."""
    fault = flow_faults.Leak(meter="w-1", after_s=3600, duration_s=3600, rate=1.8)
    async with scene(fault) as one:
        assert round(_flowed(one, "w-1", 3600), 9) == 3.6
        assert round(_flowed(one, "w-1", 7200), 9) == 9.0
        assert round(_flowed(one, "w-1", 10_800), 9) == 12.6
        at = np.asarray([BEGIN_MS + 5_000_000])
        assert round(float(one.simulated.meters["w-1"].load.rate(at)[0]), 9) == 5.4


def test_cuts_that_overlap_are_cut_once() -> None:
    load = AlteredLoad(ConstantLoad(10.0, 0))
    load.alter([Outage(HOUR_MS, 3 * HOUR_MS), Outage(2 * HOUR_MS, 4 * HOUR_MS)], [])
    at = np.asarray([0, HOUR_MS, 2 * HOUR_MS, 4 * HOUR_MS, 5 * HOUR_MS])
    assert load.consumption(at).tolist() == [0.0, 10.0, 10.0, 10.0, 20.0]
    assert load.rate(at).tolist() == [10.0, 0.0, 0.0, 10.0, 10.0]
    load.alter([], [LeakPeriod(0, HOUR_MS, 1.0)])
    assert load.consumption(at).tolist() == [0.0, 11.0, 21.0, 41.0, 51.0]
    load.alter([], [])
    assert load.consumption(at).tolist() == [0.0, 10.0, 20.0, 40.0, 50.0]


@pytest.mark.parametrize(
    ("newcomer", "first_lives", "second_lives"),
    [("closed", True, False), ("ignored", True, False), ("takes_over", False, True)],
)
async def test_a_gateway_takes_one_connection(
    newcomer: str, first_lives: bool, second_lives: bool
) -> None:
    fault = connection_faults.OneConnection(bus="bus-a", newcomer=newcomer)  # type: ignore[arg-type]  # a literal
    async with scene(fault) as one:
        first = await one.connect()
        assert len(await first.ask()) == 13
        second = await one.connect()
        await asyncio.sleep(0)
        for master, lives in ((second, second_lives), (first, first_lives)):
            assert await _lives(master) is lives
        for master in (first, second):
            master.writer.close()
        # Once the one that it had is gone, another is welcome.
        third = await _welcome(one)
        assert len(await third.ask()) == 13
        third.writer.close()


async def _lives(master: Master) -> bool:
    """Whether a question is answered; a dead connection is reset, or silent."""
    master.send()
    try:
        return len(await master.hear(0.1)) == 13
    except ConnectionResetError:
        return False


async def _welcome(one: Scene) -> Master:
    """A connection that lives, as soon as the gateway has noticed that the others are gone."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            master = await one.connect()
            if await _lives(master):
                return master
            master.writer.close()
