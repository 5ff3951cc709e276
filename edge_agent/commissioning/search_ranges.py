"""Choose the register addresses that are searched for a displayed number. Pure.

Law: the result of `without_forbidden` contains no address that the model forbids.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from edge_agent.commissioning.display_search import FunctionCode
from jieneng.metering.catalog.modbus_points import ModbusModel

# Most devices return this many registers in one reply, and halves of a block begin at even
# addresses.
_BLOCK_REGISTERS: Final = 64


def around_quantity(
    model: ModbusModel, quantity: str, margin: int
) -> Iterator[tuple[FunctionCode, range]]:
    """Yield the addresses around a model's quantity, for functions 3 and 4.

    Args:
        model: model that contains the quantity.
        quantity: name of the quantity.
        margin: number of addresses to search before it and after it.
    """
    for row in model.point:
        if row.quantity == quantity:
            yield from by_both_functions(
                range(max(row.first - margin, 0), min(row.end + margin, 65536))
            )


def without_forbidden(
    model: ModbusModel, ranges: Iterable[tuple[FunctionCode, range]]
) -> Iterator[tuple[FunctionCode, range]]:
    """Yield the parts of the ranges that the model does not forbid."""
    for function, addresses in ranges:
        start = addresses.start
        for row in sorted(model.forbidden, key=lambda row: row.from_):
            if row.function == function and row.to >= start and row.from_ < addresses.stop:
                if row.from_ > start:
                    yield function, range(start, row.from_)
                start = row.to + 1
        if start < addresses.stop:
            yield function, range(start, addresses.stop)


def by_both_functions(addresses: range) -> Iterator[tuple[FunctionCode, range]]:
    """Return the addresses for function 3 (holding) and function 4 (input registers)."""
    functions: tuple[FunctionCode, ...] = (3, 4)
    return ((function, addresses) for function in functions)


def split_into_blocks(addresses: range) -> Iterator[range]:
    """Yield the addresses in blocks; all but the first begin at a multiple of the block size."""
    start = addresses.start
    while start < addresses.stop:
        stop = min((start // _BLOCK_REGISTERS + 1) * _BLOCK_REGISTERS, addresses.stop)
        yield range(start, stop)
        start = stop
