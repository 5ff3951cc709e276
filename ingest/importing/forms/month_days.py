"""Read days that are written as numbers, 1 to 31, and find their month and year. Pure.

Law: the month of a day is taken from its row; if the row has none, from the name of the sheet; if
that has none, from the titles. If no month is found, the day is refused.
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
    """Return the month in a title or in the name of a sheet, such as 2025-01; "" if there is none.

    Args:
        text: the text.
        year: year of months without a year.
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
    """Return the month of each sheet; for a text file, the month in its titles."""
    above = next(filter(None, (month_of_text(title, year) for title in titles)), "")
    return [month_of_text(sheet, year) or above for sheet in sheets] or [above]


def day_number(text: str) -> int | None:
    """Return the day in a text such as 5, 5日 or 5号; None for any other text."""
    found = _DAY.fullmatch(text.strip())
    return int(found[1]) if found and 1 <= int(found[1]) <= 31 else None


def _month(year: str, month: str) -> str:
    return f"{year}-{int(month):02}" if 1 <= int(month) <= 12 else ""
