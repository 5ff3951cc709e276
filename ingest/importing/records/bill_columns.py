"""Name the columns of bills, and the unit of the column of costs. Pure."""

import re
from collections.abc import Iterator
from types import MappingProxyType
from typing import Final

from ingest.importing.forms.column_words import split_unit
from ingest.importing.reading.file_form import ColumnForm, FileForm
from ingest.importing.records.record_table import RoleWords
from jieneng.metering.errors import Problem

#: Units of costs: 元, 万元, 分 and others. A text that is no unit, such as 含税, is ignored.
_MONEY: Final = re.compile(r"(?:人民币)?(亿|百万|十万|万|千|百)?[元圆]?|(角)|(分)")
_YUAN: Final = MappingProxyType(
    {"亿": 1e8, "百万": 1e6, "十万": 1e5, "万": 1e4, "千": 1e3, "百": 1e2, "角": 0.1, "分": 0.01}
)
#: Names of columns with money, such as 基本电费 and 实收金额; not 缴费户号.
_COST_LIKE: Final = re.compile(r"(?:费|费用|金额|cost|charge|元)$", re.IGNORECASE)
#: Columns with money that are not the cost of a bill.
_NO_COST: Final = re.compile("单价|税")

BILL_WORDS: Final[RoleWords] = MappingProxyType(
    {
        "account": "户号 account 用户编号 客户编号 缴费户号 用电户号 用水户号 用气户号 用户号 "
        "客户号 账户 账号 accountno accountnumber 表号 表计 表计编号 meter 户名 用户名称 名称",
        "period": "账期 period 计费期 计费周期 结算月份 账单月份 账单年月 电费年月 用电年月 年月 "
        "月份 month billingperiod",
        "start": "起始日期 start 开始日期 计费开始 起始时间 上次抄表日期 上期抄表日期 from",
        "end": "截止日期 end 结束日期 计费结束 终止日期 截止时间 本次抄表日期 本期抄表日期 to",
        "amount": "用量 amount 结算电量 计费电量 结算水量 计费水量 结算气量 用电量 用水量 用气量 "
        "用热量 本期用量 电量 水量 气量 热量 有功总电量 总电量 电量合计 合计电量 usage "
        "consumption quantity",
        "cost": "金额 cost 应收金额 应缴金额 合计金额 总金额 价税合计 电费金额 应收电费 应收水费 "
        "应收气费 应收热费 电费合计 水费合计 气费合计 总费用 电费 水费 气费 热费 费用 合计 charge "
        "total",
        "unit": "单位 unit 计量单位",
    }
)


def unnamed_costs(form: FileForm) -> Iterator[Problem]:
    """Yield a problem if columns contain money, but it is unknown which of them is the cost."""
    names = [
        column.name
        for column in form.columns
        if _COST_LIKE.search(split_unit(column.name)[0]) and not _NO_COST.search(column.name)
    ]
    if names:
        yield Problem(
            text="no column is called 金额, but some contain money: {names}.",
            fix="Call the column of costs 金额, or remove these columns.",
            values={"names": ", ".join(names)},
            line=form.header_line,
        )


def yuan_of(column: ColumnForm) -> float:
    """Return the factor from the unit of a column of costs to yuan."""
    for unit in (split_unit(column.name)[1], column.unit):
        found = _MONEY.fullmatch(unit.strip())
        word = next(filter(None, found.groups()), "") if found else ""
        if word:
            return _YUAN[word]
    return 1.0
