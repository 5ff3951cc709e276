"""Which registers are searched for a number. Pure: ranges.

Law: no register that a model forbids is in what `allowed` leaves.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from edge_agent.commissioning.display_search import Function
from jieneng.metering.catalog.modbus_points import ModbusModel

_BLOCK: Final = 64  # registers: most devices give as many, and halves of it begin at even addresses


def near(model: ModbusModel, quantity: str, around: int) -> Iterator[tuple[Function, range]]:
    """Where a model has a quantity, and some registers on either side, by both functions."""
    for row in model.point:
        if row.quantity == quantity:
            span = range(max(row.first - around, 0), min(row.end + around, 65536))
            yield from everywhere(span)


def allowed(
    model: ModbusModel, ranges: Iterable[tuple[Function, range]]
) -> Iterator[tuple[Function, range]]:
    """The parts of some ranges that no request of this model is forbidden to touch."""
    for function, span in ranges:
        start = span.start
        for row in sorted(model.forbidden, key=lambda row: row.from_):
            if row.function == function and row.to >= start and row.from_ < span.stop:
                if row.from_ > start:
                    yield function, range(start, row.from_)
                start = row.to + 1
        if start < span.stop:
            yield function, range(start, span.stop)


def everywhere(span: range) -> Iterator[tuple[Function, range]]:
    """Some registers, by both functions."""
    functions: tuple[Function, ...] = (3, 4)
    return ((function, span) for function in functions)


def blocks(span: range) -> Iterator[range]:
    """Blocks that begin at multiples of the block, but for the first."""
    start = span.start
    while start < span.stop:
        stop = min((start // _BLOCK + 1) * _BLOCK, span.stop)
        yield range(start, stop)
        start = stop
