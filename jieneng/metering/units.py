"""Convert between units of the same dimension. Conversions are exact: factors are fractions."""

from collections.abc import Mapping
from fractions import Fraction
from types import MappingProxyType
from typing import Final

# unit -> (dimension, factor to the canonical unit). The factor of the canonical unit is 1.
# Sources: SI brochure, 9th edition (2019), tables 5 and 7; cal_IT: 4.1868 J.
_TABLE: Final[Mapping[str, tuple[str, Fraction]]] = MappingProxyType(
    {
        "kWh": ("electric energy", Fraction(1)),
        "Wh": ("electric energy", Fraction(1, 1000)),
        "MWh": ("electric energy", Fraction(1000)),
        "kvarh": ("reactive energy", Fraction(1)),
        "varh": ("reactive energy", Fraction(1, 1000)),
        "kW": ("power", Fraction(1)),
        "W": ("power", Fraction(1, 1000)),
        "MW": ("power", Fraction(1000)),
        "MJ/h": ("power", Fraction(10, 36)),
        "GJ/h": ("power", Fraction(10000, 36)),
        "kvar": ("reactive power", Fraction(1)),
        "var": ("reactive power", Fraction(1, 1000)),
        "kVA": ("apparent power", Fraction(1)),
        "VA": ("apparent power", Fraction(1, 1000)),
        "1": ("ratio", Fraction(1)),
        "V": ("voltage", Fraction(1)),
        "mV": ("voltage", Fraction(1, 1000)),
        "kV": ("voltage", Fraction(1000)),
        "A": ("current", Fraction(1)),
        "mA": ("current", Fraction(1, 1000)),
        "Hz": ("frequency", Fraction(1)),
        "m3": ("volume", Fraction(1)),
        "L": ("volume", Fraction(1, 1000)),
        "mL": ("volume", Fraction(1, 1000000)),
        "m3/h": ("flow", Fraction(1)),
        "L/h": ("flow", Fraction(1, 1000)),
        "L/min": ("flow", Fraction(60, 1000)),
        "L/s": ("flow", Fraction(3600, 1000)),
        "kPa": ("pressure", Fraction(1)),
        "Pa": ("pressure", Fraction(1, 1000)),
        "MPa": ("pressure", Fraction(1000)),
        "bar": ("pressure", Fraction(100)),
        "°C": ("temperature", Fraction(1)),
        "GJ": ("heat", Fraction(1)),
        "MJ": ("heat", Fraction(1, 1000)),
        "kWh(heat)": ("heat", Fraction(36, 10000)),
        "MWh(heat)": ("heat", Fraction(36, 10)),
        "Gcal": ("heat", Fraction(41868, 10000)),
    }
)

UNITS: Final = frozenset(_TABLE)


def convertible(unit: str) -> list[str]:
    """Return all units to which a unit can be converted, including itself."""
    dimension = _TABLE[unit][0]
    return sorted(name for name, (other, _) in _TABLE.items() if other == dimension)


def conversion_factor(unit: str, to: str) -> Fraction:
    """Return the value of one `unit` in `to`: `conversion_factor("Wh", "kWh") == 1/1000`.

    Raises:
        ValueError: a unit is unknown, or the two have different dimensions.
    """
    for name in (unit, to):
        if name not in _TABLE:
            known = ", ".join(sorted(UNITS))
            raise ValueError(f"unknown unit {name!r}; known are {known}")
    (dimension, ours), (wanted, theirs) = _TABLE[unit], _TABLE[to]
    if dimension != wanted:
        raise ValueError(f"{unit!r} is {dimension}, {to!r} is {wanted}")
    return ours / theirs
