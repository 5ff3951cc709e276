"""Derive every quantity that a meter shows from its consumption and rate. Pure.

Every quantity is in one of two tables. Each counter in `SHARES` grows in a fixed proportion to the
consumption. Each gauge in `GAUGES` is a function of the momentary rate: power is the derivative of
the energy register, and current is computed from power.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

import msgspec
import numpy as np

from simulators.load.seeded_noise import near_normal

# The pressure in gas lines is a little above that of the atmosphere. Standard conditions are
# 101.325 kPa and 20 degrees (GB/T 19205-2008). The simulated gas has a constant temperature, so the
# ratio of actual to standard volume is constant, too.
_LINE_KPA: Final = 104.0
_LINE_C: Final = 12.0
_WORKING_PER_STANDARD: Final = (101.325 / _LINE_KPA) * (273.15 + _LINE_C) / 293.15

# Heating water has 4.19 kJ/kgK and 983 kg/m3, and is cooled from 60 to 40 degrees.
_SUPPLY_C: Final = 60.0
_RETURN_C: Final = 40.0
_M3_PER_GJ: Final = 1e6 / (4.19 * 983.0 * (_SUPPLY_C - _RETURN_C))

_POWER_FACTOR: Final = 0.92
_TAN_PHI: Final = 0.426  # reactive power divided by active power, at this power factor

#: Growth of each counter while the consumption grows by 1. The shares of the times of use (peak,
#: flat, valley, ...) are constant, because no tariff is simulated.
SHARES: Final[Mapping[str, float]] = MappingProxyType(
    {
        "energy_kwh": 1.0,
        "energy_export_kwh": 0.0,
        "energy_sharp_kwh": 0.05,
        "energy_peak_kwh": 0.40,
        "energy_flat_kwh": 0.35,
        "energy_valley_kwh": 0.20,
        "reactive_energy_kvarh": _TAN_PHI,
        "volume_m3": 1.0,
        "volume_reverse_m3": 0.0,
        "volume_working_m3": _WORKING_PER_STANDARD,
        "heat_gj": 1.0,
    }
)


class GaugeInputs(msgspec.Struct, frozen=True):
    """The inputs of a meter's gauges at a moment.

    Attributes:
        medium: medium of the meter.
        rate: rate of the load [kW, m3/h or GJ/h].
        phases: 3, or 1 for a single-phase meter.
        pt: ratio of the voltage transformer; 1 if there is none.
        time_ms: the moment, UTC.
        noise_key: seed of the random numbers (`seeded_noise`).
    """

    medium: str
    rate: float
    phases: int
    pt: float
    time_ms: int
    noise_key: int

    def noise(self, channel: int) -> float:
        """Return a random number that changes every second, for values independent of the load."""
        return float(near_normal(self.noise_key + channel, np.asarray([self.time_ms // 1000]))[0])

    @property
    def power_kw(self) -> float:
        """Electric or thermal power [kW]."""
        return self.rate / 0.0036 if self.medium == "heat" else self.rate

    def voltage_v(self, phase: int) -> float:
        """Return the voltage to neutral: about 230 V, or 57.7 V times the transformer's ratio."""
        nominal = 230.0 if self.pt == 1.0 else 57.735 * self.pt
        return nominal * (1.0 + 0.006 * self.noise(phase))

    def current_a(self, phase: int) -> float:
        """Return the current of a phase, from its share of the power and its voltage."""
        apparent_va = 1000.0 * self.power_kw / self.phases / _POWER_FACTOR
        return apparent_va / self.voltage_v(phase)


GAUGES: Final[Mapping[str, Callable[[GaugeInputs], float]]] = MappingProxyType(
    {
        "power_kw": lambda at: at.power_kw,
        "power_a_kw": lambda at: at.power_kw / 3.0,
        "power_b_kw": lambda at: at.power_kw / 3.0,
        "power_c_kw": lambda at: at.power_kw / 3.0,
        "reactive_power_kvar": lambda at: at.power_kw * _TAN_PHI,
        "apparent_power_kva": lambda at: at.power_kw / _POWER_FACTOR,
        "power_factor": lambda _: _POWER_FACTOR,
        "voltage_v": lambda at: at.voltage_v(0),
        "voltage_a_v": lambda at: at.voltage_v(0),
        "voltage_b_v": lambda at: at.voltage_v(1),
        "voltage_c_v": lambda at: at.voltage_v(2),
        "current_a": lambda at: at.current_a(0),
        "current_a_a": lambda at: at.current_a(0),
        "current_b_a": lambda at: at.current_a(1),
        "current_c_a": lambda at: at.current_a(2),
        "frequency_hz": lambda at: 50.0 + 0.01 * at.noise(3),
        "flow_m3_h": lambda at: at.rate * (_M3_PER_GJ if at.medium == "heat" else 1.0),
        "flow_working_m3_h": lambda at: at.rate * _WORKING_PER_STANDARD,
        "pressure_kpa": lambda at: _LINE_KPA if at.medium == "gas" else 320.0 + 4 * at.noise(4),
        "temperature_c": lambda _: _LINE_C,
        "temperature_supply_c": lambda _: _SUPPLY_C,
        "temperature_return_c": lambda _: _RETURN_C,
        "fault_flag": lambda _: 0.0,
    }
)


def counter_share(quantity: str, medium: str) -> float | None:
    """Return the growth of a counter while the consumption grows by 1; None for a gauge."""
    if medium == "heat" and quantity == "volume_m3":
        return _M3_PER_GJ
    return SHARES.get(quantity)
