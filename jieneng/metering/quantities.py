"""Table of all quantities that meters measure.

A quantity has the same name everywhere: in models, samples, messages, the store and boards. The
name ends with the unit. There are counters and gauges. Counters only grow, except at a rollover or
replacement; consumption is computed from them. Gauges show the present value.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal

import msgspec

from jieneng.metering import units

Medium = Literal["electricity", "water", "gas", "heat"]
Kind = Literal["counter", "gauge"]

MEDIA: Final[tuple[Medium, ...]] = ("electricity", "water", "gas", "heat")

Carrier = Literal["electricity", "gas", "heat"]

#: The media that are energy carriers; water is not.
CARRIERS: Final[tuple[Carrier, ...]] = ("electricity", "gas", "heat")

#: Kinds of hours of a time-of-use tariff: 尖峰、峰、平、谷、深谷.
PricePeriod = Literal["sharp", "peak", "flat", "valley", "deep_valley"]
PRICE_PERIODS: Final[tuple[PricePeriod, ...]] = ("sharp", "peak", "flat", "valley", "deep_valley")


class Quantity(msgspec.Struct, frozen=True):
    """A row of the table.

    Attributes:
        name: name in lower case, which ends in the unit.
        unit: canonical unit, a name of `units.py`.
        kind: counter or gauge.
        media: media whose meters can measure it.
    """

    name: str
    unit: str
    kind: Kind
    media: tuple[Medium, ...]


_E: Final[tuple[Medium, ...]] = ("electricity",)
_W: Final[tuple[Medium, ...]] = ("water",)
_G: Final[tuple[Medium, ...]] = ("gas",)
_H: Final[tuple[Medium, ...]] = ("heat",)
_ALL: Final = (*_E, *_W, *_G, *_H)

_ROWS: Final = (
    Quantity("energy_kwh", "kWh", "counter", _E),
    Quantity("energy_export_kwh", "kWh", "counter", _E),
    Quantity("energy_sharp_kwh", "kWh", "counter", _E),
    Quantity("energy_peak_kwh", "kWh", "counter", _E),
    Quantity("energy_flat_kwh", "kWh", "counter", _E),
    Quantity("energy_valley_kwh", "kWh", "counter", _E),
    Quantity("reactive_energy_kvarh", "kvarh", "counter", _E),
    Quantity("power_kw", "kW", "gauge", (*_E, *_H)),
    Quantity("power_a_kw", "kW", "gauge", _E),
    Quantity("power_b_kw", "kW", "gauge", _E),
    Quantity("power_c_kw", "kW", "gauge", _E),
    Quantity("reactive_power_kvar", "kvar", "gauge", _E),
    Quantity("apparent_power_kva", "kVA", "gauge", _E),
    Quantity("power_factor", "1", "gauge", _E),
    Quantity("voltage_v", "V", "gauge", _E),
    Quantity("voltage_a_v", "V", "gauge", _E),
    Quantity("voltage_b_v", "V", "gauge", _E),
    Quantity("voltage_c_v", "V", "gauge", _E),
    Quantity("current_a", "A", "gauge", _E),
    Quantity("current_a_a", "A", "gauge", _E),
    Quantity("current_b_a", "A", "gauge", _E),
    Quantity("current_c_a", "A", "gauge", _E),
    Quantity("frequency_hz", "Hz", "gauge", _E),
    # For gas, `volume_m3` is the volume at standard conditions, by which gas is billed.
    Quantity("volume_m3", "m3", "counter", (*_W, *_G, *_H)),
    Quantity("volume_reverse_m3", "m3", "counter", _W),
    Quantity("volume_working_m3", "m3", "counter", _G),
    Quantity("flow_m3_h", "m3/h", "gauge", (*_W, *_G, *_H)),
    Quantity("flow_working_m3_h", "m3/h", "gauge", _G),
    Quantity("pressure_kpa", "kPa", "gauge", (*_W, *_G)),
    Quantity("temperature_c", "°C", "gauge", (*_W, *_G)),
    Quantity("heat_gj", "GJ", "counter", _H),
    Quantity("temperature_supply_c", "°C", "gauge", _H),
    Quantity("temperature_return_c", "°C", "gauge", _H),
    # 1 while the device reports that it can't measure (no signal, empty pipe). Its counter then
    # stands still although something may flow.
    Quantity("fault_flag", "1", "gauge", _ALL),
)

QUANTITIES: Final[Mapping[str, Quantity]] = MappingProxyType({row.name: row for row in _ROWS})

#: Counter from which the consumption of a medium is computed.
CONSUMPTION: Final[Mapping[Medium, str]] = MappingProxyType(
    {
        "electricity": "energy_kwh",
        "water": "volume_m3",
        "gas": "volume_m3",
        "heat": "heat_gj",
    }
)

#: Counter of energy that is exported through a consumption meter.
EXPORT: Final = "energy_export_kwh"

#: Growth of a counter in an hour at a rate of 1 kW, kvar or m3/h, by the counter's unit.
GROWTH_PER_HOUR: Final[Mapping[str, float]] = MappingProxyType(
    {"kWh": 1.0, "kvarh": 1.0, "m3": 1.0, "GJ": float(units.conversion_factor("kWh(heat)", "GJ"))}
)
