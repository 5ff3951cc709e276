"""Define the figures of load profiles: one row each, with name and definition in two languages.

Laws:

1. Names and definitions are only here. The terminal, JSON, CSV and the Grafana board take them from
   the row.
2. An id is also the name of the field in the measurement `profile`. Its meaning never changes.
3. `analytics.profiles.load_profile` computes each row.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import msgspec

from jieneng.metering.errors import Msgid
from jieneng.metering.quantities import CARRIERS, MEDIA, Medium

#: Unit of the load: consumption of each medium in an hour.
LOAD_UNITS: Final[Mapping[Medium, str]] = MappingProxyType(
    {"electricity": "kW", "water": "m3/h", "gas": "m3/h", "heat": "kW"}
)


class ProfileFigure(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `PROFILE_FIGURES`.

    Attributes:
        id: id of the figure in JSON, and its field in the store.
        unit: unit of the values; None for the unit of the medium's load.
        en: name in English, which is also the msgid.
        zh: name in Chinese.
        definition_en: definition in English, which is also the msgid.
        definition_zh: definition in Chinese.
        media: media for which the figure is computed.
        is_share: True if people read the value in percent.
        least_coverage: smallest coverage with which the figure is shown, 0 to 1; None for the
            coverage floor of `analytics.toml`.
    """

    id: str
    unit: str | None = None
    en: Msgid
    zh: str
    definition_en: Msgid
    definition_zh: str
    media: tuple[Medium, ...] = MEDIA
    is_share: bool = False
    least_coverage: float | None = None

    def unit_of(self, medium: Medium) -> str:
        """Return the unit of the figure's values for a medium."""
        return LOAD_UNITS[medium] if self.unit is None else self.unit


_ROWS: Final = (
    ProfileFigure(
        id="peak_demand",
        en="Peak demand",
        zh="最大需量",
        definition_en="Largest mean load of a quarter of an hour. If the meter is read too rarely"
        " for that, of an hour.",
        definition_zh="每 15 分钟平均负荷中的最大值；抄表间隔较长时取每小时平均负荷中的最大值。",
        media=CARRIERS,
    ),
    ProfileFigure(
        id="load_factor",
        unit="1",
        en="Load factor",
        zh="负荷率",
        definition_en="Mean load, divided by the peak demand.",
        definition_zh="平均负荷与最大需量之比。",
        media=CARRIERS,
        is_share=True,
    ),
    ProfileFigure(
        id="night_base_load",
        en="Night base load",
        zh="夜间基础负荷",
        definition_en="Median of the smallest hourly loads of the nights that end on working days.",
        definition_zh="工作日凌晨各夜最小小时负荷的中位数。",
        least_coverage=0.5,  # a median hardly depends on the nights that are missing
    ),
    ProfileFigure(
        id="days_off_share",
        unit="1",
        en="Share of days off",
        zh="休息日占比",
        definition_en="Consumption on weekends and public holidays, divided by the consumption of"
        " all days. Working days that were moved to a weekend are no days off.",
        definition_zh="周末和法定节假日用量占全部用量的比例，调休上班日不计为休息日。",
        is_share=True,
    ),
    ProfileFigure(
        id="leak_level",
        en="Leak level",
        zh="漏损水平",
        definition_en="Flow that four of five nights exceed: the 20th percentile of the smallest"
        " hourly flows of the last seven nights.",
        definition_zh="最近 7 夜最小小时流量的 20 % 分位数，即五夜中有四夜超过的流量。",
        media=("water",),
        least_coverage=5 / 7,
    ),
    ProfileFigure(
        id="leak_yearly",
        unit="m3",
        en="Leak in a year",
        zh="年漏损量",
        definition_en="Water that a flow at the leak level amounts to in 365 days.",
        definition_zh="按漏损水平持续 365 天折算的水量。",
        media=("water",),
        least_coverage=5 / 7,
    ),
    ProfileFigure(
        id="pue",
        unit="1",
        en="PUE",
        zh="电能利用效率（PUE）",
        definition_en="Electricity of a data room, divided by the electricity of its IT equipment.",
        definition_zh="数据机房总用电量与信息设备用电量之比。",
        media=("electricity",),
    ),
)

PROFILE_FIGURES: Mapping[str, ProfileFigure] = MappingProxyType({row.id: row for row in _ROWS})
