"""The days of a load are the running sum of its totals, whichever of them are asked for first."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from simulators.load.daily_totals import PAGE_DAYS, DailyTotals
from simulators.load.seeded_noise import Floats, uniform

DAYS = 9 * PAGE_DAYS + 20
LAST = 9
TOTALS = [100.0 * uniform(of, np.arange(DAYS)) for of in (1, 2)]
WOBBLE = 0.9 + 0.2 * uniform(3, np.arange(DAYS))


class Watched:
    """Totals that remember what was asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, int]] = []

    def __len__(self) -> int:
        return DAYS

    def __getitem__(self, days: slice) -> Floats:
        self.asked.append((days.start, days.stop))
        return TOTALS[0][days]


@given(st.lists(st.tuples(st.integers(0, LAST), st.integers(1, LAST)), min_size=1, max_size=12))
def test_pages_in_any_order_are_the_running_sum(asked: list[tuple[int, int]]) -> None:
    """Bit for bit."""
    tally = DailyTotals(TOTALS, WOBBLE)
    totals = np.stack(TOTALS) * WOBBLE
    before = np.concatenate([np.zeros((2, 1)), np.cumsum(totals, axis=1)[:, :-1]], axis=1)
    for begin, count in asked:
        pages = range(begin, min(begin + count, LAST + 1))
        table = tally.table(pages)
        days = slice(table.first_day, min(pages.stop * PAGE_DAYS, DAYS))
        assert (table.totals == totals[:, days]).all()
        assert (table.consumed_before == before[:, days]).all()


def test_who_reads_live_makes_a_page_once_and_goes_on_from_there() -> None:
    """Around the midnight between two pages both are needed, and neither is computed twice."""
    totals = Watched()
    tally = DailyTotals([totals])
    for pages in (range(6, 7), range(6, 7), range(6, 8), range(7, 8), range(6, 8), range(7, 8)):
        tally.table(pages)
    assert totals.asked == [(0, 7 * PAGE_DAYS), (6 * PAGE_DAYS, 8 * PAGE_DAYS)]


def test_a_table_keeps_nothing_alive_but_its_own_days() -> None:
    table = DailyTotals(TOTALS).table(range(8, 9))
    assert table.totals.base is None
    assert table.consumed_before.base is None
