"""The readings around an edge are found, however readings and edges lie."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from analytics.counters.intervals.edge_search import readings_around


@given(
    st.lists(st.integers(0, 5000), min_size=2, max_size=300),
    st.lists(st.integers(-500, 5500), min_size=1, max_size=100, unique=True),
)
def test_each_edge_is_at_its_reading_or_behind_it(times: list[int], edges: list[int]) -> None:
    read, at = np.sort(np.array(times)), np.sort(np.array(edges))
    before, start_ms, end_ms = readings_around(read, at)
    expected = (read.searchsorted(at, side="right") - 1).clip(0, len(read) - 2)
    assert before.tolist() == expected.tolist()
    assert start_ms.tolist() == read[expected].tolist()
    assert end_ms.tolist() == read[expected + 1].tolist()
