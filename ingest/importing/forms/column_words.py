"""Words in headers, and the roles of columns that they mean. Pure.

Laws: words are compared without regard to case, spaces, full-width characters and a unit in
brackets. Names of the site (meters, areas, and columns that a person has mapped) take precedence
over the words of this table.
"""

import re
import unicodedata
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal

from ingest.importing.cells.unit_words import is_unit

Role = Literal[
    "time", "year", "month", "day", "clock", "start", "end",
    "meter", "quantity", "value", "unit", "ratio", "estimated", "ignored",
]  # fmt: skip

_WORDS: Final[Mapping[Role, str]] = MappingProxyType(
    {
        "time": "time datetime timestamp date period week 时间 日期 日期时间 "
        "年月 季度 周 账期 统计期 统计时间 统计月份 抄表时间 抄表日期 "
        "采集时间 数据时间 数据日期 记录时间 记录日期 用电日期 计量时间",
        "year": "year 年 年份 年度",
        "month": "month 月 月份",
        "day": "day 日 号 日数",
        "clock": "clock hour timeofday 时刻 时段 钟点 小时 采集时刻",
        "start": "start begin from starttime startdate 开始 起 起始 开始时间 起始时间 开始日期 "
        "起始日期 起始日 上次抄表日期 上次抄表时间 上期抄表日期",
        "end": "end to until endtime enddate 结束 止 截止 结束时间 截止时间 终止时间 结束日期 "
        "截止日期 终止日期 本次抄表日期 本次抄表时间 本期抄表日期",
        "meter": "meter meterid meterno meterno. metername device deviceid point 表号 表计 "
        "表计编号 表计号 表计名称 表名 表具 表具编号 表具号 表具名称 表编号 仪表 仪表编号 "
        "仪表号 仪表名称 电表 电表号 电表编号 电表名称 水表 水表号 水表编号 水表名称 气表 "
        "气表号 燃气表 燃气表号 热表 热表号 计量表 计量表号 计量点 计量点编号 计量点名称 测点 "
        "测点名称 监测点 名称 编号 设备 设备编号 设备名称 回路 回路名称 支路 支路名称 楼 楼栋 "
        "楼宇 楼名 建筑 建筑物 建筑名称 楼号 大楼 用能单位 单位名称 部门 building area",
        "quantity": "quantity medium energytype type item 能耗类型 能源类型 能源种类 能源 "
        "能源品种 品种 类型 类别 用能类型 分类 数据项 数据类型 参数 指标 项目 介质",
        "value": "value reading index consumption usage amount energy volume 读数 示数 表码 "
        "表底 表底数 表读数 表示数 抄表读数 抄表示数 本期读数 本期示数 本次读数 本次示数 "
        "本月读数 本月示数 本月表底 止码 数值 值 数据 累计值 累计读数 累计电量 累计流量 "
        "累计用量 正向有功总 正向有功总电能 正向有功电能 电能示值 用量 用电量 用水量 用气量 "
        "用热量 用能量 耗电量 耗水量 耗气量 电量 水量 气量 热量 能耗 能耗值 消耗量 使用量 "
        "月用量 日用量 实用量",
        "unit": "unit units 单位 计量单位",
        "ratio": "倍率 变比 互感器变比 互感器倍率 综合倍率 计量倍率 multiplier ratio",
        "estimated": "estimated estimate isestimated 估算 是否估算 估计 是否估计 估抄 是否估抄 "
        "估读 是否估读 读数类型 读数性质 数据性质 抄表方式 e/a a/e ea",
        "ignored": "no no. nr # 序号 序 行号 备注 说明 remark remarks note notes comment 合计 "
        "总计 小计 总和 sum total 平均 平均值 average mean 最大值 最小值 max min 同比 环比 "
        "上期读数 上期示数 上次读数 上次示数 上月读数 上月示数 上月表底 起码 星期 节假日 抄表员 "
        "抄表人",
    }
)
_ROLES: Final[Mapping[str, Role]] = MappingProxyType(
    {word: role for role, words in _WORDS.items() for word in words.split()}
)
#: Words for values that are amounts of an interval, not readings of a register.
_AMOUNT_WORDS: Final = re.compile(r"用量|用[电水气热能]量|耗|使用量|consumption|usage")
#: Words for money in names and units. A column of costs contains no values of a meter.
_MONEY: Final = re.compile(r"费|金额|单价|元|¥|\bcost\b|\bprice\b|\bcny\b|\brmb\b")
#: Words for values that are readings of a register: 本期读数, 止码.
_READING_WORDS: Final = re.compile(r"读数|示数|表码|表底|止码|示值|\breading\b|\bindex\b")
#: Words for the time at which a meter was read.
_READ_AT: Final = re.compile(r"抄表")
_BEHIND: Final = re.compile(r"(?P<name>.*\S)(?:\s+|\s*[/_:,、]\s*)(?P<unit>[^\s/_:,、]+)")
_BRACKETS: Final = re.compile(r"[(\[【](?P<inner>[^()\[\]【】]*)[)\]】]\s*$")


def plain(text: str) -> str:
    """Return a text for comparisons: in lower case, without spaces, with ASCII characters."""
    return re.sub(r"\s+", "", unicodedata.normalize("NFKC", text)).casefold()


def split_unit(name: str) -> tuple[str, str]:
    """Return a column's name and its unit: `总表(kWh)` and `总表 kWh` -> 总表, kWh.

    Any text in brackets at the end counts as a unit. A text after a space or another sign counts
    only if it is a known unit.
    """
    plain_name = unicodedata.normalize("NFKC", name).strip()
    if (found := _BRACKETS.search(plain_name)) and found.start() > 0:
        return plain_name[: found.start()].strip(), found["inner"].strip()
    if (found := _BEHIND.fullmatch(plain_name)) and is_unit(found["unit"]):
        return found["name"].strip(), found["unit"]
    return name.strip(), ""


def role_of(name: str) -> Role | None:
    """Return the role that a column's name means; None if it means none."""
    return _ROLES.get(plain(name)) or _ROLES.get(plain(split_unit(name)[0]))


def says_amount(name: str) -> bool:
    """Return True if, by its name, a column contains amounts of intervals."""
    return _AMOUNT_WORDS.search(plain(name)) is not None


def says_reading(name: str) -> bool:
    """Return True if, by its name, a column contains readings of a register."""
    return _READING_WORDS.search(plain(name)) is not None


def says_read_at(name: str) -> bool:
    """Return True if, by its name, a column contains the times at which meters were read."""
    return _READ_AT.search(plain(name)) is not None


def says_money(name: str) -> bool:
    """Return True if, by its name or unit, a column contains money."""
    return _MONEY.search(plain(name)) is not None
