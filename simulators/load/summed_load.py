"""Add up the loads of the sub-meters below a meter. Pure.

For speed, all shaped loads below a sum, at any depth, are computed together in one table.

Law: the result has the same digits as if each load were computed alone, and the parts of each sum
were added up in their order, beginning with the innermost sums.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

import numpy as np

from simulators.load.load import (
    CHUNK_CELLS,
    Load,
    LoadPart,
    LoadStack,
    ShapedLoad,
    evaluate_in_chunks,
)
from simulators.load.seeded_noise import Floats, Ints

#: Largest size of a table, to limit its memory [rows x moments].
_MAX_CELLS: Final = 2**22

_Evaluate = Callable[[Load, Ints], Floats]


class SummedLoad:
    """The sum of at least one load."""

    def __init__(self, parts: Sequence[LoadPart]) -> None:
        self._parts = tuple(parts)
        self._load_table: _LoadTable | None = None

    def parts(self) -> Sequence[LoadPart]:
        """See `Load`."""
        return self._parts

    def consumption(self, t_ms: Ints) -> Floats:
        """See `Load`."""
        return self._summed(lambda load, moments: load.consumption(moments), t_ms)

    def rate(self, t_ms: Ints) -> Floats:
        """See `Load`."""
        return self._summed(lambda load, moments: load.rate(moments), t_ms)

    def _summed(self, evaluate: _Evaluate, t_ms: Ints) -> Floats:
        if self._load_table is None or self._load_table.changed:
            self._load_table = _LoadTable(self)
        load_table = self._load_table
        max_moments = max(_MAX_CELLS // load_table.rows, 1)
        return evaluate_in_chunks(
            lambda moments: load_table.summed(evaluate, moments), t_ms, max_moments
        )


class _LoadTable:
    """The values of all loads below a sum: first a row for each load, then a row for each sum.

    Attributes:
        rows: number of rows.
    """

    def __init__(self, total: SummedLoad) -> None:
        self._loads: list[Load] = []
        # For each sum: the factors of its parts, (parts, 1), and the rows of its parts. The last
        # sum is the whole.
        self._sums: list[tuple[Floats, Ints]] = []
        self._part_getters: list[Callable[[], Sequence[LoadPart]]] = []
        self._parts_at_build: list[Sequence[LoadPart]] = []
        self._row_of(total)
        self.rows = len(self._loads) + len(self._sums)
        self._groups = list(_grouped(self._loads, CHUNK_CELLS))

    @property
    def changed(self) -> bool:
        """True if the parts of any load have changed since this table was built."""
        return [get_parts() for get_parts in self._part_getters] != self._parts_at_build

    def summed(self, evaluate: _Evaluate, t_ms: Ints) -> Floats:
        """Return the sum of the values of all loads, (moments,)."""
        rows_of_values = np.empty((self.rows, len(t_ms)))
        # Compute all loads at once for a single moment, but only a few at a time for a whole year.
        max_loads = max(CHUNK_CELLS // len(t_ms), 1)
        all_at_once = self.rows <= max_loads
        for rows, load in self._groups if all_at_once else _grouped(self._loads, max_loads):
            rows_of_values[rows] = evaluate(load, t_ms)
        for number, (factors, rows) in enumerate(self._sums):
            # Not `np.sum`: its order of addition depends on the number of moments.
            rows_of_values[~number] = np.add.accumulate(factors * rows_of_values[rows])[-1]
        # Sums fill the table from its last row upwards, so the last sum follows the loads directly.
        return np.asarray(rows_of_values[len(self._loads)])

    def _row_of(self, load: Load) -> int:
        """Add a load to the table, and return its row; negative (from the end) for a sum."""
        parts = self._parts(load)
        if not parts:
            self._loads.append(load)
            return len(self._loads) - 1
        if len(parts) == 1 and parts[0].factor == 1.0:
            return self._row_of(parts[0].load)
        rows = [self._row_of(part.load) for part in parts]
        factors = np.asarray([part.factor for part in parts])
        self._sums.append((factors[:, np.newaxis], np.asarray(rows)))
        return ~(len(self._sums) - 1)

    def _parts(self, load: Load) -> Sequence[LoadPart]:
        get_parts = getattr(load, "parts", None)
        if get_parts is None:
            return ()
        self._part_getters.append(get_parts)
        self._parts_at_build.append(get_parts())
        return self._parts_at_build[-1]


def _grouped(loads: Sequence[Load], max_loads: int) -> Iterator[tuple[Ints, Load]]:
    """Yield groups of rows that are computed together, each with the load that computes them.

    Up to `max_loads` shaped loads with the same range of days are one group. Any other load is a
    group of its own.
    """
    by_days: dict[object, dict[int, ShapedLoad]] = {}
    for row, load in enumerate(loads):
        if isinstance(load, ShapedLoad):
            by_days.setdefault(load.day_range, {})[row] = load
        else:
            yield np.asarray([row]), load
    for shaped in by_days.values():
        for begin in range(0, len(shaped), max_loads):
            rows = list(shaped)[begin : begin + max_loads]
            yield np.asarray(rows), LoadStack([shaped[row] for row in rows])
