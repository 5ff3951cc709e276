"""Words that stand in headers, and in lines that are no rows of a table. Pure.

Law: words mark a header or a total; they never give a value its meaning (`forms/` does).
"""

import re
from typing import Final

#: Names of columns in the usual files.
_HEADERS: Final = frozenset(
    (
        "time datetime timestamp date day month year hour period meter quantity value reading unit "
        "name id start end start_time end_time datum zeit uhrzeit zählerstand wert "
        "时间 日期 日期时间 时刻 时段 抄表时间 抄表日期 采集时间 数据时间 统计时间 统计日期 记录时间 读数时间 "
        "日期/时间 年 月 日 年份 月份 年月 账期 帐期 周期 期间 用能月份 计费月份 起始时间 开始时间 结束时间 "
        "开始日期 起始日期 截止日期 结束日期 序号 编号 名称 建筑 楼栋 部门 单位 备注 说明 "
        "表号 表计 表计编号 表计名称 表具号 表名 表计号 电表 水表 气表 电表号 水表号 气表号 仪表 仪表编号 仪表名称 "
        "设备 设备名称 设备编号 户号 户名 用户编号 用户名称 测点 测点名称 计量点 计量点编号 采集点 回路 回路名称 "
        "读数 示数 表底 表读数 表示数 止码 起码 起度 止度 本期读数 本期示数 上期读数 上期示数 本次读数 上次读数 "
        "数值 值 量 用量 用能量 能耗 能耗量 消耗量 电量 用电量 有功总电量 正向有功总 正向有功电能 水量 用水量 气量 用气量 "
        "金额 费用 电费 水费 气费 人数 用能人数 面积 建筑面积 质量 数据类型 倍率"
    ).split()
)
_BRACKETS: Final = re.compile(r"[(（\[【][^()（）\[\]【】]*[)）\]】]")
_TOTALS: Final = re.compile(
    r"(?:[\w.\-/ ]{0,20}?[年月日周季度]?)?"
    r"(?:合计|总计|小计|共计|总和|累计|平均值?|最大值?|最小值?|均值|峰值|谷值)[:：]?"
    r"|(?:grand |sub)?totals?:?|sum(?: total)?:?|average:?|mean:?|max(?:imum)?:?|min(?:imum)?:?|gesamt|summe",
    re.IGNORECASE,
)
_FOOTERS: Final = (
    "注 备注 说明 制表 编制 审核 审批 复核 填表 填报 打印 导出 报送 数据来源 来源 抄表人 负责人 单位负责人 统计人 "
    "日期： 制表日期 第 共 note source printed exported generated page"
).split()


def is_header_word(text: str) -> bool:
    """Return True for the usual name of a column, with or without its unit in brackets."""
    bare = _BRACKETS.sub("", text).strip().casefold()
    return bare in _HEADERS or bare.replace(" ", "") in _HEADERS


def is_total(text: str) -> bool:
    """Return True for the name of a row of totals or averages: 合 计, 1月小计, Total."""
    bare = text.strip()
    if not bare.isascii():
        bare = bare.replace(" ", "").replace("\u3000", "")
    return _TOTALS.fullmatch(bare) is not None


def is_footer(text: str) -> bool:
    """Return True for a text below a table: 制表人：张三, 注：…"""
    return text.strip().casefold().startswith(tuple(_FOOTERS))
