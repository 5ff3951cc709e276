"""Values of one series of a file, in columns with 33 bytes for each value.

Law: the values are in the order of the file until `sort` sorts them by time.
"""

from array import array
from collections.abc import Iterable, Sequence
from itertools import pairwise


class SeriesValues:
    """The values of one quantity of one meter.

    Attributes:
        times_ms: time of each value [UTC, ms].
        values: the values, in the canonical unit.
        lines: line of each value.
        lengths_ms: length of the interval of each value [ms]; 0 if it is unknown.
        estimated: 1 for each value that the file marks as estimated, otherwise 0.
        missing_ms: time of each cell that was empty or marked as missing [UTC, ms].
    """

    def __init__(self) -> None:
        self.times_ms = array("q")
        self.values = array("d")
        self.lines = array("q")
        self.lengths_ms = array("q")
        self.estimated = array("b")
        self.missing_ms = array("q")

    @property
    def missing(self) -> int:
        """Number of cells that were empty or marked as missing."""
        return len(self.missing_ms)

    def __len__(self) -> int:
        return len(self.times_ms)

    def add(
        self, line: int, time_ms: int, value: float, length_ms: int = 0, *, estimated: bool = False
    ) -> None:
        """Append a value."""
        self.times_ms.append(time_ms)
        self.values.append(value)
        self.lines.append(line)
        self.lengths_ms.append(length_ms)
        self.estimated.append(estimated)

    def sort(self) -> None:
        """Sort the values by time; values with the same time stay in the order of the file."""
        if any(later < earlier for earlier, later in pairwise(self.times_ms)):
            self._select(sorted(range(len(self)), key=self.times_ms.__getitem__))

    def leave_out(self, places: Iterable[int]) -> None:
        """Remove the values with the given indexes."""
        if dropped := set(places):
            self._select([place for place in range(len(self)) if place not in dropped])

    def _select(self, places: Sequence[int]) -> None:
        self.times_ms = array("q", map(self.times_ms.__getitem__, places))
        self.values = array("d", map(self.values.__getitem__, places))
        self.lines = array("q", map(self.lines.__getitem__, places))
        self.lengths_ms = array("q", map(self.lengths_ms.__getitem__, places))
        self.estimated = array("b", map(self.estimated.__getitem__, places))
