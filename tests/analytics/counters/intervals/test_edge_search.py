"""The readings around an edge are found, however readings and edges lie."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from analytics.counters.intervals.edge_search import readings_around


def assert_found(times: NDArray[np.int64], edges: NDArray[np.int64]) -> None:
    before, start_ms, end_ms = readings_around(times, edges)
    expected = (times.searchsorted(edges, side="right") - 1).clip(0, len(times) - 2)
    assert before.tolist() == expected.tolist()
    assert start_ms.tolist() == times[expected].tolist()
    assert end_ms.tolist() == times[expected + 1].tolist()


@given(
    st.lists(st.integers(0, 5000), min_size=2, max_size=300),
    st.lists(st.integers(-500, 5500), min_size=1, max_size=100, unique=True),
)
def test_each_edge_is_at_its_reading_or_behind_it(times: list[int], edges: list[int]) -> None:
    assert_found(np.sort(np.array(times)), np.sort(np.array(edges)))


@given(
    st.integers(1, 9),
    st.integers(1, 30),
    st.integers(-3000, 3000),
    st.lists(st.integers(0, 1999), max_size=8),
)
def test_gaps_between_regular_readings(
    each: int, edge_each: int, first: int, gaps: list[int]
) -> None:
    times = np.arange(0, 2000 * each, each)
    missing = [number for begin in gaps for number in range(begin, min(begin + 9 * each, 1990))]
    assert_found(np.delete(times, missing), first + np.arange(0, 2000 * each, edge_each))
