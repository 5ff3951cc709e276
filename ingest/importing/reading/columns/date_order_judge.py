"""Determine the order of day, month and year in a column from its dates. Pure.

A number from 13 to 31 must be a day; this leaves only one order. In dates with points, the day is
first.

Law: if several orders fit all dates of the column, or none does, the person is asked for the order.
"""

from typing import Final, get_args

import msgspec

from ingest.importing.cells.cell import quoted
from ingest.importing.cells.date_text import ordered_date, plain_text, possible_orders, split_date
from ingest.importing.cells.notation import DateOrder
from jieneng.metering.errors import Msgid

_ORDERS: Final[frozenset[DateOrder]] = frozenset(get_args(DateOrder))


class OrderVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """The order of the dates in a column.

    Attributes:
        order: the order; None if it is unknown, or if no date needs it.
        example: a date of the column; "" if there is none.
        problem: msgid of the question about the order; None if there is no question.
        values: values of the placeholders in `problem`, except `{column}`.
    """

    order: DateOrder | None
    example: str = ""
    problem: Msgid | None = None
    values: dict[str, object] = {}


class DateOrderJudge:
    """Determines the order of the dates in a column from the cells that are added."""

    def __init__(self) -> None:
        self._possible = _ORDERS
        self._example = ""
        self._example_line = 0
        #: First date that does not fit an order, with its line.
        self._against: dict[DateOrder, tuple[int, str]] = {}

    @property
    def is_open(self) -> bool:
        """True if the column has dates that need an order, and several orders fit so far."""
        return bool(self._example) and len(self._possible) > 1

    def add(self, line: int, text: str) -> None:
        """Add a cell's text."""
        ordered = ordered_date(split_date(plain_text(text))[0])
        possible = possible_orders(ordered) if ordered else frozenset[DateOrder]()
        if ordered and ordered.sign == "." and not ordered.short_year:
            possible &= {"dmy"}
        if not possible:  # the day does not exist; reported later as a wrong cell
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
                problem="column {column}: it is not clear which number in {cell} is the day, and"
                " no other date of the column shows it.",
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
