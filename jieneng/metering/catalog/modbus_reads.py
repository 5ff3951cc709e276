"""Plan the fewest Modbus requests that read some points of a model. Pure.

Laws:

1. Every wanted value, with all registers that belong to it, lies in exactly one request. So no
   value is put together from two replies.
2. No request has more registers than the model's `max_registers`, crosses more than `max_gap`
   unwanted registers between two values, or touches a forbidden register.
3. A plan has as few requests as laws 1 and 2 allow. Of several such plans, it is the one with the
   fewest registers.

The search sorts the values by address, and tries every way to cut this list into runs, with one
request for each run. This finds the best plan although it ignores plans with interleaved requests,
in which a value of request A lies between two values of request B. Such a plan is never better:
either A's value also fits into B's range of addresses and can move to B, or the later of B's two
values lies within A's range and can move to A. Neither request grows by such a move.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Final

import msgspec

from jieneng.metering.catalog.modbus_points import BIT_FUNCTIONS, ModbusModel, PointRow
from jieneng.metering.registers import bit_decoder, decoder

_ONE: Final = Fraction(1)


class ModbusRead(msgspec.Struct, frozen=True):
    """A Modbus request and the quantities in its reply.

    Attributes:
        function: Modbus function, 1 to 4.
        address: address of the first register, coil or discrete input, 0-based.
        count: number of registers, coils or inputs.
        quantities: names of the quantities that the reply holds.
        decode: function from the reply's `size` data bytes to as many values, in canonical units.
    """

    function: int
    address: int
    count: int
    quantities: tuple[str, ...]
    decode: Callable[[bytes], tuple[float, ...]]

    @property
    def size(self) -> int:
        """Data bytes of the reply: two for a register, one for eight bits."""
        return (self.count + 7) // 8 if self.function in BIT_FUNCTIONS else 2 * self.count

    @property
    def addresses(self) -> str:
        """First and last address, for people."""
        return f"0x{self.address:04X}-0x{self.address + self.count - 1:04X}"

    @property
    def request_key(self) -> tuple[int, int, int]:
        """Key of the request; equal for equal requests, even with different transformer ratios."""
        return self.function, self.address, self.count

    @property
    def reply_shape(self) -> tuple[int, int]:
        """Function and length of the reply; a Modbus reply does not contain the addresses."""
        return self.function, self.size

    @property
    def log_fields(self) -> Mapping[str, object]:
        """Fields that name the request in a log line."""
        return {"function": self.function, "registers": self.addresses}


def plan(
    model: ModbusModel,
    ratios: Mapping[str, Fraction] | None = None,
    wanted: Collection[str] | None = None,
) -> tuple[ModbusRead, ...]:
    """Return the reads of some quantities of a model, by function and address.

    Args:
        model: the model, with the registers of its quantities.
        ratios: `ct` and `pt` in force; 1 if missing.
        wanted: names of the quantities to read; all quantities of the model if None.
    """
    rows = [row for row in model.point if wanted is None or row.quantity in wanted]
    rows.sort(key=lambda row: (row.function, row.first, row.end))
    ct, pt = ((ratios or {}).get(name, _ONE) for name in ("ct", "pt"))
    return tuple(_read(rows[begin:end], ct, pt) for begin, end in _runs(rows, model))


def _runs(rows: Sequence[PointRow], model: ModbusModel) -> Iterator[tuple[int, int]]:
    """Yield the best cut of sorted rows into runs, as (begin, end); found from the last row on."""
    best: list[tuple[int, int, int]] = [(0, 0, 0)]  # reads, registers, where the first one ends
    for begin in range(len(rows) - 1, -1, -1):
        best.insert(
            0,
            min(
                (1 + best[end - begin - 1][0], registers + best[end - begin - 1][1], end)
                for end, registers in _possible_runs(rows, begin, model)
            ),
        )
    begin = 0
    while begin < len(rows):
        end = best[begin][2]
        yield begin, end
        begin = end


def _possible_runs(
    rows: Sequence[PointRow], begin: int, model: ModbusModel
) -> Iterator[tuple[int, int]]:
    """Yield the end and the registers of each run from a row on that one read may cover."""
    first, function, end = rows[begin].first, rows[begin].function, rows[begin].first
    for number, row in enumerate(rows[begin:], begin + 1):
        gap = row.first - end
        end = max(end, row.end)
        if (
            row.function != function
            or gap > model.model.max_gap
            or end - first > model.model.max_registers
            or model.forbids(function, first, end)
        ):
            return
        yield number, end - first


def _read(rows: Sequence[PointRow], ct: Fraction, pt: Fraction) -> ModbusRead:
    function, start = rows[0].function, rows[0].first
    count = max(row.end for row in rows) - start
    if function in BIT_FUNCTIONS:
        decode = bit_decoder([row.address - start for row in rows])
    else:
        decode = decoder([row.field(start, ct, pt) for row in rows], count)
    return ModbusRead(function, start, count, tuple(row.quantity for row in rows), decode)
