"""Read the bills of suppliers: account, period, amount, cost. Pure: rows in, bills out.

Laws:

1. The account of a bill is an account of a meter in `site.toml`, or the name of a meter.
2. The period of a bill is a month or a longer period, or it is given by start and end date. In a
   column of periods, the first day of a month means this month, because spreadsheets turn 2024年3月
   into 2024-03-01. The end date is the last day of the period in two cases: if the next bill begins
   on the day after it; or if the period is from the first to the last day of a month. Otherwise the
   meter was read on the end date, and the next period begins on that day.
3. Two bills of a meter must not overlap. Both are reported, because one of them is wrong.
"""

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from types import MappingProxyType
from typing import Final

import msgspec

from ingest.importing.cells.cell import Row
from ingest.importing.forms.column_words import split_unit
from ingest.importing.forms.import_options import ImportOptions
from ingest.importing.forms.meter_series import ImportSeries, ScaledSeries
from ingest.importing.forms.series_finder import SeriesFinder
from ingest.importing.judging.problem_list import ProblemList
from ingest.importing.reading.file_form import ColumnForm, FileForm
from ingest.importing.records.record_table import RecordTable, RoleWords
from jieneng.metering.errors import Problem
from jieneng.metering.schema import LONGEST_INTERVAL_MS
from jieneng.metering.site import Site

_DAY_MS: Final = 86_400_000
#: Units of costs: 元, 万元, 分 and others. A text that is no unit, such as 含税, is ignored.
_MONEY: Final = re.compile(r"(?:人民币)?(亿|百万|十万|万|千|百)?[元圆]?|(角)|(分)")
_YUAN: Final = MappingProxyType(
    {"亿": 1e8, "百万": 1e6, "十万": 1e5, "万": 1e4, "千": 1e3, "百": 1e2, "角": 0.1, "分": 0.01}
)
#: Names of columns with money, such as 基本电费 and 实收金额; not 缴费户号.
_COST_LIKE: Final = re.compile(r"(?:费|费用|金额|cost|charge|元)$", re.IGNORECASE)
#: Columns with money that are not the cost of a bill.
_NO_COST: Final = re.compile("单价|税")
#: Decimal part of a number that may be either of two months: 2026.1 is January or October.
_LOST_ZERO: Final = 0.1

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


class Bill(msgspec.Struct, frozen=True, kw_only=True):
    """A bill of a supplier.

    Attributes:
        line: line of the bill in the file.
        series: the meter and the quantity of the bill.
        start_ms: start of the period [UTC, ms].
        end_ms: end of the period [UTC, ms], not included.
        amount: amount in the quantity's canonical unit.
        cost_yuan: cost [yuan]; None if the file does not state it.
    """

    line: int
    series: ImportSeries
    start_ms: int
    end_ms: int
    amount: float
    cost_yuan: float | None


def read_bills(
    form: FileForm,
    rows: Iterable[tuple[int, Row]],
    site: Site,
    options: ImportOptions,
    problems: ProblemList,
) -> list[Bill]:
    """Return the bills of a table, sorted by meter and time, and report problems.

    Args:
        form: form of the file.
        rows: (line number, cells) of each row.
        site: the site.
        options: options of the import; `columns` maps further accounts to meters.
        problems: list to which problems are added.
    """
    table = RecordTable(form, BILL_WORDS, site, options, problems)
    times = ("period",) if "start" not in table.columns else ("start", "end")
    if not table.require(BILL_WORDS, "account", *times, "amount"):
        return []
    if "cost" not in table.columns:
        for problem in _unnamed_cost(form):
            problems.add(problem)
    reader = _BillReader(table, form, site, options, problems)
    bills = [bill for line, row in rows for bill in reader.read(line, row)]
    if "start" in table.columns:
        bills = _with_whole_days(bills, site)
    bills.sort(key=lambda bill: (bill.series.meter, bill.start_ms))
    for one, other in pairwise(bills):
        if one.series == other.series and other.start_ms < one.end_ms:
            problems.add_of_rows(_overlapping(one, other), one.line, other.line)
    return [bill for bill in bills if bill.line not in problems.lines]


def _unnamed_cost(form: FileForm) -> Iterator[Problem]:
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


class _BillReader:
    """Reads the rows of one table."""

    def __init__(
        self,
        table: RecordTable,
        form: FileForm,
        site: Site,
        options: ImportOptions,
        problems: ProblemList,
    ) -> None:
        self._table = table
        self._site = site
        accounts = {**_accounts(site), **options.columns}
        self._finder = SeriesFinder(
            site,
            msgspec.structs.replace(options, columns=accounts, kind="interval"),
            problems.add_of_rows,
            (*form.titles, *form.sheets),
            "--account",
        )
        self._yuan = _yuan_of(table.column("cost")) if "cost" in table.columns else 1.0

    def read(self, line: int, row: Row) -> Iterator[Bill]:
        """Yield the bill of a row; nothing after a problem was reported."""
        table = self._table
        scaled = self._series(line, row)
        span = self._period(line, row)
        amount = table.number(line, row, "amount")
        cost = table.number(line, row, "cost")
        if scaled is None or span is None:
            return
        if amount is None:
            table.report_row(line, "this bill has no amount.", "Add it, or remove the line.")
            return
        if amount < 0:
            table.report_row(
                line,
                "the amount of this bill is negative.",
                "Write the amount and cost of the period after the correction, in one line.",
            )
            return
        if not 0 < span[1] - span[0] <= LONGEST_INTERVAL_MS:
            table.report_row(
                line,
                "the period of this bill does not end after its start, or is longer than a year.",
                "Correct its dates, or write a month such as 2024-01.",
            )
            return
        yield Bill(
            line=line,
            series=scaled.series,
            start_ms=span[0],
            end_ms=span[1],
            amount=scaled.canonical(amount),
            cost_yuan=None if cost is None else cost * self._yuan,
        )

    def _series(self, line: int, row: Row) -> ScaledSeries | None:
        column = self._table.column("amount")
        return self._finder.find(
            line,
            self._table.text(row, "account"),
            self._table.column("account").name,
            words=column.name,
            unit=self._table.text(row, "unit") or split_unit(column.name)[1] or column.unit,
        )

    def _period(self, line: int, row: Row) -> tuple[int, int] | None:
        table = self._table
        if "start" in table.columns:
            start = table.span(line, row, "start")
            end = table.span(line, row, "end")
            return None if start is None or end is None else (start.start_ms, end.start_ms)
        span = table.span(line, row, "period")
        cell = row[table.columns["period"]]
        if isinstance(cell, float) and math.isclose(cell % 1, _LOST_ZERO, abs_tol=1e-6):
            table.report_row(
                line,
                "{period} may be January or October: a number loses its last zero.",
                "Write the month as text, such as 2024-01 or 2024-10.",
                period=cell,
            )
            return None
        if span is not None and span.unit in ("moment", "day"):
            month = _month_of(span.start_ms, self._site)
            if month is not None:
                return month
            table.report_row(
                line,
                "{period} is a date, not the period of a bill.",
                "Write a month such as 2024-01, or the dates of its start and end in two columns.",
                period=table.text(row, "period"),
            )
            return None
        return None if span is None else (span.start_ms, span.end_ms)


def _yuan_of(column: ColumnForm) -> float:
    """Return the factor from the unit of a column of costs to yuan."""
    for unit in (split_unit(column.name)[1], column.unit):
        found = _MONEY.fullmatch(unit.strip())
        word = next(filter(None, found.groups()), "") if found else ""
        if word:
            return _YUAN[word]
    return 1.0


def _month_of(time_ms: int, site: Site) -> tuple[int, int] | None:
    """Return start and end of the month that begins at a time; None if no month begins then."""
    moment = datetime.fromtimestamp(time_ms / 1000, site.zone)
    if moment.day != 1 or moment.time() != time():
        return None
    following = (moment.date() + timedelta(days=31)).replace(day=1)
    return time_ms, _midnight_ms(following, site)


def _accounts(site: Site) -> Mapping[str, str]:
    """Return the meters by account, also without leading zeros, which spreadsheets remove."""
    found = {meter.account: meter.id for meter in site.meter if meter.account is not None}
    return {**{account.lstrip("0"): meter for account, meter in found.items()}, **found}


def _with_whole_days(bills: list[Bill], site: Site) -> list[Bill]:
    """Return the bills with end times that are not included in the period (law 2)."""
    starts = {(bill.series.meter, bill.start_ms) for bill in bills}
    next_days = {bill.line: _next_midnight_ms(bill.end_ms, site) for bill in bills}
    touching = sum((bill.series.meter, bill.end_ms) in starts for bill in bills)
    following = sum((bill.series.meter, next_days[bill.line]) in starts for bill in bills)
    if touching > following:
        return bills
    is_included = following > 0 or all(_is_whole_month(bill, site) for bill in bills)
    if not is_included:
        return bills
    return [msgspec.structs.replace(bill, end_ms=next_days[bill.line]) for bill in bills]


def _is_whole_month(bill: Bill, site: Site) -> bool:
    start = _local(bill.start_ms, site)
    return start.day == _local(_next_midnight_ms(bill.end_ms, site), site).day


def _next_midnight_ms(time_ms: int, site: Site) -> int:
    return _midnight_ms(_local(time_ms, site) + timedelta(days=1), site)


def _midnight_ms(day: date, site: Site) -> int:
    moment = datetime(day.year, day.month, day.day, tzinfo=site.zone)
    return round(moment.astimezone(UTC).timestamp() * 1000)


def _local(time_ms: int, site: Site) -> date:
    return datetime.fromtimestamp(time_ms / 1000, site.zone).date()


def _overlapping(one: Bill, other: Bill) -> Problem:
    return Problem(
        text="the bill in this line overlaps the bill in line {earlier}, for meter {meter}.",
        fix="Remove one of them, or correct its period.",
        values={"meter": one.series.meter, "earlier": one.line},
        line=other.line,
    )
