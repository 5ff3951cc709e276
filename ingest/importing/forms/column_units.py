"""Convert units as people write them to the canonical unit of a quantity. Pure.

Laws:

1. Conversions are exact, because factors are fractions.
2. A tonne of water is a cubic metre. For gas and heat, tonnes are refused.
3. If gas is stated as energy, it is converted to volume with a calorific value from the user.
"""

import re
from collections.abc import Mapping
from fractions import Fraction
from types import MappingProxyType
from typing import Final

import msgspec

from ingest.importing.forms.column_words import plain
from jieneng.metering import units
from jieneng.metering.errors import Msgid, UsageError
from jieneng.metering.quantities import MEDIA, QUANTITIES, Medium

#: Unit of `units.py` -> its other spellings. The key `10000 kWh` means ten thousand kWh.
_SPELLINGS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "kWh": "kw·h kw.h kw*h kw-h 度 千瓦时 千瓦小时 kwh度",
        "10000 kWh": "万kwh 万kw·h 万kw.h 万度 万千瓦时 万千瓦小时",
        "100 kWh": "百kwh 百千瓦时 百度",
        "1000 kWh": "千kwh 千千瓦时 千度",
        "100000000 kWh": "亿kwh 亿千瓦时 亿度",
        "MWh": "mw·h 兆瓦时 兆瓦小时",
        "1000000 kWh": "gwh 吉瓦时",
        "kW": "千瓦",
        "MW": "兆瓦",
        "kvarh": "千乏时 kvar·h",
        "m3": "m^3 立方米 立方 方 nm3 标方 标准立方米 立方米/标况 cbm",
        "10000 m3": "万m3 万立方米 万立方 万方 万nm3",
        "L": "升 litre liter",
        "GJ": "吉焦 百万千焦",
        "MJ": "兆焦",
        "t": "吨 tonne ton",
        "10000 t": "万吨",
        "kg": "千克 公斤",
    }
)
#: Cubic metres of water for a unit of mass, with 1 t/m3.
_WATER_M3: Final[Mapping[str, Fraction]] = MappingProxyType(
    {"t": Fraction(1), "kg": Fraction(1, 1000)}
)
#: MJ for each unit of energy in which gas is billed. 1 kWh = 3.6 MJ.
_GAS_MJ: Final[Mapping[str, Fraction]] = MappingProxyType(
    {
        "kWh": Fraction(36, 10),
        "MWh": Fraction(3600),
        "MJ": Fraction(1),
        "GJ": Fraction(1000),
    }
)
_MEDIA: Final[Mapping[str, frozenset[Medium]]] = MappingProxyType(
    {
        **dict.fromkeys(("kWh", "MWh", "Wh", "kW"), frozenset[Medium]({"electricity"})),
        **dict.fromkeys(("t", "kg"), frozenset[Medium]({"water"})),
        **dict.fromkeys(("m3", "L"), frozenset[Medium]({"water", "gas"})),
        **dict.fromkeys(("GJ", "MJ"), frozenset[Medium]({"heat", "gas"})),
    }
)
#: Texts in brackets that must be units, even if the unit is unknown: 万, x10^4kWh, 吨标煤, 万元.
_UNIT_LIKE: Final = re.compile(
    r"(?:[x×*]?10\^?[2-9]|[x×*]?10{2,}|[十百千万亿])*"
    r"(?:[km]?wh|kw|度|千瓦时?|瓦时|n?m3|立方米?|方|吨|t|升|l|[gmk]j|焦|[kt]g?ce|吨?标准?煤|元)?"
    r"(?:[、/和].*)?"
)
_CALORIFIC: Final = re.compile(r"(\d+(?:\.\d+)?)(mj|kwh)/(?:n?m3|立方米|方)")


def _named_units() -> dict[str, tuple[Fraction, str]]:
    found = {plain(name): (Fraction(1), name) for name in (*units.UNITS, "t", "kg")}
    for unit, spellings in _SPELLINGS.items():
        times, _, name = unit.rpartition(" ")
        for spelling in spellings.split():
            found[plain(spelling)] = (Fraction(times or 1), name)
    return found


_UNITS: Final[Mapping[str, tuple[Fraction, str]]] = MappingProxyType(_named_units())


class CalorificValue(msgspec.Struct, frozen=True):
    """Energy of a cubic metre of gas at standard conditions.

    Attributes:
        mj_per_m3: the calorific value [MJ/m3].
    """

    mj_per_m3: Fraction

    @classmethod
    def parse(cls, text: str) -> "CalorificValue":
        """Return the calorific value in a text such as `38.93 MJ/m3` or `10.8 kWh/m3`.

        Raises:
            UsageError: the text is not a calorific value.
        """
        found = _CALORIFIC.fullmatch(plain(text))
        if found is None or not float(found[1]):
            raise UsageError(
                "{text} is not a calorific value: write it with its unit, such as 38.93MJ/m3"
                " or 10.81kWh/m3. The gas bill states it.",
                text=text,
            )
        return cls(Fraction(found[1]) * (Fraction(36, 10) if found[2] == "kwh" else 1))


class UnitRefused(Exception):
    """Raised for a unit that a quantity can't have.

    Attributes:
        text: msgid of the error.
        fix: msgid of the sentence that says how to fix it.
        values: values of the placeholders in both.
    """

    def __init__(self, text: Msgid, fix: Msgid, **values: object) -> None:
        super().__init__(text)
        self.text: Msgid = text
        self.fix: Msgid = fix
        self.values = values


def is_known_unit(text: str) -> bool:
    """Return True if a text is a unit of energy, volume or another quantity, in any spelling."""
    return plain(text) in _UNITS


def looks_like_unit(text: str) -> bool:
    """Return True for a known unit, and for a text that must be a unit, such as 万 or 吨标煤."""
    return is_known_unit(text) or bool(_UNIT_LIKE.fullmatch(plain(text)))


def media_of_unit(unit: str) -> frozenset[Medium]:
    """Return the media whose consumption can be in a unit; all media if the unit is unknown.

    kWh means electricity here, although gas is sometimes billed in kWh, too.
    """
    _, name = _UNITS.get(plain(unit), (Fraction(1), unit))
    return _MEDIA.get(name, frozenset(MEDIA))


def unit_factor(
    unit: str, quantity: str, medium: Medium, calorific: CalorificValue | None
) -> Fraction:
    """Return the factor from the unit of a file to the canonical unit of a quantity.

    Raises:
        UnitRefused: the quantity can't have this unit, or a calorific value is missing.
    """
    canonical = QUANTITIES[quantity].unit
    times, name = _UNITS.get(plain(unit), (Fraction(1), unit))
    if canonical == "m3" and medium == "water" and name in _WATER_M3:
        return times * _WATER_M3[name]
    if canonical == "m3" and medium == "gas" and name in _GAS_MJ:
        if calorific is None:
            raise UnitRefused(
                "gas in {unit} is converted to m3 with the calorific value, which is not known.",
                "Take it from the gas bill: --calorific-value 38.93MJ/m3",
                unit=unit,
            )
        return times * _GAS_MJ[name] / calorific.mj_per_m3
    if canonical == "GJ" and name in ("kWh", "MWh"):
        name = f"{name}(heat)"
    try:
        return times * units.conversion_factor(name, canonical)
    except ValueError as error:
        raise UnitRefused(
            "{unit} is not a unit of {quantity}; its unit is {canonical}.",
            "State the unit of the values in the file.",
            unit=unit,
            quantity=quantity,
            canonical=canonical,
        ) from error
