"""Add up the loads below a meter that has sub-meters. Pure.

Law: a sum adds up its parts in their order, the sums below it first. All shaped loads below it, at
any depth, are computed together; the result is the same to the last digit as one by one.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

import numpy as np

from simulators.load.load import CHUNK_CELLS, Load, LoadStack, Part, ShapedLoad, evaluate_in_chunks
from simulators.load.seeded_noise import Floats, Ints

_TABLE: Final = 2**22  # rows x moments of a table that is not too large

_Ask = Callable[[Load, Ints], Floats]


class SummedLoad:
    """The sum of at least one load."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self._parts = tuple(parts)
        self._tree: _Tree | None = None

    def parts(self) -> Sequence[Part]:
        """See `Load`."""
        return self._parts

    def consumption(self, t_ms: Ints) -> Floats:
        """See `Load`."""
        return self._added(lambda load, some: load.consumption(some), t_ms)

    def rate(self, t_ms: Ints) -> Floats:
        """See `Load`."""
        return self._added(lambda load, some: load.rate(some), t_ms)

    def _added(self, ask: _Ask, t_ms: Ints) -> Floats:
        if self._tree is None or self._tree.changed:
            self._tree = _Tree(self)
        tree = self._tree
        return evaluate_in_chunks(
            lambda some: tree.added(ask, some), t_ms, max(_TABLE // tree.rows, 1)
        )


class _Tree:
    """All loads below a sum, as a table: a row for each load, then a row for each sum.

    Attributes:
        rows: number of rows.
    """

    def __init__(self, top: SummedLoad) -> None:
        self._loads: list[Load] = []
        # Factor of each part, (parts, 1), and its row; the top is the last of all sums.
        self._sums: list[tuple[Floats, Ints]] = []
        self._looks: list[Callable[[], Sequence[Part]]] = []
        self._seen: list[Sequence[Part]] = []
        self._row(top)
        self.rows = len(self._loads) + len(self._sums)
        self._asked = list(_gathered(self._loads, CHUNK_CELLS))

    @property
    def changed(self) -> bool:
        """Return True if the parts of any load have changed since this table was built."""
        return [look() for look in self._looks] != self._seen

    def added(self, ask: _Ask, t_ms: Ints) -> Floats:
        """Return the sum of the answers of all loads, (moments,)."""
        flows = np.empty((self.rows, len(t_ms)))
        # For a single moment all loads at once; for a whole year a few loads at a time.
        most = max(CHUNK_CELLS // len(t_ms), 1)
        for rows, load in self._asked if self.rows <= most else _gathered(self._loads, most):
            flows[rows] = ask(load, t_ms)
        for number, (times, rows) in enumerate(self._sums):
            # Not `np.sum`: its order of addition for a single moment differs from that for many.
            flows[~number] = np.add.accumulate(times * flows[rows])[-1]
        return np.asarray(flows[len(self._loads)])  # the last sum stands right behind the loads

    def _row(self, load: Load) -> int:
        """Return the row of a load; rows of sums are negative, counted from the table's end."""
        parts = self._parts(load)
        if not parts:
            self._loads.append(load)
            return len(self._loads) - 1
        if len(parts) == 1 and parts[0].times == 1.0:
            return self._row(parts[0].load)
        rows = [self._row(part.load) for part in parts]
        times = np.asarray([part.times for part in parts])
        self._sums.append((times[:, np.newaxis], np.asarray(rows)))
        return ~(len(self._sums) - 1)

    def _parts(self, load: Load) -> Sequence[Part]:
        look = getattr(load, "parts", None)
        if look is None:
            return ()
        self._looks.append(look)
        self._seen.append(look())
        return self._seen[-1]


def _gathered(loads: Sequence[Load], most: int) -> Iterator[tuple[Ints, Load]]:
    """Yield the rows with the load to ask for them.

    Shaped loads of the same days are stacked, up to `most` at a time; other loads stand alone.
    """
    alike: dict[object, dict[int, ShapedLoad]] = {}
    for row, load in enumerate(loads):
        if isinstance(load, ShapedLoad):
            alike.setdefault(load.span, {})[row] = load
        else:
            yield np.asarray([row]), load
    for stack in alike.values():
        for at in range(0, len(stack), most):
            rows = list(stack)[at : at + most]
            yield np.asarray(rows), LoadStack([stack[row] for row in rows])
