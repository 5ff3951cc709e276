"""Registers of a device: steps, rollovers, ratios, replacements; gauges agree with counters."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import pytest
from pymodbus.client.mixin import ModbusClientMixin

from jieneng.metering.catalog.modbus_points import ModbusModel, modbus_models
from jieneng.metering.quantities import QUANTITIES
from jieneng.metering.site import Site
from jieneng.site_folder import SiteFolder, packaged_models
from simulators.load.load import HOUR_MS
from simulators.registers.derived_quantities import GAUGES, SHARES
from simulators.registers.device_history import device_periods
from simulators.registers.device_period import DevicePeriod
from simulators.registers.simulated_meter import SimulatedMeter
from simulators.simulated_site import SimulatedSite
from tests.simulators.modbus_words import has_registers, words_of

T0 = 1_600_000_000_000
MODELS = modbus_models(packaged_models())


class ConstantLoad:
    """A constant load since T0."""

    def __init__(self, an_hour: float) -> None:
        self.an_hour = an_hour

    def consumption(self, t_ms: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        return np.asarray(self.an_hour * np.maximum(t_ms - T0, 0) / HOUR_MS)

    def rate(self, t_ms: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        return np.where(t_ms >= T0, self.an_hour, 0.0)


def a_site(**meter: Any) -> Site:
    """A site with one meter, built and installed on T0's day where not said otherwise."""
    row = {
        "id": "m", "name": "m", "medium": "electricity", "area": "a", "model": "acrel-dtsd1352",
        "installed": "2020-09-13", **meter,
    }  # fmt: skip
    return msgspec.convert(
        {"site": {"id": "s", "name": "s"}, "area": [{"id": "a", "name": "a"}], "meter": [row]}, Site
    )


def a_meter(load: ConstantLoad, **row: Any) -> SimulatedMeter:
    site = a_site(**row)
    one = site.meter[0]
    return SimulatedMeter(one.id, one.medium, load, device_periods(site, MODELS, one, load))


def at(meter: SimulatedMeter, *times_ms: int) -> list[float]:
    (values,) = [
        values
        for quantity, values in meter.readings(np.asarray(times_ms)).items()
        if quantity in ("energy_kwh", "volume_m3") and "working" not in quantity
    ]
    return [float(value) for value in values]


def test_a_register_shows_whole_steps_rounded_down_behind_its_ratio() -> None:
    """CT 40, 0.01 kWh: a step is 0.4 kWh of the primary side."""
    meter = a_meter(ConstantLoad(1.0), ct=[{"from": "2020-01-01", "value": 40.0}])
    hours = [T0 + round(h * HOUR_MS) for h in (0.0, 0.39, 0.4, 0.79, 0.81, 10.0)]
    assert at(meter, *hours) == [0.0, 0.0, 0.4, 0.4, 0.8, 10.0]
    assert words_of(meter, 3, 0, 2, T0 + 10 * HOUR_MS) == [0, 25]


def test_a_new_ratio_holds_from_its_local_midnight_and_the_primary_side_goes_on() -> None:
    rows = [{"from": "2020-01-01", "value": 40.0}, {"from": "2020-09-20", "value": 80.0}]
    meter = a_meter(ConstantLoad(100.0), ct=rows)
    midnight = round(datetime(2020, 9, 19, 16, tzinfo=UTC).timestamp() * 1000)
    before, after = at(meter, midnight - 1, midnight)
    assert 0 <= after - before <= 0.8
    words_before, words_after = (words_of(meter, 3, 0, 2, t)[1] for t in (midnight - 1, midnight))
    assert words_after == pytest.approx(words_before / 2, abs=1)


def test_u32_rolls_over_at_its_width() -> None:
    """42,949,672.96 kWh, at 1 GW after about 43 hours."""
    meter = a_meter(ConstantLoad(1e6))
    before, after = T0 + 42 * HOUR_MS, T0 + 43 * HOUR_MS
    assert at(meter, before, after) == [42e6, pytest.approx(43e6 - 42949672.96, abs=0.01)]
    assert words_of(meter, 3, 0, 2, before) == [4_200_000_000 >> 16, 4_200_000_000 & 0xFFFF]


def test_bcd_holds_decimal_digits_and_rolls_over_after_them() -> None:
    """12 digits, four of them decimals: 99,999,999.9999 m3."""
    gas = {"medium": "gas", "model": "fuxin-gas-corrector"}
    meter = a_meter(ConstantLoad(12345678.9012), **gas)
    assert words_of(meter, 3, 0x12, 3, T0 + HOUR_MS) == [0x1234, 0x5678, 0x9012]
    assert at(meter, T0 + 9 * HOUR_MS) == [pytest.approx(11111110.1108)]


def test_low_word_first() -> None:
    water = {"medium": "water", "model": "tuf-2000m-water"}
    meter = a_meter(ConstantLoad(123.456), **water)
    assert words_of(meter, 3, 8, 2, T0 + 1000 * HOUR_MS) == [123_456 & 0xFFFF, 123_456 >> 16]


def test_a_replaced_device_ends_at_its_final_and_the_new_one_begins_at_its_initial() -> None:
    swap = datetime(2022, 5, 10, 1, 30, tzinfo=UTC)
    rows = [{"at": swap, "final": 812345.6, "initial": 3.2, "model": "acrel-dtsd1352"}]
    meter = a_meter(ConstantLoad(60.0), ct=[{"from": "2020-01-01", "value": 40.0}], replaced=rows)
    moment = round(swap.timestamp() * 1000)
    shown = at(meter, moment - 5000, moment - 1, moment, moment + HOUR_MS)
    assert shown == pytest.approx([812345.6, 812345.6, 3.2, 63.2])
    assert words_of(meter, 3, 0, 2, moment) == [0, 8]


def test_the_new_device_may_be_another_model() -> None:
    swap = datetime(2022, 5, 10, tzinfo=UTC)
    rows = [{"at": swap, "final": 900_000.0, "initial": 0.0, "model": "eastron-sdm630"}]
    meter = a_meter(ConstantLoad(60.0), replaced=rows)
    moment = round(swap.timestamp() * 1000)
    assert has_registers(meter, 3, 0, 2, moment - 1)
    assert not has_registers(meter, 4, 0x48, 2, moment - 1)
    assert has_registers(meter, 4, 0x48, 2, moment)
    assert not has_registers(meter, 3, 0, 2, moment)


def test_before_its_installation_a_meter_shows_nothing() -> None:
    meter = a_meter(ConstantLoad(5.0), installed="2021-01-01")
    midnight = round(datetime(2020, 12, 31, 16, tzinfo=UTC).timestamp() * 1000)
    assert np.isnan(at(meter, midnight - 1)[0])
    assert at(meter, midnight, midnight + HOUR_MS) == [0.0, 5.0]


def test_a_meter_that_hung_there_before_2019_has_counted_already(simulated: SimulatedSite) -> None:
    new_year = 1_546_272_000_000  # 2019-01-01 in Huai'an; installed on 2018-12-01
    for meter in simulated.meters.values():
        times = np.asarray([new_year, new_year + 365 * 24 * HOUR_MS])
        values = meter.readings(times)[
            "energy_kwh" if meter.medium == "electricity" else "volume_m3"
        ]
        if meter.id != "e-b3":  # the record of its replacement decides
            assert values[0] == pytest.approx((values[1] - values[0]) * 31 / 365, rel=0.01)


def test_gaps_that_a_model_lets_be_read_along_hold_0_and_others_do_not_exist() -> None:
    meter = a_meter(ConstantLoad(60.0))
    assert has_registers(meter, 3, 0x61, 0x77 - 0x61 + 1, T0)
    assert words_of(meter, 3, 0x67, 0x10, T0) == [0] * 0x10
    assert not has_registers(meter, 3, 0, 0x61, T0)
    assert not has_registers(meter, 4, 0, 2, T0)
    assert words_of(meter, 3, 0x60, 2, T0)[0] == 0


# --- gauges agree with the counter's growth ------------------------------------------------------


def _number(words: Sequence[int], kind: ModbusClientMixin.DATATYPE) -> float:
    return float(ModbusClientMixin.convert_from_registers(list(words), kind))  # type: ignore[arg-type]  # one number


def test_power_is_the_energy_registers_growth(simulated: SimulatedSite) -> None:
    """e-dr-it counts watt-hours: over a minute, its growth gives the power to 2 percent."""
    meter = simulated.meters["e-dr-it"]
    now = 1_750_000_000_000
    before, after = (
        _number(words_of(meter, 3, 0x0C83, 4, t), ModbusClientMixin.DATATYPE.INT64)
        for t in (now - 30_000, now + 30_000)
    )
    power = _number(words_of(meter, 3, 0x0BF3, 2, now), ModbusClientMixin.DATATYPE.FLOAT32)
    assert power == pytest.approx((after - before) / 1000 * 60, rel=0.02)
    assert 45 < power < 90


def test_three_phases_share_the_power_and_one_phase_bears_it_alone(
    example: SiteFolder, simulated: SimulatedSite
) -> None:
    now = 1_750_000_000_000
    three = words_of(simulated.meters["e-b1"], 3, 0x61, 6, now)
    power = _number(
        words_of(simulated.meters["e-b1"], 3, 0x16A, 2, now), ModbusClientMixin.DATATYPE.INT32
    )
    volts, amperes = [word / 10 for word in three[:3]], [word / 100 * 240 for word in three[3:]]
    apparent = sum(u * i for u, i in zip(volts, amperes, strict=True)) / 1000
    assert power / 1000 * 240 == pytest.approx(0.92 * apparent, rel=0.05)
    assert all(220 < volt < 240 for volt in volts)
    one = words_of(simulated.meters["e-ct-cold"], 3, 0x0B, 3, now)
    assert one[2] / 1000 == pytest.approx(0.92 * one[0] / 10 * one[1] / 100 / 1000, rel=0.01)
    assert example.site.meters["e-ct-cold"].model == "acrel-ddsy1352"


def test_a_high_voltage_meter_shows_what_its_transformers_leave() -> None:
    ratios = {
        "ct": [{"from": "2020-01-01", "value": 20.0}],
        "pt": [{"from": "2020-01-01", "value": 100.0}],
    }
    meter = a_meter(ConstantLoad(1000.0), **ratios)
    volts = words_of(meter, 3, 0x61, 1, T0 + HOUR_MS)[0] / 10
    assert 56 < volts < 60
    power = _number(words_of(meter, 3, 0x16A, 2, T0 + HOUR_MS), ModbusClientMixin.DATATYPE.INT32)
    assert power == 500  # 0.5 kW of the secondary side, in watts


def test_both_totals_of_a_gas_corrector_grow_together(simulated: SimulatedSite) -> None:
    meter = simulated.meters["g-main"]
    now = 1_750_000_000_000
    standard, working = (
        int("".join(f"{word:04x}" for word in words_of(meter, 3, address, 3, now)))
        for address in (0x12, 0x17)
    )
    assert working / standard == pytest.approx(101.325 / 104.0 * 285.15 / 293.15, rel=1e-6)


def test_every_quantity_has_a_counter_s_share_or_a_gauge() -> None:
    counters = {name for name, one in QUANTITIES.items() if one.kind == "counter"}
    assert set(SHARES) == counters
    assert set(GAUGES) == set(QUANTITIES) - counters


def test_the_tariffs_share_the_total_out() -> None:
    """Each register is rounded down by itself, so they may be three steps short, as real ones."""
    meter = a_meter(ConstantLoad(12.3456), ct=[{"from": "2020-01-01", "value": 40.0}])
    hours = np.asarray([T0 + hour * HOUR_MS for hour in (1, 10, 100, 1001, 50_000)])
    shown = meter.readings(hours)
    tariffs = sum(shown[f"energy_{name}_kwh"] for name in ("sharp", "peak", "flat", "valley"))
    short = shown["energy_kwh"] - tariffs
    assert (short > -1e-6).all()
    assert (short < 4 * 0.4).all()
    assert (shown["energy_peak_kwh"] > shown["energy_sharp_kwh"]).all()


NOTHING = {"energy_export_kwh", "volume_reverse_m3", "fault_flag"}


@pytest.mark.parametrize("model", MODELS)
def test_every_quantity_of_every_packaged_model_is_shown(model: str) -> None:
    """But for export, reverse flow and faults, no register of a running meter is 0."""
    medium = MODELS[model].model.medium
    meter = a_meter(ConstantLoad(12.3456), medium=medium, model=model)
    for row in MODELS[model].point:
        held = words_of(meter, row.function, row.address, row.words, T0 + 1000 * HOUR_MS)
        assert any(held) != (row.quantity in NOTHING), row.quantity


def test_integer_and_fraction_are_one_total() -> None:
    """12.75 m3: 12 in one register, three quarters in the other, 750,000 mL at the other meter."""
    water = {"medium": "water", "model": "tuf-2000m-water"}
    meter = a_meter(ConstantLoad(0.01275), **water)
    assert words_of(meter, 3, 8, 4, T0 + 1000 * HOUR_MS) == [12, 0, 0, 0x3F40]
    other = a_meter(ConstantLoad(0.01275), medium="water", model="dynaflox-ultrad")
    assert words_of(other, 3, 2, 4, T0 + 1000 * HOUR_MS) == [0, 12, 750000 >> 16, 750000 & 0xFFFF]


@pytest.mark.parametrize(
    ("kind", "fraction", "held"),
    [
        ("u16", {"type": "u16", "scale": 65536}, [70000 - 65536, 1]),
        ("u16", {"type": "u16", "scale": 1000}, [0, 70]),
        ("u16", {"type": "u16", "scale": "0.0000152587890625"}, [4464, 0]),
        ("f32", {"type": "u16", "scale": 1000}, [0, 0, 70]),
        ("u16", {"type": "f32", "scale": 1000}, [0, 0x428C, 0]),
    ],
)
def test_the_fraction_may_be_the_higher_register(
    kind: str, fraction: dict[str, object], held: list[int]
) -> None:
    """70,000 kWh; the number rolls over at 65,536 where nothing counts above it."""
    words = 2 if kind == "f32" else 1
    point = {"quantity": "energy_kwh", "function": 3, "address": 0, "type": kind}
    row = {**point, "fraction": {**fraction, "address": words}}
    head = msgspec.to_builtins(MODELS["acrel-dtsd1352"].model)
    model = msgspec.convert({"model": head, "point": [row]}, ModbusModel)
    meter = SimulatedMeter("m", "electricity", ConstantLoad(70.0), [DevicePeriod(T0, model)])
    assert words_of(meter, 3, 0, len(held), T0 + 1000 * HOUR_MS) == held


def test_an_exponent_makes_a_unit_a_hundredth() -> None:
    """12345.6 kWh as 1234560 times 10 Wh, and the 10 in a register of its own."""
    meter = a_meter(ConstantLoad(12.3456), model="fronius-smart-meter")
    held = words_of(meter, 3, 40115, 9, T0 + 1000 * HOUR_MS)
    assert held[:2] == [1234560 >> 16, 1234560 & 0xFFFF]
    assert held[8] == 1


def test_registers_may_be_shared_bit_by_bit() -> None:
    rows = [
        {"quantity": "energy_kwh", "function": 3, "address": 0, "type": "u8l"},
        {"quantity": "power_factor", "function": 3, "address": 0, "type": "u8h", "scale": 0.01},
        {"quantity": "frequency_hz", "function": 3, "address": 1, "type": "u16", "bits": [4, 11]},
    ]
    head = MODELS["acrel-dtsd1352"].model
    model = msgspec.convert({"model": msgspec.to_builtins(head), "point": rows}, ModbusModel)
    meter = SimulatedMeter("m", "electricity", ConstantLoad(1.0), [DevicePeriod(T0, model)])
    assert words_of(meter, 3, 0, 2, T0 + 300 * HOUR_MS) == [92 << 8 | 300 % 256, 50 << 4]
