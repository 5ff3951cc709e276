"""Registers wanted -> the fewest reads that a device allows. Pure; made once, at start.

Law: every wanted value lies whole in exactly one read, so it can't be torn between two replies.
"""

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction

import msgspec

from jieneng.metering.catalog import Model, PointRow
from jieneng.metering.registers import Field, decoder


class Read(msgspec.Struct, frozen=True):
    """One request, and what its answer says.

    Attributes:
        function: Modbus function, 3 or 4.
        address: first register, 0-based.
        count: registers.
        quantities: what the answer holds.
        decode: the answer's `2 * count` data bytes -> as many values, in canonical units.
    """

    function: int
    address: int
    count: int
    quantities: tuple[str, ...]
    decode: Callable[[bytes], tuple[float, ...]]


def plan(
    model: Model,
    ratios: Mapping[str, Fraction] | None = None,
    wanted: Sequence[str] | None = None,
) -> tuple[Read, ...]:
    """The reads of one poll of one meter, by function and address.

    Args:
        model: where the quantities are.
        ratios: `ct` and `pt` in force; 1 where missing.
        wanted: the quantities to read; all that the model has where None.
    """
    rows = [row for row in model.point if wanted is None or row.quantity in wanted]
    rows.sort(key=lambda row: (row.function, row.address, row.words))
    ct, pt = ((ratios or {}).get(name, Fraction(1)) for name in ("ct", "pt"))
    return tuple(
        _read(group, ct, pt)
        for group in _groups(rows, model.model.max_registers, model.model.max_gap)
    )


def _groups(rows: Sequence[PointRow], max_registers: int, max_gap: int) -> list[list[PointRow]]:
    """Greedy from the lowest address: each read starts as late as it may, so none can be spared."""
    groups: list[list[PointRow]] = []
    end = 0
    for row in rows:
        group = groups[-1] if groups else None
        row_end = row.address + row.words
        if (
            group
            and row.function == group[0].function
            and row.address - end <= max_gap
            and max(end, row_end) - group[0].address <= max_registers
        ):
            group.append(row)
            end = max(end, row_end)
        else:
            groups.append([row])
            end = row_end
    return groups


def _read(rows: Sequence[PointRow], ct: Fraction, pt: Fraction) -> Read:
    start = rows[0].address
    count = max(row.address + row.words for row in rows) - start
    fields = [
        Field(row.address - start, row.type, row.byte_order, row.canonical_scale(ct, pt))
        for row in rows
    ]
    return Read(
        function=rows[0].function,
        address=start,
        count=count,
        quantities=tuple(row.quantity for row in rows),
        decode=decoder(fields, count),
    )
