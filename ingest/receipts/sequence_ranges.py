"""Merge sequence numbers into a limited number of ranges. Pure.

Laws:

- Ranges are closed, ascending, and do not touch each other.
- If there are too many ranges, the first ones are merged: their gaps are the oldest ones, which
  matter least.
"""

from collections.abc import Iterable, Sequence
from typing import Final, TypeAlias

import msgspec

#: First and last number of a range.
Range: TypeAlias = tuple[int, int]

#: Largest number of ranges kept for one run of an agent.
MAX_RANGES: Final = 200


class BootSequence(msgspec.Struct, frozen=True):
    """The sequence numbers of the batches received from one run of an agent.

    Attributes:
        agent: the agent.
        boot: id of the run.
        updated_ms: time at which the last of these batches was received, UTC.
        ranges: the sequence numbers.
    """

    agent: str
    boot: str
    updated_ms: int
    ranges: tuple[Range, ...]

    @property
    def gaps(self) -> tuple[Range, ...]:
        """The ranges of missing numbers between the received ones."""
        pairs = zip(self.ranges, self.ranges[1:], strict=False)
        return tuple((before[1] + 1, after[0] - 1) for before, after in pairs)

    @property
    def missing(self) -> int:
        """The number of missing sequence numbers."""
        return sum(last - first + 1 for first, last in self.gaps)


def merge(ranges: Sequence[Range], numbers: Iterable[int]) -> tuple[Range, ...]:
    """Return ranges with further numbers added to them."""
    merged: list[Range] = []
    for first, last in sorted([*ranges, *((number, number) for number in set(numbers))]):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    if len(merged) > MAX_RANGES:
        forgotten = merged[: len(merged) - MAX_RANGES + 1]
        merged[: len(forgotten)] = [(forgotten[0][0], forgotten[-1][1])]
    return tuple(merged)
