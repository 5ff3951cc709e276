"""Determine the decimal sign of a column from its cells. Pure.

Often a single cell is enough: 1.081.234 has thousands separators, and 81.2 a decimal point. But
81.234 can mean two numbers. If all cells of a column are like this, these rules are used:

- A program that writes thousands separators writes numbers below 1000 without a separator. A
  program that writes three decimals writes them for every number.
- A program that writes decimal commas separates cells with semicolons; a program that separates
  cells with commas writes decimal points.
- If these rules give no result, a comma is a thousands separator, as usual in China (GB/T 15835).

Law: if the rules contradict each other, or give no result for a point, the person is asked.
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

#: Number of cells that is enough to apply the first rule if the delimiter suggests nothing.
_ENOUGH: Final = 3
_LIKE_THE_FILE: Final[Msgid] = (
    "column {column}: {cell} is read as {number}, like the other numbers in the file; with"
    " --decimal {other} it is read as {other_number}."
)
_THOUSANDS: Final[Msgid] = (
    "column {column}: {cell} is read as {number}, with a comma between thousands; with"
    " --decimal {other} it is read as {other_number}."
)


class Evidence(NamedTuple):
    """A cell that determines the decimal sign: its line and its text."""

    line: int
    text: str


class DecimalVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """The decimal sign of a column.

    Attributes:
        decimal: the sign; None if it is unknown, or if no cell has a separator.
        note: msgid of a note about the assumed sign; None if a cell determines it.
        problem: msgid of the question about the sign; None if there is no question.
        values: values of the placeholders in both, except `{column}`.
    """

    decimal: DecimalSign | None
    note: Msgid | None = None
    problem: Msgid | None = None
    values: dict[str, object] = {}


class DecimalJudge:
    """Determines the decimal sign of a column from the cells that are added."""

    def __init__(self) -> None:
        self._deciding: dict[DecimalSign, Evidence] = {}
        self._ambiguous: Counter[DecimalSign] = Counter()
        self._example = self._body = ""
        self._example_line = 0
        self._small_wholes = 0
        self._large_wholes = 0

    @property
    def is_decided(self) -> bool:
        """True if a cell determines the sign."""
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
            habit: sign that the file's delimiter or its other columns suggest; None if they don't.
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
            problem="column {column}: {cell} can mean {with_point} or {with_comma}, and no other"
            " cell shows which.",
            values=self._meanings(),
        )

    def _suggestions(self, habit: DecimalSign | None) -> set[DecimalSign]:
        """Return the signs that the rules suggest for a column of ambiguous cells."""
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
            problem="column {column}: {cell} has a decimal point, but {other_cell} in line"
            " {other_line} has a decimal comma.",
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
