"""A read plan has the fewest reads for the wanted registers."""

from collections.abc import Iterator, Mapping
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jieneng.metering import read_plan
from jieneng.metering.catalog.modbus_points import (
    ForbiddenRow,
    FractionRow,
    ModbusHead,
    ModbusModel,
    PartRow,
    PointRow,
    modbus_models,
)
from jieneng.metering.catalog.modbus_reads import ModbusRead, plan
from jieneng.metering.quantities import CONSUMPTION, QUANTITIES
from jieneng.metering.read_plan import PollPlan
from jieneng.site_folder import packaged_models

NAMES = sorted(name for name, row in QUANTITIES.items() if "electricity" in row.media)
Span = tuple[int, int]  # first address, one more than the last


def model(
    spans: list[Span],
    max_registers: int = 60,
    max_gap: int = 16,
    forbidden: tuple[Span, ...] = (),
    every: tuple[int, ...] = (),
) -> ModbusModel:
    """A point a span: a register at its start, and one of its fraction at its end."""
    head = ModbusHead(
        id="m", name="m", medium="electricity", source="made for a test", confidence="manual",
        max_registers=max_registers, max_gap=max_gap,
    )  # fmt: skip
    points = tuple(
        PointRow(
            quantity=name, function=3, address=first, type="u16",
            fraction=FractionRow(address=end - 1, type="u16") if end - first > 1 else None,
            every=every[number] if number < len(every) else 1,
        )
        for number, (name, (first, end)) in enumerate(zip(NAMES, spans, strict=False))
    )  # fmt: skip
    rows = tuple(
        ForbiddenRow(function=3, from_=first, to=end - 1, why="it hangs")
        for first, end in forbidden
    )
    return ModbusModel(model=head, point=points, forbidden=rows)


# --- against brute force --------------------------------------------------------------------------


def partitions(spans: list[Span]) -> Iterator[list[list[Span]]]:
    """Every way to put values into groups, not only neighbours."""
    if not spans:
        yield []
        return
    for rest in partitions(spans[1:]):
        yield [[spans[0]], *rest]
        for number, group in enumerate(rest):
            yield [*rest[:number], [spans[0], *group], *rest[number + 1 :]]


def cost(groups: list[list[Span]], device: ModbusModel) -> tuple[int, int] | None:
    """Reads and registers of a plan; None where the device does not allow it."""
    registers = 0
    for group in groups:
        first, end = min(span[0] for span in group), max(span[1] for span in group)
        wanted = {address for begin, stop in group for address in range(begin, stop)}
        longest = run = 0
        for address in range(first, end):
            run = 0 if address in wanted else run + 1
            longest = max(longest, run)
        hit = any(row.from_ < end and first <= row.to for row in device.forbidden)
        if hit or longest > device.model.max_gap or end - first > device.model.max_registers:
            return None
        registers += end - first
    return len(groups), registers


SPANS = st.lists(
    st.tuples(st.integers(0, 40), st.sampled_from([1, 1, 2, 2, 4, 9])).map(
        lambda one: (one[0], one[0] + one[1])
    ),
    min_size=1,
    max_size=6,
    unique_by=lambda span: span[0],
)


@settings(max_examples=300)
@given(
    SPANS,
    st.integers(9, 30),
    st.integers(0, 10),
    st.lists(st.tuples(st.integers(0, 50), st.integers(1, 3)), max_size=3),
)
def test_no_plan_has_fewer_reads_or_as_many_with_fewer_registers(
    spans: list[Span], most: int, gap: int, walls: list[tuple[int, int]]
) -> None:
    """Values may nest and overlap; the walls are forbidden addresses where no value is."""
    forbidden = tuple(
        (at, at + wide)
        for at, wide in walls
        if not any(first < at + wide and at < end for first, end in spans)
    )
    device = model(spans, most, gap, forbidden)
    reads = plan(device)
    costs = [found for groups in partitions(spans) if (found := cost(groups, device))]
    assert (len(reads), sum(read.count for read in reads)) == min(costs)
    by_name = dict(zip(NAMES, spans, strict=False))
    kept = [[by_name[name] for name in read.quantities] for read in reads]
    assert cost(kept, device) == min(costs)
    assert sorted(name for read in reads for name in read.quantities) == sorted(by_name)
    for read, group in zip(reads, kept, strict=True):
        assert read.address == min(first for first, _ in group)


def test_as_many_reads_but_the_shorter_ones() -> None:
    """From the left, 0 and 10 would go together, and 12 alone: 12 registers instead of 4."""
    reads = plan(model([(0, 1), (10, 11), (12, 13)], max_registers=11))
    assert [(read.address, read.count) for read in reads] == [(0, 1), (10, 3)]


def test_a_gap_is_read_along_up_to_the_limit_and_a_wall_never() -> None:
    near, far = [(0, 2), (10, 12)], [(0, 2), (11, 13)]
    assert len(plan(model(near, max_gap=8))) == 1
    assert len(plan(model(far, max_gap=8))) == 2
    assert len(plan(model(near, max_gap=8, forbidden=((5, 6),)))) == 2


# --- what a read says -----------------------------------------------------------------------------


def test_ratios_are_applied_where_the_model_asks_for_them_and_exactly() -> None:
    """CT 240 on a register of hundredths: 812345.6 kWh of the primary side."""
    acrel = modbus_models(packaged_models())["acrel-dtsd1352"]
    first = plan(acrel, {"ct": Fraction(240), "pt": Fraction(1)}, ["energy_kwh"])[0]
    assert first.decode((338477).to_bytes(4, "big")) == (812344.8,)


def of_points_model(*points: PointRow) -> ModbusModel:
    return ModbusModel(model=model([(0, 1)]).model, point=points)


def of_points(*points: PointRow) -> tuple[ModbusRead, ...]:
    return plan(of_points_model(*points))


def test_functions_are_never_mixed_in_a_read() -> None:
    reads = of_points(
        PointRow(quantity="energy_kwh", function=3, address=0, type="u32"),
        PointRow(quantity="power_kw", function=4, address=2, type="f32"),
        PointRow(quantity="fault_flag", function=2, address=4),
    )
    assert [(read.function, read.size) for read in reads] == [(2, 1), (3, 4), (4, 4)]


def test_coils_and_inputs_are_read_as_bits() -> None:
    [read] = of_points(PointRow(quantity="fault_flag", function=1, address=19))
    assert (read.function, read.address, read.count, read.size) == (1, 19, 1, 1)
    assert read.decode(b"\x01") == (1.0,)
    assert read.decode(b"\xfe") == (0.0,)


def test_a_value_is_read_with_its_fraction_and_exponent_wherever_they_lie() -> None:
    [read] = of_points(
        PointRow(
            quantity="energy_kwh", function=3, address=10, type="u16", unit="Wh",
            fraction=FractionRow(address=14, type="u16", scale="0.001"),  # type: ignore[arg-type]  # as in the file
            exponent=PartRow(address=8, type="i16"),
        )
    )  # fmt: skip
    assert (read.address, read.count) == (8, 7)
    block = b"".join(word.to_bytes(2, "big") for word in (3, 0, 812, 0, 0, 0, 5))
    assert read.decode(block) == (812.005,)


@pytest.mark.parametrize("name", sorted(packaged_models()))
def test_every_packaged_model_can_be_planned(name: str) -> None:
    packaged = modbus_models(packaged_models())[name]
    reads = plan(packaged)
    quantities = [quantity for read in reads for quantity in read.quantities]
    assert sorted(quantities) == sorted(point.quantity for point in packaged.point)


# --- not every quantity in every poll -------------------------------------------------------------

PACES = st.lists(st.sampled_from([1, 2, 3, 4, 6, 10]), min_size=3, max_size=3)


@given(PACES, st.integers(0, 400))
def test_each_quantity_is_read_at_its_pace_and_all_due_are_planned_together(
    paces: list[int], number: int
) -> None:
    """Where no poll is missed: when the pace divides its number."""
    device = model([(0, 2), (2, 4), (40, 42)], every=tuple(paces))
    rota = PollPlan(device)
    due = [name for name, n in zip(NAMES, paces, strict=False) if (number + 1) % n == 0]
    found = rota.reads(rota.due(number + 1, number))
    wanted = plan(device, wanted=due)
    assert [(read.request_key, read.quantities) for read in found] == [
        (read.request_key, read.quantities) for read in wanted
    ]


@given(PACES, st.lists(st.booleans(), min_size=1, max_size=200), st.integers(0, 10**9))
def test_a_quantity_is_got_once_in_each_of_its_periods_whatever_polls_are_missed(
    paces: list[int], answered: list[bool], start: int
) -> None:
    """In the first answered poll of the period; never twice, never skipped."""
    rota = PollPlan(model([(0, 2), (2, 4), (40, 42)], every=tuple(paces)))
    got: dict[int, list[int]] = {pace: [] for pace in rota.cadences}
    last = None
    for number, ok in enumerate(answered, start):
        if ok:
            for pace in rota.due(number, last):
                got[pace].append(number // pace)
            last = number
    for pace, periods in got.items():
        every = {number // pace for number, ok in enumerate(answered, start) if ok}
        assert periods == sorted(every)


def test_a_meter_may_set_another_pace_than_its_model() -> None:
    acrel = modbus_models(packaged_models())["acrel-dtsd1352"]
    slow: Mapping[str, int] = {
        point.quantity: 6 for point in acrel.point if point.quantity != "energy_kwh"
    }
    rota = PollPlan(acrel, every=slow)
    due = [rota.due(number, number - 1 if number else None) for number in range(8)]
    assert [len(rota.reads(one)) for one in due] == [4, 1, 1, 1, 1, 1, 4, 1]


def test_a_slow_quantity_rides_along_with_a_fast_ones_read() -> None:
    rota = PollPlan(model([(0, 2), (2, 4)], every=(1, 10)))
    assert [len(rota.reads(rota.due(0))), len(rota.reads(rota.due(1, 0)))] == [1, 1]


def test_the_consumption_counter_is_asked_for_first() -> None:
    """After a silence nothing more is asked in a poll. A voltage that is lost is only a gap."""
    device = of_points_model(
        PointRow(quantity="voltage_v", function=3, address=0, type="u16"),
        PointRow(quantity="energy_kwh", function=3, address=100, type="u32"),
        PointRow(quantity="power_kw", function=4, address=0, type="f32"),
    )
    polls = PollPlan(device)
    assert [read.quantities for read in polls.reads(polls.due(0))] == [
        ("energy_kwh",),
        ("voltage_v",),
        ("power_kw",),
    ]


def quantities_in_order(*points: PointRow) -> list[tuple[str, ...]]:
    polls = PollPlan(of_points_model(*points))
    return [read.quantities for read in polls.reads(polls.due(0))]


def test_the_last_two_requests_differ_so_that_repeated_replies_are_found_out() -> None:
    """Without numbers, a reply that is late by one is told apart by its shape only."""
    counter = PointRow(quantity="energy_kwh", function=3, address=0, type="u64")
    alike = [
        PointRow(quantity=name, function=3, address=100 * n, type="f32")
        for n, name in enumerate(("current_a_a", "voltage_a_v"), 1)
    ]
    wide = PointRow(quantity="power_kw", function=3, address=50, type="f64")
    assert quantities_in_order(counter, wide, *alike) == [
        ("energy_kwh",),
        ("current_a_a",),
        ("voltage_a_v",),
        ("power_kw",),
    ]
    # Nothing but the counter differs.
    assert quantities_in_order(counter, *alike) == [
        ("current_a_a",),
        ("voltage_a_v",),
        ("energy_kwh",),
    ]
    # Nothing differs at all.
    same = PointRow(quantity="energy_kwh", function=3, address=0, type="u32")
    assert quantities_in_order(same, *alike) == [
        ("energy_kwh",),
        ("current_a_a",),
        ("voltage_a_v",),
    ]


@pytest.mark.parametrize("name", sorted(packaged_models()))
def test_every_packaged_model_is_asked_for_its_counter_first_and_by_the_same_reads(
    name: str,
) -> None:
    """Except where all other reads have one shape, and only the counter's differs from it."""
    device = packaged_models()[name]
    polls = PollPlan(device)
    reads = polls.reads(polls.due(0))
    counter = CONSUMPTION[device.model.medium]
    others = [read.reply_shape for read in reads if counter not in read.quantities]
    place = -1 if len(others) > 1 and len(set(others)) == 1 else 0
    assert counter in reads[place].quantities
    assert {read.request_key for read in reads} == {
        read.request_key for read in read_plan.plan(device)
    }
