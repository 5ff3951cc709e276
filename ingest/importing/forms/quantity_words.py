"""Recognise media and quantities by the words that files use for them. Pure."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from ingest.importing.forms.column_words import plain, split_unit
from jieneng.metering.quantities import CONSUMPTION, QUANTITIES, Medium

#: Words for media in names of columns, sheets and titles. The first medium that matches is used.
_MEDIUM_WORDS: Final[tuple[tuple[Medium, re.Pattern[str]], ...]] = (
    ("gas", re.compile(r"燃气|天然气|煤气|用气|耗气|气表|气量|\bgas\b|^气$")),
    ("heat", re.compile(r"供热|用热|耗热|热量|热力|热表|\bheat\b|^热$|^热能$")),
    ("water", re.compile(r"用水|耗水|水量|水表|自来水|\bwater\b|^水$")),
    ("electricity", re.compile(r"[用耗]电|电[量能表力]|有功|electric|^电$")),
)
#: Words of quantities other than the consumption quantity of a medium.
_QUANTITY_WORDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "energy_export_kwh": "反向有功 反向有功总 反向有功电能 反向有功总电能 上网电量 返送电量",
        "energy_sharp_kwh": "尖 尖电量 尖峰 尖峰电量 正向有功尖",
        "energy_peak_kwh": "峰 峰电量 高峰电量 正向有功峰",
        "energy_flat_kwh": "平 平电量 平段电量 正向有功平",
        "energy_valley_kwh": "谷 谷电量 低谷电量 正向有功谷",
        "reactive_energy_kvarh": "无功电能 无功电量 正向无功 正向无功总 正向无功电能",
        "power_kw": "功率 有功功率 总有功功率 负荷",
    }
)
_QUANTITIES: Final[Mapping[str, str]] = MappingProxyType(
    {word: quantity for quantity, words in _QUANTITY_WORDS.items() for word in words.split()}
)


def medium_of(text: str) -> Medium | None:
    """Return the medium that a text mentions; None if it mentions none."""
    words = plain(text)
    return next((medium for medium, pattern in _MEDIUM_WORDS if pattern.search(words)), None)


def media_of_words(text: str) -> frozenset[Medium]:
    """Return all media that a text mentions."""
    words = plain(text)
    return frozenset(medium for medium, pattern in _MEDIUM_WORDS if pattern.search(words))


def named_quantity(text: str, medium: Medium) -> str | None:
    """Return the quantity that a text means for a meter; None if it means none.

    A word for the meter's medium, such as 电 or 用电量, means its consumption.
    """
    words = plain(split_unit(text)[0])
    if words in QUANTITIES:
        return words
    if words in _QUANTITIES:
        return _QUANTITIES[words]
    return CONSUMPTION[medium] if medium_of(words) == medium else None
