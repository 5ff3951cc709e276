"""Merge sequence numbers into ranges, of which a bounded number is kept. Pure.

Laws:

- Ranges are closed, ascending, and do not touch each other.
- Beyond the limit the first gaps are forgotten: old ones say least.
"""

from collections.abc import Iterable, Sequence
from typing import Final, TypeAlias

import msgspec

#: First and last number of a range.
Range: TypeAlias = tuple[int, int]

#: Ranges kept of one run of an agent.
MOST_RANGES: Final = 200


class BootSequence(msgspec.Struct, frozen=True):
    """The numbers of the batches of one run of an agent that came in.

    Attributes:
        agent: the agent.
        boot: the run.
        updated_ms: when the last of them came in, UTC.
        ranges: the numbers.
    """

    agent: str
    boot: str
    updated_ms: int
    ranges: tuple[Range, ...]

    @property
    def gaps(self) -> tuple[Range, ...]:
        """The missing ranges, between those that came in."""
        pairs = zip(self.ranges, self.ranges[1:], strict=False)
        return tuple((before[1] + 1, after[0] - 1) for before, after in pairs)

    @property
    def missing(self) -> int:
        """The count of numbers that are missing."""
        return sum(last - first + 1 for first, last in self.gaps)


def merge(ranges: Sequence[Range], numbers: Iterable[int]) -> tuple[Range, ...]:
    """Return the ranges that hold the given ones and these numbers."""
    merged: list[Range] = []
    for first, last in sorted([*ranges, *((number, number) for number in set(numbers))]):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    if len(merged) > MOST_RANGES:
        forgotten = merged[: len(merged) - MOST_RANGES + 1]
        merged[: len(forgotten)] = [(forgotten[0][0], forgotten[-1][1])]
    return tuple(merged)
