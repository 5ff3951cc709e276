"""Read the bills of suppliers: account, period, amount, cost. Pure: rows in, bills out.

Laws:

1. The account of a bill is an account of the site (`BillAccounts`), or the name of a meter.
2. The period of a bill is a month or a longer period, or it is given by start and end date. In a
   column of periods, the first day of a month means this month, because spreadsheets turn 2024年3月
   into 2024-03-01. The end date is the last day of the period in two cases: if the next bill begins
   on the day after it; or if the period is from the first to the last day of a month. Otherwise the
   meter was read on the end date, and the next period begins on that day.
3. Two bills of an account, or of the same meters, must not overlap. Both are reported, because one
   of them is wrong.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from itertools import groupby, pairwise
from operator import attrgetter
from types import MappingProxyType
from typing import Final

import msgspec

from ingest.importing.cells.cell import Row
from ingest.importing.forms.column_words import split_unit
from ingest.importing.forms.import_options import ImportOptions
from ingest.importing.forms.meter_series import ImportSeries, ScaledSeries
from ingest.importing.forms.series_finder import SeriesFinder
from ingest.importing.judging.problem_list import ProblemList
from ingest.importing.reading.file_form import FileForm
from ingest.importing.records.bill_accounts import BillAccounts
from ingest.importing.records.bill_columns import BILL_WORDS, unnamed_costs, yuan_of
from ingest.importing.records.record_table import RecordTable
from jieneng.metering.errors import Problem
from jieneng.metering.schema import LONGEST_INTERVAL_MS
from jieneng.metering.site import Site

_DAY_MS: Final = 86_400_000
#: Decimal part of a number that may be either of two months: 2026.1 is January or October.
_LOST_ZERO: Final = 0.1


class Bill(msgspec.Struct, frozen=True, kw_only=True):
    """A bill of a supplier.

    Attributes:
        line: line of the bill in the file.
        account: number of the account; the meter's id if the file names a meter.
        series: the meter at which the bill is stored, and its quantity.
        meters: ids of all meters that the bill bills.
        start_ms: start of the period [UTC, ms].
        end_ms: end of the period [UTC, ms], not included.
        amount: amount in the quantity's canonical unit.
        cost_yuan: cost [yuan]; None if the file does not state it.
    """

    line: int
    account: str
    series: ImportSeries
    meters: tuple[str, ...]
    start_ms: int
    end_ms: int
    amount: float
    cost_yuan: float | None

    @property
    def names_meter(self) -> bool:
        """Return True if the bill is of a meter, whatever its account is."""
        return self.meters == (self.account,)


def read_bills(
    form: FileForm,
    rows: Iterable[tuple[int, Row]],
    site: Site,
    options: ImportOptions,
    problems: ProblemList,
    accounts: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> list[Bill]:
    """Return the bills of a table, sorted by meter and time, and report problems.

    Args:
        form: form of the file.
        rows: (line number, cells) of each row.
        site: the site.
        options: options of the import; `columns` maps further accounts to meters.
        problems: list to which problems are added.
        accounts: meters of the accounts in `tariffs.toml`, by account.
    """
    table = RecordTable(form, BILL_WORDS, site, options, problems)
    times = ("period",) if "start" not in table.columns else ("start", "end")
    if not table.require(BILL_WORDS, "account", *times, "amount"):
        return []
    if "cost" not in table.columns:
        for problem in unnamed_costs(form):
            problems.add(problem)
    reader = _BillReader(table, form, site, options, problems, accounts)
    bills = [bill for line, row in rows for bill in reader.read(line, row)]
    if "start" in table.columns:
        bills = _with_whole_days(bills, site)
    for one, other in _overlaps(bills):
        problems.add_of_rows(_overlapping(one, other), one.line, other.line)
    bills.sort(key=lambda bill: (bill.series.meter, bill.start_ms))
    return [bill for bill in bills if bill.line not in problems.lines]


class _BillReader:
    """Reads the rows of one table."""

    def __init__(
        self,
        table: RecordTable,
        form: FileForm,
        site: Site,
        options: ImportOptions,
        problems: ProblemList,
        accounts: Mapping[str, Sequence[str]],
    ) -> None:
        self._table = table
        self._site = site
        self._accounts = BillAccounts(site, options.columns, accounts)
        self._finder = SeriesFinder(
            site,
            msgspec.structs.replace(options, columns=self._accounts.columns, kind="interval"),
            problems.add_of_rows,
            (*form.titles, *form.sheets),
            "--account",
        )
        self._yuan = yuan_of(table.column("cost")) if "cost" in table.columns else 1.0

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
        account, meters = self._billed(line, row, scaled.series.meter, span)
        if not meters:
            return
        yield Bill(
            line=line,
            account=account,
            series=msgspec.structs.replace(scaled.series, meter=meters[0]),
            meters=meters,
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

    def _billed(
        self, line: int, row: Row, meter: str, span: tuple[int, int]
    ) -> tuple[str, tuple[str, ...]]:
        """Return the account of a bill and its meters; no meter after a problem was reported."""
        account = self._accounts.account(self._table.text(row, "account"))
        if account is None:
            return meter, (meter,)
        start, end = (_local(time_ms, self._site) for time_ms in span)
        meters = self._accounts.billed(account, start, end)
        if not meters:
            self._table.report_row(
                line,
                "account {account} has no meter on {day}, the first day of this bill.",
                "Write the first and last day of the bill, or correct the dates of the account's"
                " meters in site.toml.",
                account=account,
                day=start,
            )
        return account, meters

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


def _month_of(time_ms: int, site: Site) -> tuple[int, int] | None:
    """Return start and end of the month that begins at a time; None if no month begins then."""
    moment = datetime.fromtimestamp(time_ms / 1000, site.zone)
    if moment.day != 1 or moment.time() != time():
        return None
    following = (moment.date() + timedelta(days=31)).replace(day=1)
    return time_ms, _midnight_ms(following, site)


def _with_whole_days(bills: list[Bill], site: Site) -> list[Bill]:
    """Return the bills with end times that are not included in the period (law 2)."""
    starts = {(bill.account, bill.start_ms) for bill in bills}
    next_days = {bill.line: _next_midnight_ms(bill.end_ms, site) for bill in bills}
    touching = sum((bill.account, bill.end_ms) in starts for bill in bills)
    following = sum((bill.account, next_days[bill.line]) in starts for bill in bills)
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


def _overlaps(bills: Sequence[Bill]) -> list[tuple[Bill, Bill]]:
    """Return the pairs of successive bills of an account, or of the same meters, that overlap."""
    found: dict[tuple[int, int], tuple[Bill, Bill]] = {}
    for payer in (attrgetter("account"), attrgetter("meters")):
        for _, of_payer in groupby(sorted(bills, key=payer), payer):
            in_time = sorted(of_payer, key=attrgetter("start_ms"))
            for one, other in pairwise(in_time):
                if other.start_ms < one.end_ms:
                    found.setdefault((one.line, other.line), (one, other))
    return list(found.values())


def _overlapping(one: Bill, other: Bill) -> Problem:
    return Problem(
        text="the bill in this line overlaps the bill in line {earlier}, for meter {meter}.",
        fix="Remove one of them, or correct its period.",
        values={"meter": one.series.meter, "earlier": one.line},
        line=other.line,
    )
