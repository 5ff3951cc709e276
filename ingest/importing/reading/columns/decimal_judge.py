"""Tell the decimal sign of a column from its cells. Pure.

One cell often decides: 1.081.234 has separators of thousands, 81.2 a decimal point. 81.234 can mean
two numbers. A column of such cells alone is judged by the habits of programs:

- A program that writes thousands apart writes numbers below 1000 without a separator. One that
  writes three decimals writes them behind every number.
- A program that writes decimal commas does not separate cells with commas, and the other way round:
  it separates them with semicolons.
- Where none of these says anything, a comma stands between thousands, as in China (GB/T 15835).

Law: where these don't agree, or say nothing of a point, the sign is not guessed but asked for.
"""

from collections import Counter
from typing import Final, NamedTuple

import msgspec

from ingest.importing.cells.cell import quoted
from ingest.importing.cells.notation import DecimalSign
from ingest.importing.cells.number_text import (
    decimal_signs,
    has_thousands,
    other_sign,
    parts_of_number,
    plain_digits,
)
from ingest.importing.cells.unit_words import is_unit
from jieneng.metering.errors import Msgid

#: Number of cells of each kind from which on the habits of programs decide without a delimiter.
_ENOUGH: Final = 3
_LIKE_THE_FILE: Final[Msgid] = (
    "column {column}: {cell} is read as {number}, as the rest of the file is written; "
    "--decimal {other} reads it as {other_number}."
)
_THOUSANDS: Final[Msgid] = (
    "column {column}: {cell} is read as {number}, with a comma between thousands; "
    "--decimal {other} reads it as {other_number}."
)


class Evidence(NamedTuple):
    """Cell that decides: its line and its text."""

    line: int
    text: str


class DecimalVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """Decimal sign of a column.

    Attributes:
        decimal: the sign; None if it must be asked for, or no cell has a separator.
        note: msgid of the sentence that says how it is assumed; None if a cell decides.
        problem: msgid of the sentence that says why it must be asked for; None if it need not be.
        values: values of the placeholders of both, except `{column}`.
    """

    decimal: DecimalSign | None
    note: Msgid | None = None
    problem: Msgid | None = None
    values: dict[str, object] = {}


class DecimalJudge:
    """Collects what the cells of a column say of its decimal sign."""

    def __init__(self) -> None:
        self._deciding: dict[DecimalSign, Evidence] = {}
        self._ambiguous: Counter[DecimalSign] = Counter()
        self._example = self._body = ""
        self._example_line = 0
        self._small_wholes = 0
        self._large_wholes = 0

    @property
    def is_decided(self) -> bool:
        """True if a cell decided."""
        return bool(self._deciding)

    def add(self, line: int, text: str) -> None:
        """Add a cell's text."""
        if text.isdecimal():
            self._add_whole(text)
            return
        parts = parts_of_number(text)
        if parts is None or (parts.unit and not is_unit(parts.unit)):
            return
        body = parts.body
        signs = decimal_signs(body)
        if len(signs) == 1 and ("." in body or "," in body):
            self._deciding.setdefault(signs[0], Evidence(line, text))
        elif plain_digits(body, ".") != plain_digits(body, ","):
            self._ambiguous["." if "." in body else ","] += 1
            if not self._example:
                self._example_line, self._example, self._body = line, text, body
        elif signs and not has_thousands(body):
            self._add_whole(body)

    def _add_whole(self, digits: str) -> None:
        value = int(digits)
        self._small_wholes += 0 < value < 1000
        self._large_wholes += value >= 1000

    def verdict(self, habit: DecimalSign | None) -> DecimalVerdict:
        """Return the decimal sign.

        Args:
            habit: sign that the file's delimiter, or its other columns, suggest; None without any.
        """
        if len(self._deciding) == 2:
            return self._contradiction()
        for decimal in self._deciding:
            return DecimalVerdict(decimal=decimal)
        if not self._ambiguous:
            return DecimalVerdict(decimal=None)
        suggested = self._suggestions(habit)
        if len(suggested) == 1:
            return self._assumed(suggested.pop())
        if not suggested and self._is_comma_alone():
            return self._assumed(".", _THOUSANDS)
        return DecimalVerdict(
            decimal=None,
            problem="column {column}: {cell} can mean {with_point} or {with_comma}, and no other "
            "cell decides.",
            values=self._meanings(),
        )

    def _suggestions(self, habit: DecimalSign | None) -> set[DecimalSign]:
        """Return the signs that habits suggest for a column of ambiguous cells."""
        if len(self._ambiguous) > 1:
            return set()
        ((sign, cells),) = self._ambiguous.items()
        found = {habit} if habit else set()
        wholes = self._large_wholes or self._small_wholes
        if wholes and (habit or min(wholes, cells) >= _ENOUGH):
            found.add(sign if self._large_wholes else other_sign(sign))
        return found

    def _is_comma_alone(self) -> bool:
        """Return True if all separators are commas."""
        return set(self._ambiguous) == {","}

    def _assumed(self, decimal: DecimalSign, note: Msgid = _LIKE_THE_FILE) -> DecimalVerdict:
        return DecimalVerdict(
            decimal=decimal,
            note=note,
            values={
                **self._meanings(),
                "number": plain_digits(self._body, decimal),
                "other": other_sign(decimal),
                "other_number": plain_digits(self._body, other_sign(decimal)),
            },
        )

    def _contradiction(self) -> DecimalVerdict:
        point, comma = self._deciding["."], self._deciding[","]
        return DecimalVerdict(
            decimal=None,
            problem="column {column}: {cell} has a decimal point, {other_cell} in line "
            "{other_line} a decimal comma.",
            values={
                "cell": quoted(point.text),
                "line": point.line,
                "other_cell": quoted(comma.text),
                "other_line": comma.line,
            },
        )

    def _meanings(self) -> dict[str, object]:
        return {
            "line": self._example_line,
            "cell": quoted(self._example),
            "with_point": plain_digits(self._body, "."),
            "with_comma": plain_digits(self._body, ","),
        }
