"""Registers wanted -> the fewest reads that a device allows. Pure; made once, at start.

Laws:

1. Every wanted value lies whole in exactly one read, with all registers that belong to it, so it
   can't be torn between two replies.
2. No read has more registers than the device gives at once, crosses more unwanted ones between two
   values than it lets be read along, or touches a forbidden one.
3. There are as few reads as that allows, and among those plans as few registers.

Why the search is enough. It tries every way to cut the values, sorted by address, into runs. Runs
lose nothing: let a value lie between two values of another read. Either it ends within that read
and may move there, or the later of the two lies within it and may move to its read; no read grows.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Final

import msgspec

from jieneng.metering.catalog.meter_model import BIT_FUNCTIONS, Model, PointRow
from jieneng.metering.registers import bit_decoder, decoder

_ONE: Final = Fraction(1)


class Read(msgspec.Struct, frozen=True):
    """One request, and what its answer says.

    Attributes:
        function: Modbus function, 1 to 4.
        address: of the first register, coil or discrete input, 0-based.
        count: of those.
        quantities: what the answer holds.
        decode: the answer's `size` data bytes -> as many values, in canonical units.
    """

    function: int
    address: int
    count: int
    quantities: tuple[str, ...]
    decode: Callable[[bytes], tuple[float, ...]]

    @property
    def size(self) -> int:
        """Data bytes of the answer: two a register, one for eight bits."""
        return (self.count + 7) // 8 if self.function in BIT_FUNCTIONS else 2 * self.count


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
    rows.sort(key=lambda row: (row.function, row.first, row.end))
    ct, pt = ((ratios or {}).get(name, _ONE) for name in ("ct", "pt"))
    return tuple(_read(rows[begin:end], ct, pt) for begin, end in _runs(rows, model))


def _runs(rows: Sequence[PointRow], model: Model) -> Iterator[tuple[int, int]]:
    """The best cut of sorted rows into runs, found from the last row on."""
    best: list[tuple[int, int, int]] = [(0, 0, 0)]  # reads, registers, where the first one ends
    for begin in range(len(rows) - 1, -1, -1):
        best.insert(
            0,
            min(
                (1 + best[end - begin - 1][0], registers + best[end - begin - 1][1], end)
                for end, registers in _reach(rows, begin, model)
            ),
        )
    begin = 0
    while begin < len(rows):
        end = best[begin][2]
        yield begin, end
        begin = end


def _reach(rows: Sequence[PointRow], begin: int, model: Model) -> Iterator[tuple[int, int]]:
    """The runs that one read may be, from a row on: where each ends, and its registers."""
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


def _read(rows: Sequence[PointRow], ct: Fraction, pt: Fraction) -> Read:
    function, start = rows[0].function, rows[0].first
    count = max(row.end for row in rows) - start
    if function in BIT_FUNCTIONS:
        decode = bit_decoder([row.address - start for row in rows])
    else:
        decode = decoder([row.field(start, ct, pt) for row in rows], count)
    return Read(function, start, count, tuple(row.quantity for row in rows), decode)


class Rota:
    """What to read in which poll, where not every quantity is wanted in each.

    Law: polls have numbers, those of their intervals on the clock's face. A quantity of `every` n
    is due in the first poll of each n intervals that begin at a multiple of n. So a slow series
    lines up with the clock and with others, and what one poll did not get is due in the next.
    Quantities that are due together are planned together: a slow one rides along with a fast one's
    read.

    Attributes:
        paces: the different `every`, ascending.
    """

    def __init__(
        self,
        model: Model,
        ratios: Mapping[str, Fraction] | None = None,
        every: Mapping[str, int] | None = None,
    ) -> None:
        """Take what there is to read.

        Args:
            model: where the quantities are, and how often each is asked for.
            ratios: `ct` and `pt` in force; 1 where missing.
            every: what goes before the model's `every`, by quantity.
        """
        self._model = model
        self._ratios = ratios
        self._every: Final = paces(model, every)
        self._plans: dict[tuple[int, ...], tuple[Read, ...]] = {}
        self.paces: Final = tuple(sorted(set(self._every.values())))

    def due(self, number: int, last: int | None = None) -> tuple[int, ...]:
        """The paces that are due in a poll, given the last one that got them.

        Args:
            number: of the poll.
            last: of the last poll that got all that was due; everything is due where None.
        """
        if last is None or self.paces == (1,):
            return self.paces
        return tuple([n for n in self.paces if n == 1 or number // n != last // n])

    def reads(self, due: tuple[int, ...]) -> tuple[Read, ...]:
        """The reads of a poll in which these paces are due; planned once."""
        if due not in self._plans:
            wanted = [name for name, pace in self._every.items() if pace in due]
            self._plans[due] = plan(self._model, self._ratios, wanted)
        return self._plans[due]


def paces(model: Model, every: Mapping[str, int] | None = None) -> dict[str, int]:
    """Every so many polls each quantity is asked for; `every` goes before the model's."""
    return {row.quantity: (every or {}).get(row.quantity, row.every) for row in model.point}
