"""Grammar of periods: months, quarters, weeks, years, and the ranges of bills. Pure.

    2024-01  202401  2024年1月  Jan 2024     2024Q1  2024年第一季度    2024上半年
    2024-W05  2024年第5周     2024  2024年    2024年1-3月    2024.1.1-2024.1.31

Laws:

1. Weeks are those of ISO 8601: they begin on Monday, and week 1 contains the first Thursday.
2. The last day of a range is part of the range.
"""

import re
from collections.abc import Callable
from datetime import date, timedelta
from typing import Final, Literal, NamedTuple

from ingest.importing.cells.date_text import MONTHS, parse_date
from ingest.importing.cells.notation import DateOrder

SpanUnit = Literal["moment", "day", "week", "month", "quarter", "half", "year", "range"]

_DAY: Final = timedelta(days=1)
_NUMERALS: Final = {"一": 1, "二": 2, "三": 3, "四": 4, "上": 1, "下": 2}
_RANGE: Final = re.compile(r"\s*(?:至|到|~|～|—+|–|--|\bto\b)\s*|\s+-\s+")
_MONTH: Final = re.compile(
    r"(\d{4})\s*年\s*(\d{1,2})\s*月份?|(\d{4})[-/.](\d{1,2})|(\d{4})(0[1-9]|1[0-2])"
)
_HYPHEN: Final = re.compile("-")


class Period(NamedTuple):
    """Period of whole local days.

    Attributes:
        first: first day.
        until: day after the last one.
        unit: unit of the calendar.
    """

    first: date
    until: date
    unit: SpanUnit


def parse_period(text: str, order: DateOrder | None) -> Period | None:
    """Return the period in a text; None if the text is not a period.

    Args:
        text: text in plain characters, without surrounding spaces.
        order: order of dates that do not begin with the year.

    Raises:
        ValueError: the text has the form of a period, but the period does not exist.
    """
    for pattern, build in _FORMS:
        if found := pattern.fullmatch(text):
            return build(*(part for part in found.groups() if part is not None))
    return _range(text, order)


def _month_after(year: int, month: int) -> date:
    return date(year + month // 12, month % 12 + 1, 1)


def _month(year: str, month: str) -> Period:
    return _parts_of_year(int(year), int(month), 1, "month")


def _named_month(name: str, year: str) -> Period:
    month = MONTHS.get(name.casefold())
    if month is None:
        raise ValueError(name)
    return _parts_of_year(int(year) % 2000 + 2000, month, 1, "month")


def _quarter(year: str, number: str) -> Period:
    return _parts_of_year(int(year), _ordinal(number), 3, "quarter")


def _quarter_first(number: str, year: str) -> Period:
    return _quarter(year, number)


def _half(year: str, number: str) -> Period:
    return _parts_of_year(int(year), _ordinal(number), 6, "half")


def _week(year: str, number: str) -> Period:
    first = date.fromisocalendar(int(year), int(number), 1)
    return Period(first, first + 7 * _DAY, "week")


def _year(year: str) -> Period:
    return _parts_of_year(int(year), 1, 12, "year")


def _span_of_months(year: str, first: str, last: str) -> Period:
    if int(first) > int(last):
        raise ValueError(last)
    return Period(date(int(year), int(first), 1), _month_after(int(year), int(last)), "range")


def _ordinal(text: str) -> int:
    return _NUMERALS.get(text) or int(text)


def _parts_of_year(year: int, number: int, months: int, unit: SpanUnit) -> Period:
    """Return part `number` of a year that is divided into parts of `months` months."""
    last = number * months
    if not months <= last <= 12:
        raise ValueError(number)
    return Period(date(year, last - months + 1, 1), _month_after(year, last), unit)


_FORMS: Final[tuple[tuple[re.Pattern[str], Callable[..., Period]], ...]] = tuple(
    (re.compile(pattern, re.IGNORECASE), build)
    for pattern, build in (
        (_MONTH.pattern, _month),
        (r"([a-z]{3})[a-z]*[-. ]+(\d{4}|\d{2})", _named_month),
        (r"(\d{4})\s*[年-]?\s*(?:Q([1-4])|第?([一二三四1-4])季度?)", _quarter),
        (r"Q([1-4])[- /]*(\d{4})", _quarter_first),
        (r"(\d{4})\s*[年-]?\s*(?:H([12])|([上下])半年)", _half),
        (r"(\d{4})\s*(?:-?W(\d{1,2})|年?\s*第?(\d{1,2})周)", _week),
        (r"(\d{4})\s*(?:年度?|全年|年全年)?", _year),
        (r"(\d{4})\s*年\s*(\d{1,2})\s*月?\s*[-~至到]\s*(\d{1,2})\s*月", _span_of_months),
    )
)


def _range(text: str, order: DateOrder | None) -> Period | None:
    """Return the period of two dates or months: 2024.1.1-2024.1.31, 2024-01 至 2024-03."""
    for left, right in _halves(text):
        first, last = _end(left, order), _end(right, order)
        if first is not None and last is not None:
            if last.until <= first.first:
                raise ValueError(text)
            return Period(first.first, last.until, "range")
    return None


def _halves(text: str) -> list[tuple[str, str]]:
    """Return the text before and after each sign that may separate two dates."""
    places = [found.span() for sign in (_RANGE, _HYPHEN) for found in sign.finditer(text)]
    return [(text[:start].strip(), text[end:].strip()) for start, end in places]


def _end(text: str, order: DateOrder | None) -> Period | None:
    if (day := parse_date(text, order)) is not None:
        return Period(day, day + _DAY, "day")
    month = _MONTH.fullmatch(text)
    return _month(*filter(None, month.groups())) if month else None
