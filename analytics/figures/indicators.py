"""The indicators: a row each, with unit, definition and one pure function.

Laws:

1. An indicator is computed here and nowhere else. To add one: a function, a row, a test computed
   by hand.
2. A function of daily sums is linear in the consumption, so it says of the estimated part of the
   consumption what part of its own value is estimated. A function that needs more than daily sums
   states it in its row (`needs`), and may be any; its coverage and its estimated share are those
   of what it needs.
3. NaN is unknown: it comes in where a denominator is not known, and goes out as no value.
"""

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import msgspec

from analytics.figures.factors import CARRIERS
from analytics.figures.interval_series import IntervalSeries, Need
from analytics.figures.roll_up import Denominator
from jieneng.metering.quantities import Medium

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Basis(msgspec.Struct, frozen=True, kw_only=True):
    """Input of all indicators of a single scope and period.

    Attributes:
        amount: consumption by day, of the media that are measured there; kWh, m3, m3, GJ.
        coal: kgce per unit of consumption, by day.
        carbon: kgCO2 per unit of consumption, by day.
        floor_area_m2: mean of the period's days; NaN where unknown.
        headcount: the same, in persons.
        series: what the indicator's `needs` asked for, as far as the scope has it.
    """

    amount: "Mapping[Medium, NDArray[np.float64]]"
    coal: "Mapping[Medium, NDArray[np.float64]]"
    carbon: "Mapping[Medium, NDArray[np.float64]]"
    floor_area_m2: float = math.nan
    headcount: float = math.nan
    series: Mapping[Need, IntervalSeries] = {}


class Indicator(msgspec.Struct, frozen=True, kw_only=True):
    """A row.

    Attributes:
        zh: definition for people, in Chinese.
        en: the same in English.
        media: what goes into it.
        per: the denominator, where there is one.
        coal: whether it depends on the coal equivalent's convention.
        carbon: whether it is given in both carbon factor series.
        needs: what its function needs beside the daily sums.
    """

    id: str
    unit: str
    zh: str
    en: str
    value: Callable[[Basis], float]
    media: tuple[Medium, ...] = CARRIERS
    per: Denominator | None = None
    coal: bool = False
    carbon: bool = False
    needs: tuple[Need, ...] = ()


def energy_kgce(basis: Basis) -> float:
    """Coal equivalent of all energy carriers [kgce]."""
    return _weighed(basis, basis.coal)


def carbon_kg(basis: Basis) -> float:
    """Carbon dioxide of all energy carriers [kgCO2]."""
    return _weighed(basis, basis.carbon)


def _weighed(basis: Basis, factors: "Mapping[Medium, NDArray[np.float64]]") -> float:
    """Sum consumption times factor over the energy carriers that are measured.

    NaN if a measured carrier has no factor, since a part is not the total, or if none is measured.
    """
    parts = [
        float(basis.amount[medium] @ factors[medium]) if medium in factors else math.nan
        for medium in CARRIERS
        if medium in basis.amount
    ]
    return math.fsum(parts) if parts else math.nan


def _amount(medium: Medium) -> Callable[[Basis], float]:
    def total(basis: Basis) -> float:
        return float(basis.amount[medium].sum()) if medium in basis.amount else math.nan

    return total


def _per(whole: float, denominator: float) -> float:
    return whole / denominator if denominator > 0 else math.nan


def energy_per_floor_area(basis: Basis) -> float:
    """[kgce/m2]."""
    return _per(energy_kgce(basis), basis.floor_area_m2)


def energy_per_capita(basis: Basis) -> float:
    """[kgce]."""
    return _per(energy_kgce(basis), basis.headcount)


def water_per_capita(basis: Basis) -> float:
    """[m3]."""
    return _per(_amount("water")(basis), basis.headcount)


def carbon_per_floor_area(basis: Basis) -> float:
    """[kgCO2/m2]."""
    return _per(carbon_kg(basis), basis.floor_area_m2)


def energy_total(basis: Basis) -> float:
    """[tce]."""
    return energy_kgce(basis) / 1000


def carbon_total(basis: Basis) -> float:
    """[tCO2]."""
    return carbon_kg(basis) / 1000


_ROWS: Final = (
    Indicator(
        id="energy_per_floor_area",
        unit="kgce/m2",
        zh="单位建筑面积能耗：电、气、热折标准煤之和 ÷ 期内平均建筑面积",
        en="Energy per floor area: coal equivalent of electricity, gas and heat / mean floor area",
        value=energy_per_floor_area,
        per="floor_area_m2",
        coal=True,
    ),
    Indicator(
        id="energy_per_capita",
        unit="kgce",
        zh="人均综合能耗：电、气、热折标准煤之和 ÷ 期内平均用能人数",
        en="Energy per capita: coal equivalent of electricity, gas and heat / mean headcount",
        value=energy_per_capita,
        per="headcount",
        coal=True,
    ),
    Indicator(
        id="water_per_capita",
        unit="m3",
        zh="人均用水量：用水量 ÷ 期内平均用能人数",
        en="Water per capita: water / mean headcount",
        value=water_per_capita,
        media=("water",),
        per="headcount",
    ),
    Indicator(
        id="carbon_per_floor_area",
        unit="kgCO2/m2",
        zh="单位建筑面积碳排放：电、气、热的二氧化碳排放之和 ÷ 期内平均建筑面积",
        en="Carbon per floor area: CO2 of electricity, gas and heat / mean floor area",
        value=carbon_per_floor_area,
        per="floor_area_m2",
        carbon=True,
    ),
    Indicator(
        id="energy_total",
        unit="tce",
        zh="能源消费总量：电、气、热折标准煤之和（不含水）",
        en="Total energy: coal equivalent of electricity, gas and heat (water is not energy)",
        value=energy_total,
        coal=True,
    ),
    Indicator(
        id="water_total",
        unit="m3",
        zh="用水总量",
        en="Total water",
        value=_amount("water"),
        media=("water",),
    ),
    Indicator(
        id="carbon_total",
        unit="tCO2",
        zh="二氧化碳排放总量：电、气、热",
        en="Total CO2 of electricity, gas and heat",
        value=carbon_total,
        carbon=True,
    ),
    Indicator(
        id="electricity",
        unit="kWh",
        zh="用电量",
        en="Electricity",
        value=_amount("electricity"),
        media=("electricity",),
    ),
    Indicator(
        id="gas",
        unit="m3",
        zh="天然气用量（标准状态）",
        en="Gas at standard conditions",
        value=_amount("gas"),
        media=("gas",),
    ),
    Indicator(
        id="water",
        unit="m3",
        zh="用水量",
        en="Water",
        value=_amount("water"),
        media=("water",),
    ),
)

INDICATORS: Final[Mapping[str, Indicator]] = MappingProxyType({row.id: row for row in _ROWS})
