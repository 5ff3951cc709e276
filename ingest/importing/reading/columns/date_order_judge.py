"""Tell the order of day, month and year of a column from its dates. Pure.

A number from 13 to 31 is a day, and leaves one order. Dates with points have the day first.

Law: where several orders fit every date of the column, or none does, the order is not guessed but
asked for.
"""

from typing import Final, get_args

import msgspec

from ingest.importing.cells.cell import quoted
from ingest.importing.cells.date_text import ordered_date, plain_text, possible_orders, split_date
from ingest.importing.cells.notation import DateOrder
from jieneng.metering.errors import Msgid

_ORDERS: Final[frozenset[DateOrder]] = frozenset(get_args(DateOrder))


class OrderVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """Order of the dates of a column.

    Attributes:
        order: the order; None if it must be asked for, or no date needs one.
        example: a date of the column; "" without one.
        problem: msgid of the sentence that says why it must be asked for; None if it need not be.
        values: values of its placeholders, except `{column}`.
    """

    order: DateOrder | None
    example: str = ""
    problem: Msgid | None = None
    values: dict[str, object] = {}


class DateOrderJudge:
    """Collects what the dates of a column say of their order."""

    def __init__(self) -> None:
        self._possible = _ORDERS
        self._example = ""
        self._example_line = 0
        #: First date that does not fit an order, with its line.
        self._against: dict[DateOrder, tuple[int, str]] = {}

    @property
    def is_open(self) -> bool:
        """True if a date needs an order, and several fit."""
        return bool(self._example) and len(self._possible) > 1

    def add(self, line: int, text: str) -> None:
        """Add a cell's text."""
        ordered = ordered_date(split_date(plain_text(text))[0])
        possible = possible_orders(ordered) if ordered else frozenset[DateOrder]()
        if ordered and ordered.sign == "." and not ordered.short_year:
            possible &= {"dmy"}
        if not possible:  # no date, or no such day: read as a wrong cell
            return
        if not self._example:
            self._example_line, self._example = line, text
        for order in self._possible - possible:
            self._against[order] = (line, text)
        self._possible &= possible

    def verdict(self) -> OrderVerdict:
        """Return the order."""
        if not self._example:
            return OrderVerdict(order=None)
        if len(self._possible) == 1:
            (order,) = self._possible
            return OrderVerdict(order=order, example=self._example)
        if self._possible:
            return OrderVerdict(
                order=None,
                problem="column {column}: it can't be told which number of {cell} is the day, nor "
                "from any other date of the column.",
                values={"line": self._example_line, "cell": quoted(self._example)},
            )
        (line, text), (other_line, other) = sorted(set(self._against.values()))[:2]
        return OrderVerdict(
            order=None,
            problem="column {column}: {cell} and {other_cell} in line {other_line} have different "
            "orders of day and month.",
            values={
                "line": line,
                "cell": quoted(text),
                "other_line": other_line,
                "other_cell": quoted(other),
            },
        )
