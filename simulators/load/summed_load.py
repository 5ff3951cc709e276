"""Add up the loads below a meter that has sub-meters. Pure.

Law: a sum adds up its parts in their order, the sums below it first. All shaped loads below it, at
any depth, are computed together. The result equals that of computing them one by one, to the last
digit.
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

#: Largest table, to limit the memory that it takes [rows x moments].
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
    """All loads below a sum, as a table: a row for each load, then a row for each sum.

    Attributes:
        rows: number of rows.
    """

    def __init__(self, total: SummedLoad) -> None:
        self._loads: list[Load] = []
        # Factor of each part, (parts, 1), and its row; the whole sum is the last one.
        self._sums: list[tuple[Floats, Ints]] = []
        self._part_getters: list[Callable[[], Sequence[LoadPart]]] = []
        self._parts_at_build: list[Sequence[LoadPart]] = []
        self._row_of(total)
        self.rows = len(self._loads) + len(self._sums)
        self._groups = list(_grouped(self._loads, CHUNK_CELLS))

    @property
    def changed(self) -> bool:
        """Return True if the parts of any load have changed since this table was built."""
        return [get_parts() for get_parts in self._part_getters] != self._parts_at_build

    def summed(self, evaluate: _Evaluate, t_ms: Ints) -> Floats:
        """Return the sum of the values of all loads, (moments,)."""
        rows_of_values = np.empty((self.rows, len(t_ms)))
        # For a single moment all loads at once; for a whole year a few loads at a time.
        max_loads = max(CHUNK_CELLS // len(t_ms), 1)
        all_at_once = self.rows <= max_loads
        for rows, load in self._groups if all_at_once else _grouped(self._loads, max_loads):
            rows_of_values[rows] = evaluate(load, t_ms)
        for number, (factors, rows) in enumerate(self._sums):
            # `np.sum` adds in another order for a single moment than for many.
            rows_of_values[~number] = np.add.accumulate(factors * rows_of_values[rows])[-1]
        # Sums are numbered from the table's end, so the last one stands right behind the loads.
        return np.asarray(rows_of_values[len(self._loads)])

    def _row_of(self, load: Load) -> int:
        """Return the row of a load; rows of sums are negative, counted from the table's end."""
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
    """Yield rows of the table, each group with the load that computes them.

    Shaped loads of the same days are stacked, up to `max_loads` at a time. Any other load is a
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
