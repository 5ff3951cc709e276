"""Grammar of dates. Pure.

    2024-01-05   2024/1/5   2024.1.5   2024年1月5日   20240105   5-Jan-2024
    05/01/2024, 1/5/24: only if the order of day, month and year in the column is known

Law: the order of day and month is never guessed from a single date.
"""

import re
from datetime import date
from typing import Final, NamedTuple, get_args

from ingest.importing.cells.notation import DateOrder

#: Translation of full-width characters, and of variants of signs and spaces, to plain ASCII.
_PLAIN: Final = str.maketrans("０１２３４５６７８９：／．－　\u00a0\u202f", "0123456789:/.-   ")
_WEEKDAY: Final = re.compile(r"\s*[(（]?(?:星期|周|礼拜)[一二三四五六日天][)）]?\s*")
_YEAR_FIRST: Final = re.compile(
    r"(\d{4})(?:\s*年\s*(\d{1,2})\s*月\s*(\d{1,2})\s*[日号]?|([-/.])(\d{1,2})\4(\d{1,2}))"
)
_YEARLESS: Final = re.compile(r"(\d{1,2})\s*月\s*(\d{1,2})\s*[日号]")
_COMPACT: Final = re.compile(r"(\d{4})(\d{2})(\d{2})")
_ORDERED: Final = re.compile(r"(\d{1,2})([-/.])(\d{1,2})\2(\d{4}|\d{2})")
#: Numbers of the months by the first three letters of their English names.
MONTHS: Final = {
    name: number
    for number, name in enumerate(
        ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), 1
    )
}
_NAMED: Final = re.compile(
    r"(?P<day>\d{1,2})[-/ .](?P<month>[a-z]{3})[a-z]*\.?[-/ ,]+(?P<year>\d{4})"
    r"|(?P<month2>[a-z]{3})[a-z]*\.?[ ](?P<day2>\d{1,2}),?[ ]+(?P<year2>\d{4})",
    re.IGNORECASE,
)
#: For each order, the indexes of year, month and day among the three numbers.
_PLACES: Final[dict[DateOrder, tuple[int, int, int]]] = {
    "ymd": (0, 1, 2),
    "mdy": (2, 0, 1),
    "dmy": (2, 1, 0),
}
#: End of the date in a text with date and time of day.
_DATE_END: Final = re.compile(
    r"(?<=\d)T(?=\d)"
    r"|(?<=[日号])\s*(?=\S)"
    r"|\s+(?=\d{1,2}\s*(?:[:时点]|[ap]\.?m))"
    r"|(?<=\d)\s*(?=[上下中凌早晚清傍])"
    r"|\s+(?=[ap]\.?m)"
    r"|(?<=\d{8})\s+(?=\d{4}(?:\d{2})?$)"
    r"|(?<=^\d{8})(?=\d{4}(?:\d{2})?$)",
    re.IGNORECASE,
)


class OrderedDate(NamedTuple):
    """Three numbers of a date that does not begin with a year of four digits.

    Attributes:
        numbers: the numbers, in the order of the text.
        short_year: True if the year has two digits.
        sign: sign between the numbers.
    """

    numbers: tuple[int, int, int]
    short_year: bool
    sign: str


def plain_text(text: str) -> str:
    """Return a text in plain characters, without weekdays and surrounding spaces."""
    plain = text.translate(_PLAIN).strip()
    return _WEEKDAY.sub(" ", plain).strip() if "期" in plain or "周" in plain else plain


def split_date(text: str) -> tuple[str, str]:
    """Return (date, time of day) of a text in plain characters; "" for a missing part."""
    found = _DATE_END.search(text)
    return (text[: found.start()].strip(), text[found.end() :].strip()) if found else (text, "")


def parse_date(text: str, order: DateOrder | None, year: int | None = None) -> date | None:
    """Return the date in a text; None if it is not a date, or its order or year is unknown.

    Raises:
        ValueError: the text has the form of a date, but the day does not exist.
    """
    if found := _YEAR_FIRST.fullmatch(text) or _COMPACT.fullmatch(text):
        return date(*(int(part) for part in found.groups() if part and part.isdecimal()))
    if yearless := _YEARLESS.fullmatch(text):
        return date(year, *map(int, yearless.groups())) if year else None
    if ordered := ordered_date(text):
        return date_in_order(ordered, order) if order else None
    if named := _NAMED.fullmatch(text):
        parts = named.groupdict()
        month = MONTHS.get((parts["month"] or parts["month2"]).casefold())
        year, day = int(parts["year"] or parts["year2"]), int(parts["day"] or parts["day2"])
        return date(year, month, day) if month else None
    return None


def is_yearless(text: str) -> bool:
    """Return True for a date without a year: 1月5日."""
    return _YEARLESS.fullmatch(text) is not None


def ordered_date(text: str) -> OrderedDate | None:
    """Return the three numbers of a date that does not begin with the year; otherwise None."""
    found = _ORDERED.fullmatch(text)
    if found is None:
        return None
    first, sign, second, third = found.groups()
    return OrderedDate((int(first), int(second), int(third)), len(third) == 2, sign)


def date_in_order(ordered: OrderedDate, order: DateOrder) -> date:
    """Return the date that the three numbers mean in the given order.

    Raises:
        ValueError: the day does not exist.
    """
    year, month, day = (ordered.numbers[place] for place in _PLACES[order])
    if ordered.short_year:
        year += 2000
    return date(year, month, day)


def possible_orders(ordered: OrderedDate) -> frozenset[DateOrder]:
    """Return the orders in which the three numbers are an existing day."""
    found = set()
    for order in get_args(DateOrder):
        try:
            date_in_order(ordered, order)
        except ValueError:
            continue
        found.add(order)
    return frozenset(found)
