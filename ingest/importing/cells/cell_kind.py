"""Classify a cell by its form: number, time, time of day, period or text. Pure.

Law: a text that can be a number or a time without separators (20240105, 45296.5) counts as a number
here. The name of its column decides if it is a time.
"""

from datetime import date, time, timedelta
from functools import lru_cache
from typing import Final, Literal

from ingest.importing.cells.cell import Cell
from ingest.importing.cells.clock_text import parse_clock
from ingest.importing.cells.date_text import (
    is_yearless,
    ordered_date,
    parse_date,
    plain_text,
    split_date,
)
from ingest.importing.cells.number_text import decimal_signs, parts_of_number
from ingest.importing.cells.period_text import parse_period
from ingest.importing.cells.unit_words import is_unit

CellKind = Literal["nothing", "number", "time", "clock", "period", "text"]

#: Translation of all digits to 1. Texts with the same form then become equal, so that each form is
#: classified only once. 1, because it is valid at any place of a date or time.
_FORM: Final = str.maketrans("023456789", "111111111")


def cell_kind(cell: Cell) -> CellKind:
    """Return the kind of a cell."""
    if cell is None:
        return "nothing"
    if isinstance(cell, str):
        return _kind_of_form(cell.translate(_FORM)) if cell else "nothing"
    if isinstance(cell, date):
        return "time"
    if isinstance(cell, time | timedelta):
        return "clock"
    return "number" if isinstance(cell, int | float) else "text"


@lru_cache(maxsize=4096)
def _kind_of_form(form: str) -> CellKind:
    text = plain_text(form)
    if not text:
        return "nothing"
    parts = parts_of_number(text)
    if parts and decimal_signs(parts.body) and (not parts.unit or is_unit(parts.unit)):
        return "number"
    if not any(map(str.isdecimal, text)):
        return "text"
    date_text, clock_text = split_date(text)
    if _is_date(date_text) and (not clock_text or parse_clock(clock_text, compact=True)):
        return "time"
    if parse_clock(text):
        return "clock"
    return "period" if _is_period(text) else "text"


def _is_date(text: str) -> bool:
    try:
        return (
            parse_date(text, None) is not None
            or ordered_date(text) is not None
            or is_yearless(text)
        )
    except ValueError:
        return False


def _is_period(text: str) -> bool:
    try:
        return parse_period(text, "ymd") is not None
    except ValueError:
        return False
