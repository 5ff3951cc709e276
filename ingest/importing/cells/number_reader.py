"""Read the numbers of a column by its notation. Pure.

Laws:

1. Empty cells, and cells with a text that the user has given, are missing values. Every other cell
   must be a number in the column's notation; otherwise it is an error.
2. The decimal sign of the column applies to all its cells: in a column with a decimal comma, 81.234
   means 81234.
"""

import math
from typing import Final

from ingest.importing.cells.cell import BadCell, Cell, check_holds_value, quoted
from ingest.importing.cells.notation import USUAL_NUMBERS, NumberNotation
from ingest.importing.cells.number_text import decimal_signs, parts_of_number, plain_digits
from ingest.importing.cells.unit_words import is_unit
from jieneng.metering.errors import Msgid

_NO_NUMBER_FIX: Final[Msgid] = (
    "Correct it, leave it empty, or state that it means a missing value: --missing={cell}"
)


class NumberReader:
    """Reads the values of a column.

    Args:
        missing: texts that mean a missing value. If a text is a number, all its spellings match:
            with "0", the cell 0.0 is also missing.
        notation: notation of the column.
    """

    def __init__(self, missing: tuple[str, ...], notation: NumberNotation = USUAL_NUMBERS) -> None:
        self._texts: Final = {"", *(text.strip() for text in missing)}
        self._numbers: Final = {float(text) for text in self._texts if _is_number(text)}
        self._notation: Final = notation

    def read(self, cell: Cell) -> float | None:
        """Return the number of a cell; None if it is missing.

        Raises:
            BadCell: the cell is not a number in the column's notation.
        """
        if cell is None or cell in self._texts:
            return None
        if isinstance(cell, str):
            number = self._plain(cell)
            if number is None:
                text = cell.strip()
                if text in self._texts:
                    return None
                number = self._of_text(text)
        else:
            number = _of_value(cell)
        return None if number in self._numbers else number

    def _plain(self, text: str) -> float | None:
        """Return a number that has no thousands separators and no unit; None for any other text.

        Most cells are such numbers, and `float` is much faster than parsing by a grammar.
        """
        if self._notation.unit or self._notation.decimal is None:
            return None
        if self._notation.decimal == ",":
            if "." in text:
                return None
            text = text.replace(",", ".")
        try:
            number = float(text)
        except ValueError:
            return None
        return number if math.isfinite(number) and "_" not in text else None

    def _of_text(self, text: str) -> float:
        parts = parts_of_number(text)
        signs = decimal_signs(parts.body) if parts else ()
        if (
            parts is None
            or not signs
            or not (parts.unit in ("", self._notation.unit) or is_unit(parts.unit))
        ):
            raise _not_a_number(text)
        decimal = self._notation.decimal or signs[0]
        if (
            self._notation.decimal is None
            and len({plain_digits(parts.body, sign) for sign in signs}) > 1
        ):
            raise _two_numbers(text, parts.body)
        if decimal not in signs:
            raise _other_notation(text, decimal)
        number = float(f"{plain_digits(parts.body, decimal)}{parts.exponent}")
        if not math.isfinite(number):
            raise _not_a_number(text)
        self._check_unit(text, parts.unit, number)
        return -number if parts.negative else number

    def _check_unit(self, text: str, unit: str, number: float) -> None:
        if unit == self._notation.unit or (not unit and number == 0):
            return
        if unit:
            raise BadCell(
                "column {column}: {cell} has the unit {unit}, unlike the cells before it.",
                "Write all numbers of the column in one unit.",
                cell=quoted(text),
                unit=unit,
            )
        raise BadCell(
            "column {column}: {cell} has no unit, but the other cells have {unit}.",
            "Write all numbers of the column in one unit.",
            cell=quoted(text),
            unit=self._notation.unit,
        )


def _of_value(cell: Cell) -> float:
    check_holds_value(cell)
    if isinstance(cell, int | float) and not isinstance(cell, bool) and math.isfinite(cell):
        return float(cell)
    raise _not_a_number(str(cell))


def _not_a_number(text: str) -> BadCell:
    return BadCell("column {column}: {cell} is not a number.", _NO_NUMBER_FIX, cell=quoted(text))


def _two_numbers(text: str, body: str) -> BadCell:
    return BadCell(
        "column {column}: {cell} can mean {with_point} or {with_comma}.",
        "State the decimal sign: --decimal . or --decimal ,",
        cell=quoted(text),
        with_point=plain_digits(body, "."),
        with_comma=plain_digits(body, ","),
    )


def _other_notation(text: str, decimal: str) -> BadCell:
    return BadCell(
        "column {column}: {cell} is not a number with a decimal {sign}, like the other cells"
        " of the column.",
        "Correct it, or state the decimal sign: --decimal . or --decimal ,",
        cell=quoted(text),
        sign=decimal,
    )


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False
