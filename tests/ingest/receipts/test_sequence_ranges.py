"""Ranges hold the numbers that came in and no others, in bounded memory."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from ingest.receipts.sequence_ranges import MAX_RANGES, BootSequence, merge


@given(st.lists(st.lists(st.integers(1, 60))))
def test_ranges_hold_what_came_in_and_the_gaps_hold_the_rest(rounds: list[list[int]]) -> None:
    ranges: tuple[tuple[int, int], ...] = ()
    for numbers in rounds:
        ranges = merge(ranges, numbers)
    came = {number for numbers in rounds for number in numbers}
    sequence = BootSequence("a", "b", 0, ranges)
    assert {n for first, last in ranges for n in range(first, last + 1)} == came
    assert all(before[1] + 1 < after[0] for before, after in pairwise(ranges))
    missing = {n for first, last in sequence.gaps for n in range(first, last + 1)}
    assert missing == (set(range(min(came), max(came))) - came if came else set())
    assert sequence.missing == len(missing)


def test_beyond_the_limit_the_first_gaps_are_forgotten() -> None:
    ranges = merge((), range(2, 4 * MAX_RANGES, 2))
    assert len(ranges) == MAX_RANGES
    assert ranges[0][0] == 2
    assert ranges[-1] == (4 * MAX_RANGES - 2, 4 * MAX_RANGES - 2)
    assert merge(ranges, [2**53])[-1] == (2**53, 2**53)
