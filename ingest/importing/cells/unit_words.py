"""Recognise units as people write them in headers and cells. Pure.

Law: a text counts as a unit only if it is in this table. `forms/` decides what the unit means for a
meter.
"""

from typing import Final

from jieneng.metering.units import UNITS

#: Other spellings of units, and units of money, persons and areas.
_WRITTEN: Final = (
    "kw·h kw.h kw*h kwh度 度 千瓦时 千瓦小时 万kwh 万kw·h 万千瓦时 万度 mw·h 兆瓦时 gwh 吉瓦时 "
    "千瓦 兆瓦 千乏 千乏时 千伏安 伏 千伏 安 赫兹 "
    "m³ ㎥ nm3 nm³ 立方米 立方 方 标方 标准立方米 万m3 万m³ 万立方米 升 毫升 "
    "l t 吨 万吨 千克 公斤 kg g "
    "m³/h m3/h 立方米/小时 吨/小时 t/h l/s "
    "吉焦 兆焦 千焦 kj 百万千焦 大卡 千卡 kcal mcal gcal "
    "tce kgce 吨标准煤 千克标准煤 吨标煤 kgco2 tco2 "
    "元 万元 ¥ ￥ $ € cny rmb usd eur 元/kwh 元/度 元/吨 元/m3 "
    "m2 m² ㎡ 平方米 平米 万平方米 人 人次 户 天 小时 h % ％ 倍 ℃ °c c° kpa 帕 兆帕"
)
_WORDS: Final = frozenset(
    {*_WRITTEN.split(), *(unit.casefold() for unit in UNITS if not unit.isdigit())}
)


def is_unit(text: str) -> bool:
    """Return True if a text is a unit in any spelling: kWh, 万kWh, m³, (吨), 单位：元."""
    return bare_unit(text).casefold() in _WORDS


def bare_unit(text: str) -> str:
    """Return a unit without brackets and without the word 单位: `（kWh）` -> `kWh`."""
    bare = text.strip().removeprefix("单位").removeprefix("Unit").lstrip(":： ")
    if bare[:1] in "([（【" and bare[-1:] in ")]）】" and len(bare) > 2:
        bare = bare[1:-1]
    return bare.strip()
