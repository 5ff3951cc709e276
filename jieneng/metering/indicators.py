"""Define the indicators: one row each, with unit, name and definition in two languages.

Laws:

1. Names and definitions are only here. The terminal, the page, CSV, JSON, the Grafana boards and
   `make locale` take them from the row.
2. An indicator that is linear in consumption needs only its row: a sum, which may be divided by
   floor area or headcount. `analytics.figures.indicator_values` computes every such row.
3. An indicator that is not linear has a row without `sum_of`, and a function of the same id in
   `analytics.figures.indicator_values.FUNCTIONS`.
4. The meaning of a published id never changes, because plans, boards and other programs use it.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal

import msgspec

from jieneng.metering.errors import Msgid
from jieneng.metering.quantities import CARRIERS, Medium

SumOf = Literal["coal_equivalent", "carbon", "electricity", "gas", "heat", "water"]
Denominator = Literal["floor_area_m2", "headcount"]


class Indicator(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `INDICATORS`.

    Attributes:
        id: id of the indicator in plans, JSON and the store.
        unit: unit of the values, e.g. `kgce/m2`.
        en: name in English, which is also the msgid.
        zh: name in Chinese.
        definition_en: definition in English, which is also the msgid.
        definition_zh: definition in Chinese.
        sum_of: sum over the period: coal equivalent [kgce] or carbon dioxide [kgCO2] of all energy
            carriers, or consumption of a medium [kWh, m3, GJ]; None if a function computes the
            indicator.
        denominator: mean over the period by which the sum is divided; None if there is none.
        scale: factor from the unit of the sum to that of the indicator: 0.001 from kgce to tce.
        inputs: media that the indicator's function uses; empty if `sum_of` is given.
    """

    id: str
    unit: str
    en: Msgid
    zh: str
    definition_en: Msgid
    definition_zh: str
    sum_of: SumOf | None = None
    denominator: Denominator | None = None
    scale: float = 1.0
    inputs: tuple[Medium, ...] = ()

    @property
    def media(self) -> tuple[Medium, ...]:
        """Media from which the indicator is computed."""
        match self.sum_of:
            case None:
                return self.inputs
            case "coal_equivalent" | "carbon":
                return CARRIERS
            case medium:
                return (medium,)

    @property
    def has_convention(self) -> bool:
        """True if the indicator depends on the convention of electricity's coal equivalent."""
        return self.sum_of == "coal_equivalent"

    @property
    def has_factor_series(self) -> bool:
        """True if the indicator is computed with both series of carbon factors."""
        return self.sum_of == "carbon"


_ROWS: Final = (
    Indicator(
        id="energy_per_floor_area",
        unit="kgce/m2",
        en="Energy per floor area",
        zh="单位建筑面积能耗",
        definition_en="Coal equivalent of electricity, gas and heat, divided by the mean floor"
        " area of the period.",
        definition_zh="电、气、热消费量折标准煤之和，除以统计期平均建筑面积。",
        sum_of="coal_equivalent",
        denominator="floor_area_m2",
    ),
    Indicator(
        id="energy_per_capita",
        unit="kgce/person",
        en="Energy per capita",
        zh="人均综合能耗",
        definition_en="Coal equivalent of electricity, gas and heat, divided by the mean headcount"
        " of the period.",
        definition_zh="电、气、热消费量折标准煤之和，除以统计期平均用能人数。",
        sum_of="coal_equivalent",
        denominator="headcount",
    ),
    Indicator(
        id="water_per_capita",
        unit="m3/person",
        en="Water per capita",
        zh="人均用水量",
        definition_en="Water consumption, divided by the mean headcount of the period.",
        definition_zh="用水量，除以统计期平均用能人数。",
        sum_of="water",
        denominator="headcount",
    ),
    Indicator(
        id="carbon_per_floor_area",
        unit="kgCO2/m2",
        en="Carbon per floor area",
        zh="单位建筑面积碳排放",
        definition_en="Carbon dioxide of purchased electricity, gas and heat, divided by the mean"
        " floor area of the period. Self-generated electricity has none.",
        definition_zh="外购电力、气、热产生的二氧化碳排放之和，除以统计期平均建筑面积；自产电力不计排放。",
        sum_of="carbon",
        denominator="floor_area_m2",
    ),
    Indicator(
        id="energy_total",
        unit="tce",
        en="Total energy",
        zh="能源消费总量",
        definition_en="Coal equivalent of electricity, gas and heat. Water is not energy.",
        definition_zh="电、气、热消费量折标准煤之和，不含水。",
        sum_of="coal_equivalent",
        scale=0.001,
    ),
    Indicator(
        id="water_total",
        unit="m3",
        en="Total water",
        zh="用水总量",
        definition_en="Water consumption, to be compared with the plan's cap.",
        definition_zh="用水量，用于与规划的用水总量控制目标比较。",
        sum_of="water",
    ),
    Indicator(
        id="carbon_total",
        unit="tCO2",
        en="Total carbon",
        zh="碳排放总量",
        definition_en="Carbon dioxide of purchased electricity, gas and heat. Self-generated"
        " electricity has none.",
        definition_zh="外购电力、气、热产生的二氧化碳排放之和；自产电力不计排放。",
        sum_of="carbon",
        scale=0.001,
    ),
    Indicator(
        id="electricity",
        unit="kWh",
        en="Electricity consumption",
        zh="用电量",
        definition_en="Electricity by the meters' active energy registers: purchased, plus"
        " self-generated, less exported.",
        definition_zh="按电表有功电能底数计算的用电量：外购电量加自产电量，减外送电量。",
        sum_of="electricity",
    ),
    Indicator(
        id="gas",
        unit="m3",
        en="Gas consumption",
        zh="用气量",
        definition_en="Natural gas by volume at standard conditions.",
        definition_zh="按标准状态体积计算的天然气用量。",
        sum_of="gas",
    ),
    Indicator(
        id="water",
        unit="m3",
        en="Water consumption",
        zh="用水量",
        definition_en="Water by the meters' volume registers.",
        definition_zh="按水表体积底数计算的用水量。",
        sum_of="water",
    ),
)

INDICATORS: Mapping[str, Indicator] = MappingProxyType({row.id: row for row in _ROWS})

#: The plan's four binding indicators, in the order of its table.
BINDING_INDICATORS: Final = (
    "energy_per_floor_area",
    "energy_per_capita",
    "water_per_capita",
    "carbon_per_floor_area",
)
#: The plan's two expected caps.
CAPPED_INDICATORS: Final = ("energy_total", "water_total")
#: Indicators of metered consumption, which are shown by month.
CONSUMPTION_INDICATORS: Final = ("electricity", "gas", "water")
