"""The time of a round, calculated by hand, and the messages if it is too long."""

from typing import Any

import msgspec
import pytest

from edge_agent.commissioning import bus_time_budget
from edge_agent.links.serial_timing import frame_gap_s
from jieneng.metering.catalog.modbus_points import ModbusModel
from jieneng.metering.catalog.modbus_reads import ModbusRead
from jieneng.metering.errors import Problem
from jieneng.metering.site import Bus, Site
from tests.edge_agent import agent_setup
from tests.edge_agent.polling import stepped_gateway

MODEL = agent_setup.EVEN  # 2, 23 and 2 registers, in three questions


def bus(link: Any = "rtu", **more: Any) -> Bus:
    place = {"device": "/dev/ttyS1"} if link == "rtu" else {"host": "192.0.2.1"}
    return Bus(id="b", agent="a", link=link, **{**place, **more})


def site(on: Bus, count: int, **more: Any) -> Site:
    meters = [agent_setup.meter(f"m{unit}", "b", unit, **more) for unit in range(1, count + 1)]
    return agent_setup.site(on, meters=meters)


def read(registers: int, function: int = 3) -> ModbusRead:
    return ModbusRead(function, 0, registers, (), lambda _: ())


def request_s(on: Bus, planned: ModbusRead) -> float:
    return bus_time_budget.request_s(on, planned, "modbus")


def models() -> dict[str, ModbusModel]:
    return {MODEL.id: MODEL}


def test_a_question_at_9600_baud_by_hand() -> None:
    """8 + 5 + 2 x 23 bytes of 10 bits: 61.46 ms; two silences: 7.29 ms; the device: 20 ms."""
    assert request_s(bus(), read(23)) == pytest.approx(0.06146 + 0.00729 + 0.020, abs=1e-5)
    over_tcp = request_s(bus("rtu_tcp"), read(23))
    assert over_tcp == pytest.approx(0.06146 + 0.00729 + 0.022, abs=1e-5)
    assert request_s(bus("tcp"), read(23)) == pytest.approx(0.022)


@pytest.mark.parametrize(
    "line", [{"baud": 1200}, {"baud": 9600, "parity": "E"}, {"parity": "O"}, {"stop_bits": 2}]
)
def test_a_line_behind_a_modbus_tcp_gateway_counts_where_it_is_written(
    line: dict[str, Any],
) -> None:
    """The gateway speaks RTU there, as a serial server does."""
    behind_s = request_s(bus("tcp", **line), read(23))
    assert behind_s == request_s(bus("rtu_tcp", **line), read(23))
    assert behind_s > request_s(bus("tcp"), read(23))


def test_a_line_without_a_baud_has_9600() -> None:
    for link in ("rtu", "rtu_tcp"):
        usual_s = request_s(bus(link), read(23))
        assert usual_s == request_s(bus(link, baud=9600), read(23))


def test_a_slow_line_behind_a_modbus_tcp_gateway_is_refused() -> None:
    here = site(bus("tcp", baud=1200), 30, interval_s=3.0)
    [one] = bus_time_budget.problems(here, models())
    assert "bus b is too slow: polling all its meters (30)" in said(one)
    assert not list(bus_time_budget.problems(site(bus("tcp"), 30, interval_s=3.0), models()))


def test_what_the_bus_says_goes_before_what_is_assumed() -> None:
    usual, slow = bus(), bus(turnaround_s=0.15)
    more_s = request_s(slow, read(2)) - request_s(usual, read(2))
    assert more_s == pytest.approx(0.13)


def test_a_delay_runs_within_the_silence_of_our_own_port_alone() -> None:
    silence_s = frame_gap_s(9600, "N", 1)
    for link, more_s in (("rtu", 0.05 - silence_s), ("rtu_tcp", 0.05), ("tcp", 0.05)):
        longer_s = request_s(bus(link, delay_s=0.05), read(2))
        assert longer_s - request_s(bus(link), read(2)) == pytest.approx(more_s)


def test_bits_take_less_than_registers() -> None:
    coils = request_s(bus(), read(16, function=1))
    assert coils == pytest.approx(request_s(bus(), read(1)))


def test_a_round_is_the_sum_and_the_load_its_share_of_the_intervals() -> None:
    on = bus()
    one = bus_time_budget.bus_budget(
        on, [(meter, MODEL) for meter in site(on, 4, interval_s=10.0).meter]
    )
    a_meter_s = sum(request_s(on, read(registers)) for registers in (2, 23, 2))
    assert (one.meters, one.requests) == (4, 12)
    assert one.cycle_s == pytest.approx(4 * a_meter_s)
    assert one.load == pytest.approx(4 * a_meter_s / 10)
    assert one.silent_s == 2.0, "a time-out, and one of waiting for what comes late"
    assert one.all_silent_s == 8.0


def test_what_is_asked_in_every_tenth_poll_costs_a_tenth() -> None:
    rows = [
        msgspec.structs.replace(row, every=1 if row.quantity == "energy_kwh" else 10)
        for row in MODEL.point
    ]
    model = ModbusModel(model=MODEL.model, point=tuple(rows))
    on = bus()
    [meter] = site(on, 1, interval_s=1.0).meter
    one = bus_time_budget.bus_budget(on, [(meter, model)])
    energy_s, others_s = (
        sum(request_s(on, read(count)) for count in counts) for counts in ([2], [23, 2])
    )
    assert one.cycle_s == pytest.approx(energy_s + others_s)
    assert one.load == pytest.approx(energy_s + others_s / 10)


def test_twice_the_baud_is_less_than_twice_as_fast() -> None:
    slow, fast = bus(baud=9600), bus(baud=19200)
    ratio = request_s(slow, read(60)) / request_s(fast, read(60))
    assert 1.6 < ratio < 2


def said(one: Problem) -> str:
    return str(one)


def test_what_can_not_fit_is_refused_with_the_interval_that_would() -> None:
    [one] = bus_time_budget.problems(site(bus(), 60, interval_s=5.0), models())
    assert one.path == ("bus", 0)
    assert "bus b is too slow: polling all its meters (60) once takes 10." in said(one)
    interval_s = float(said(one).split("interval_s = ")[1].split(" ")[0])
    there = site(bus(), 60, interval_s=interval_s)
    assert not list(bus_time_budget.problems(there, models()))
    [mended] = bus_time_budget.bus_budgets(there, models())
    assert mended.load <= bus_time_budget.BUSY


def test_what_just_fits_is_warned_of() -> None:
    here = site(bus(), 60, interval_s=12.0)
    assert not list(bus_time_budget.problems(here, models()))
    [one] = bus_time_budget.warnings(here, models())
    assert "busy for 8" in said(one)


SLOW = [row.quantity for row in MODEL.point if row.quantity != "energy_kwh"]


def in_every(polls: int) -> dict[str, int]:
    return dict.fromkeys(SLOW, polls)


def test_a_round_in_which_everything_is_due_has_to_fit_as_well() -> None:
    """On average 30 such meters are busy for half of 3 s; in every twelfth round it is 5.4 s."""
    here = site(bus(), 30, interval_s=3.0, every=in_every(12))
    [told] = bus_time_budget.bus_budgets(here, models())
    assert told.load < bus_time_budget.BUSY
    [one] = bus_time_budget.problems(here, models())
    assert one.path == ("bus", 0)
    assert "bus b is too slow when all slow quantities (every) are due at once" in said(one)
    assert "within 3 s then take 5.36 s by calculation" in said(one)
    assert not list(bus_time_budget.warnings(here, models())), "it is refused already"
    interval_s = float(said(one).split("interval_s = ")[1].split(" ")[0])
    there = site(bus(), 30, interval_s=interval_s, every=in_every(12))
    assert not list(bus_time_budget.problems(there, models()))


@pytest.mark.parametrize("units", [16, 17])
async def test_who_is_refused_would_miss_polls_and_who_passes_misses_none(units: int) -> None:
    """Late within its slot is not missed: the next slot is lost where a poll ends after its own."""
    here = site(bus(), units, interval_s=3.0, every=in_every(12))
    [told] = bus_time_budget.bus_budgets(here, models())
    wire_s = told.cycle_s / told.requests
    polled = stepped_gateway.Bus(
        lambda question, _: question.reply(1),
        units=units, interval_s=3.0, wire_s=wire_s, every=in_every(12),
    )  # fmt: skip
    await polled.run(360)
    polls = [len(polled.of(unit)) for unit in range(1, units + 1)]
    refused = list(bus_time_budget.problems(here, models()))
    assert (max(polls) - min(polls) > 1) == bool(refused), "the last round is under way at the end"


def test_without_slow_quantities_the_peak_interval_is_no_fuller_than_usual() -> None:
    on = bus()
    meters = [
        agent_setup.meter(f"m{n}", "b", n, interval_s=s) for n, s in enumerate((0.9, 2.0, 7.0), 1)
    ]
    one = bus_time_budget.bus_budget(on, [(meter, MODEL) for meter in meters])
    assert one.peak_s <= one.load * one.peak_interval_s


def test_a_slow_meter_may_take_longer_than_the_interval_of_a_fast_one() -> None:
    """Who has the shorter interval goes first, and its polls are asked between the others'."""
    on = bus()
    fast = agent_setup.meter("fast", "b", 40, interval_s=1.0, every=in_every(10))
    slow = [agent_setup.meter(f"m{unit}", "b", unit, interval_s=60.0) for unit in range(1, 31)]
    here = agent_setup.site(on, meters=[fast, *slow])
    [one] = bus_time_budget.bus_budgets(here, models())
    assert one.cycle_s > one.shortest_s
    assert not list(bus_time_budget.problems(here, models()))


def test_the_peak_interval_has_the_faster_meters_polls_in_it() -> None:
    """Within 4 s: a whole poll of each, and three more of the fast one, of which one is whole."""
    on = bus()
    fast = agent_setup.meter("fast", "b", 1, interval_s=1.0, every=in_every(2))
    slow = agent_setup.meter("slow", "b", 2, interval_s=4.0, every=in_every(9))
    one = bus_time_budget.bus_budget(on, [(fast, MODEL), (slow, MODEL)])
    energy_s = request_s(on, read(2))
    whole_s = sum(request_s(on, read(count)) for count in (2, 23, 2))
    assert one.peak_interval_s == 1.0
    assert one.peak_s == pytest.approx(whole_s)
    much = bus_time_budget.bus_budget(on, [(fast, MODEL), *[(slow, MODEL)] * 9])
    assert much.peak_interval_s == 4.0
    assert much.peak_s == pytest.approx(11 * whole_s + 2 * energy_s)


def test_a_dead_unit_that_costs_a_neighbour_its_slot_is_warned_of() -> None:
    [one] = bus_time_budget.warnings(site(bus(timeout_s=3.0), 4, interval_s=5.0), models())
    assert "delays the others by 6 s" in said(one)
    assert not list(bus_time_budget.warnings(site(bus(timeout_s=1.0), 4, interval_s=5.0), models()))
    alone = site(bus(timeout_s=3.0), 1, interval_s=5.0)
    assert not list(bus_time_budget.warnings(alone, models())), "it has no neighbour"


def test_a_meter_without_a_known_model_is_left_to_whoever_tells_of_that() -> None:
    assert bus_time_budget.bus_budgets(site(bus(), 2, model="none"), models()) == []
