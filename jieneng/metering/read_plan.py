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
from functools import cached_property
from math import lcm
from typing import Final

import msgspec

from jieneng.metering.catalog import BIT_FUNCTIONS, MOST_PACES, Model, PointRow
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

    Law: a quantity of `every` n is read in the polls whose number n divides, and quantities that
    are due together are planned together: a slow one rides along with a fast one's read.

    Attributes:
        plans: the reads by the `every` that are due, ascending; all that can come up.
    """

    def __init__(
        self,
        model: Model,
        ratios: Mapping[str, Fraction] | None = None,
        every: Mapping[str, int] | None = None,
    ) -> None:
        """Plan every poll that can come up.

        Args:
            model: where the quantities are, and how often each is asked for.
            ratios: `ct` and `pt` in force; 1 where missing.
            every: what goes before the model's `every`, by quantity.

        Raises:
            ValueError: more than `MOST_PACES` different `every`.
        """
        self._every: Final = {
            row.quantity: (every or {}).get(row.quantity, row.every) for row in model.point
        }
        if len(self.paces) > MOST_PACES:
            raise ValueError(f"{len(self.paces)} different every; at most {MOST_PACES} are planned")
        self.plans: Final[Mapping[tuple[int, ...], tuple[Read, ...]]] = {
            due: plan(model, ratios, [name for name, n in self._every.items() if n in due])
            for due in self._dues()
        }

    @cached_property
    def paces(self) -> tuple[int, ...]:
        """The different `every`, ascending."""
        return tuple(sorted(set(self._every.values())))

    def at(self, number: int) -> tuple[Read, ...]:
        """The reads of a poll; poll 0 reads everything."""
        return self.plans[self._due(number)]

    def _due(self, number: int) -> tuple[int, ...]:
        return tuple(n for n in self.paces if number % n == 0)

    def _dues(self) -> set[tuple[int, ...]]:
        """All that can be due at once: where some are, so is all that divides their multiple."""
        found = {self._due(1)}
        for pace in self.paces:
            found |= {self._due(lcm(pace, *due)) for due in found}
        return found
