"""The number on a display is found in the registers, whatever their order, base and scale."""

import math
import tomllib
from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from edge_agent.commissioning import display_search, search_ranges, toml_output
from edge_agent.commissioning.display_search import (
    DisplayReading,
    RegisterLocation,
    find_locations,
)
from jieneng.clock import FastClock
from jieneng.metering.catalog import model_check
from jieneng.metering.catalog.modbus_points import ModbusModel, PointRow, modbus_models
from jieneng.metering.catalog.modbus_reads import plan
from jieneng.metering.registers import TYPES, byte_orders
from jieneng.metering.site import Bus, DatedValue, Meter, Replacement
from jieneng.site_folder import packaged_models
from simulators.protocols import register_words
from tests.edge_agent.commissioning.unknown_meters import (
    NOW_MS,
    altered,
    low_word_first,
    one_lower,
    probing,
    quiet,
    served,
    site_of_models,
)

MODELS = modbus_models(packaged_models())
DTSD = MODELS["acrel-dtsd1352"]
SHOWN = "10800.00"  # 36 kW for 300 hours


def row(model: ModbusModel, quantity: str = "energy_kwh") -> PointRow:
    return next(row for row in model.point if row.quantity == quantity)


def shown(text: str, quantity: str = "energy_kwh", **more: Any) -> DisplayReading:
    return DisplayReading(quantity, Decimal(text), **more)


async def locate(
    model: ModbusModel, *displays: DisplayReading, span: range = range(200)
) -> list[list[RegisterLocation]]:
    async with served(model) as port, probing(port) as bus_probe:
        held = await bus_probe.read_registers(1, search_ranges.by_both_functions(span), quiet)
    return [list(find_locations(display, held)) for display in displays]


@pytest.mark.server
@pytest.mark.parametrize(
    "name", [name for name, one in MODELS.items() if one.model.medium == "electricity"]
)
async def test_each_model_of_the_library_is_found_where_it_says(name: str) -> None:
    model = MODELS[name]
    around = range(max(row(model).address - 30, 0), row(model).address + 30)
    counts = site_of_models([model], "tcp").meters["m-1"].values(NOW_MS)["energy_kwh"]
    [found] = await locate(model, shown(f"{counts:.1f}"), span=around)
    best = display_search.rank(found, row(model))[0]
    exotic = row(model).exponent is not None  # its scale is the device's, not the model's
    assert display_search.differing_keys(best, row(model)) == (("scale",) if exotic else ())


@pytest.mark.server
async def test_another_word_order_and_scale_are_found() -> None:
    def other(point: PointRow) -> dict[str, Any]:
        return {**low_word_first(point), "scale": Decimal("0.1")}

    device = altered(DTSD, "other", other)
    [found] = await locate(device, shown("10800.0"))
    best = display_search.rank(found, row(DTSD))[0]
    assert (best.function, best.address, best.type, best.order, best.exponent) == (
        3,
        0,
        "u32",
        "CDAB",
        -1,
    )
    assert display_search.differing_keys(best, row(DTSD)) == ("order", "scale")


@pytest.mark.server
async def test_a_base_that_is_off_by_one_is_found_and_the_other_points_follow() -> None:
    sdm = MODELS["schneider-iem3155"]
    device = altered(sdm, "other", one_lower)
    [found] = await locate(device, shown(SHOWN), span=range(0x0C70, 0x0CA0))
    best = display_search.rank(found, row(sdm))[0]
    assert display_search.differing_keys(best, row(sdm)) == ("address",)
    assert best.address - row(sdm).address == -1
    mended = toml_output.derived_points(sdm, [best])
    assert [one.address for one in mended] == [one.address for one in device.point]
    assert [one.unit for one in mended] == [one.unit for one in sdm.point]


@pytest.mark.server
async def test_the_order_is_taken_over_by_the_other_points_and_they_read_right() -> None:
    device = altered(MODELS["eastron-sdm630"], "other", low_word_first)
    [found] = await locate(device, shown("10800.0"))
    base = MODELS["eastron-sdm630"]
    best = display_search.rank(found, row(base))[0]
    mine = toml_output.derived_model(
        base, "my-sdm", "found by probing", toml_output.derived_points(base, [best])
    )
    assert model_check.check(mine) == []
    async with served(device) as port, probing(port) as bus_probe:
        values = {
            quantity: value
            for read in plan(mine)
            for quantity, value in zip(
                read.quantities, read.decode(await bus_probe.request(1, read)), strict=True
            )
        }
    assert values["energy_kwh"] == 10800.0
    assert values["power_kw"] == pytest.approx(36.0)
    assert values["voltage_a_v"] == pytest.approx(230, abs=8)


@pytest.mark.server
async def test_what_the_transformers_make_of_it_is_found() -> None:
    async with served(DTSD, ct=40.0) as port, probing(port) as bus_probe:
        held = await bus_probe.read_registers(1, search_ranges.by_both_functions(range(16)), quiet)
    primary = shown("10800", ratios={(): 1.0, ("ct", "pt"): 40.0})
    best = display_search.rank(find_locations(primary, held), row(DTSD))[0]
    assert (best.ratio, best.exponent, best.address) == (("ct", "pt"), -2, 0)
    assert best.decode(held[3, 0] + held[3, 1]) == 10800.0


#: Types in which 1234 has a place; of the others a half register holds too little, and a float of
#: half precision is off by more than the display's last digit.
WIDE = [name for name in TYPES if not name.startswith(("u8", "i8")) and name != "f16"]


@pytest.mark.parametrize("name", WIDE)
def test_every_type_and_order_is_searched(name: str) -> None:
    width = TYPES[name].words
    for order in byte_orders(width):
        held = register_words.encode(1234.0, register_words.layout(name, order))
        registers = {(3, 7 + n): word.to_bytes(2, "big") for n, word in enumerate(held)}
        found = list(find_locations(shown("123.4"), registers))  # type: ignore[arg-type]  # function 3
        wanted = RegisterLocation("energy_kwh", 3, 7, name, order, -1)
        assert wanted in found, found


def test_a_digit_too_far_is_another_number() -> None:
    held: Any = {(3, 0): b"\x00\x0c", (3, 1): (0x65F5).to_bytes(2, "big")}  # 812533
    assert list(find_locations(shown("8125.33"), held))
    assert list(find_locations(shown("8125.3"), held)), "the display hides the last digit"
    assert not list(find_locations(shown("8125.35"), held))
    assert not list(find_locations(shown("8125.29"), held))
    assert list(find_locations(shown("8125.29", possible_increase=0.05), held)), (
        "it went on meanwhile"
    )
    assert not list(find_locations(shown("8125.39", possible_increase=0.05), held)), (
        "and never back"
    )


def test_zeros_are_everywhere_and_so_nowhere() -> None:
    held: Any = {(3, n): bytes(2) for n in range(20)}
    assert not list(find_locations(shown("0.5"), held))


@pytest.mark.server
async def test_a_second_display_tells_places_apart() -> None:
    """36 kW: the counter went on, and what was like it by chance did not."""
    clock = FastClock(NOW_MS, 1000.0)
    async with served(DTSD, clock=clock) as port, probing(port) as bus_probe:
        wanted = list(search_ranges.around_quantity(DTSD, "energy_kwh", 8))
        held = await bus_probe.read_registers(1, wanted, quiet)
        raw = int.from_bytes(held[3, 0] + held[3, 1], "big")
        decoys: Any = {**held, (4, 50): held[3, 0], (4, 51): held[3, 1]}
        first = list(find_locations(shown(f"{raw / 100:.2f}"), decoys))
        assert {(one.function, one.address) for one in first} >= {(3, 0), (4, 50)}
        while (later := await bus_probe.read_registers(1, wanted, quiet))[3, 1] == held[3, 1]:
            pass
        raw = int.from_bytes(later[3, 0] + later[3, 1], "big")
        again: Any = {**decoys, **later}
        second = set(find_locations(shown(f"{raw / 100:.2f}"), again))
    assert {(one.function, one.address) for one in first if one in second} == {(3, 0)}


def test_one_order_for_all_quantities_goes_first() -> None:
    def place(order: str, kind: str = "u32") -> RegisterLocation:
        return RegisterLocation("energy_kwh", 3, 0, kind, order, -2)

    assert display_search.common_order_index([[place("ABCD"), place("CDAB")], [place("CDAB")]]) == 1
    assert display_search.common_order_index([[place("ABCD")], [place("BA", "u16")]]) is None
    assert display_search.common_order_index([[place("CDAB")], [place("AB", "u16")]]) == 1
    assert display_search.rank([place("ABCD"), place("CDAB")], order_index=1)[0].order == "CDAB"


# --- the text -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MODELS)
def test_a_model_is_read_back_as_it_was(name: str) -> None:
    again = msgspec.convert(
        tomllib.loads(toml_output.model_toml(MODELS[name])), ModbusModel, strict=False
    )
    assert again.model == MODELS[name].model
    assert (again.identity, again.forbidden) == (MODELS[name].identity, MODELS[name].forbidden)
    for ours, theirs in zip(again.point, MODELS[name].point, strict=True):
        assert ours.byte_order == theirs.byte_order
        plain = [msgspec.structs.replace(one, order=None) for one in (ours, theirs)]
        assert plain[0] == plain[1]


@pytest.mark.parametrize(
    "bus",
    [
        Bus(id="b", agent="a", host="192.0.2.1", port=1502, timeout_s=0.5),
        Bus(id="b", agent="a", link="rtu", device="/dev/ttyS1", baud=19200, parity="E"),
    ],
)
def test_a_bus_is_read_back_as_it_was(bus: Bus) -> None:
    [again] = tomllib.loads(toml_output.bus_toml(bus))["bus"]
    assert msgspec.convert(again, Bus) == bus


@pytest.mark.parametrize(
    "meter",
    [
        toml_output.new_meter(3, DTSD.model, "bus-1"),
        Meter(
            id="e-main", name="总表", medium="electricity", area="a", model="m", bus="b", unit=7,
            every={"energy_kwh": 6}, rated_max=630.0,
            ct=(DatedValue(date(2024, 1, 1), 400.0), DatedValue(date(2025, 6, 1), 800.0)),
            replaced=(Replacement(at=datetime(2025, 6, 1, 9, tzinfo=UTC), final=8123.4),),
        ),
    ],
)  # fmt: skip
def test_a_meter_is_read_back_as_it_was(meter: Meter) -> None:
    [again] = tomllib.loads(toml_output.meter_toml(meter))["meter"]
    assert ("every" in again) is bool(meter.every)
    if meter.area == "...":
        again["area"], meter = "a", msgspec.structs.replace(meter, area="a")
    assert msgspec.convert(again, Meter) == meter


def test_a_modulus_follows_its_scale() -> None:
    tenth = RegisterLocation("energy_kwh", 3, 0, "u32", "ABCD", -1)
    [energy, *_] = toml_output.derived_points(DTSD, [tenth])
    assert energy.modulus == pytest.approx(429496729.6)
    assert energy.ratio == ("ct", "pt")
    [energy, *_] = toml_output.derived_points(
        DTSD, [RegisterLocation("energy_kwh", 3, 0, "u16", "AB", -1)]
    )
    assert energy.modulus is None


def place(quantity: str, address: int = 9) -> RegisterLocation:
    return RegisterLocation(quantity, 4, address, "f32", "CDAB", 0)


@pytest.mark.parametrize(
    ("quantities", "medium"),
    [
        (("volume_m3",), "water"),
        (("temperature_supply_c", "heat_gj"), "heat"),
        (("volume_m3", "heat_gj"), "heat"),
        (("pressure_kpa", "volume_working_m3", "volume_m3"), "gas"),
    ],
)
def test_what_no_model_knows_is_a_model_of_its_own(quantities: Sequence[str], medium: str) -> None:
    mine = toml_output.new_model([place(name, 2 * n) for n, name in enumerate(quantities)], 3)
    assert mine is not None
    assert (mine.model.medium, mine.model.id) == (medium, "my-model-3")
    assert model_check.check(mine) == []
    assert 'order = "CDAB"' in toml_output.model_toml(mine)
    assert math.isclose(float(mine.point[0].scale), 1.0)


def test_what_has_no_counter_is_no_model() -> None:
    assert toml_output.new_model([place("voltage_a_v")], 3) is None


def test_what_a_model_lacks_is_added_and_the_others_stay() -> None:
    points = toml_output.derived_points(DTSD, [place("reactive_power_kvar")])
    assert points == (*DTSD.point, place("reactive_power_kvar").point_row())
