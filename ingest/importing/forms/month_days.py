"""Read days that are only numbered: 1 to 31, with month and year beside them or above them. Pure.

Law: the month of a day is that of its row, otherwise of its sheet, otherwise of the titles; a day
whose month nothing says is refused.
"""

import re
from collections.abc import Sequence
from typing import Final

from ingest.importing.cells.date_text import plain_text
from ingest.importing.cells.period_text import parse_period

#: A month in a title or in the name of a sheet: 2025年1月, 2025-01, 1月.
_WITH_YEAR: Final = re.compile(r"(20\d\d)\s*[年./-]\s*(\d{1,2})(?!\d)")
_ALONE: Final = re.compile(r"(?<!\d)(\d{1,2})\s*月")
_DAY: Final = re.compile(r"(\d{1,2})\s*[日号]?")


def month_of_text(text: str, year: int | None) -> str:
    """Return the month that a title or the name of a sheet names, such as 2025-01; "" for none.

    Args:
        text: the text.
        year: year of a month without one.
    """
    plain = plain_text(text)
    if found := _WITH_YEAR.search(plain):
        return _month(found[1], found[2])
    try:
        period = parse_period(plain, None)
    except ValueError:
        period = None
    if period is not None and period.unit == "month":
        return f"{period.first:%Y-%m}"
    found = _ALONE.search(plain)
    return _month(str(year), found[1]) if found and year else ""


def months_of_sheets(sheets: Sequence[str], titles: Sequence[str], year: int | None) -> list[str]:
    """Return the month of each sheet; of a text file, that of its titles alone."""
    above = next(filter(None, (month_of_text(title, year) for title in titles)), "")
    return [month_of_text(sheet, year) or above for sheet in sheets] or [above]


def day_number(text: str) -> int | None:
    """Return the day of a text such as 5, 5日 or 5号; None for any other text."""
    found = _DAY.fullmatch(text.strip())
    return int(found[1]) if found and 1 <= int(found[1]) <= 31 else None


def _month(year: str, month: str) -> str:
    return f"{year}-{int(month):02}" if 1 <= int(month) <= 12 else ""
