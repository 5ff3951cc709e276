"""Rounds give what one evaluation gives: each reading once, in its subject's own time."""

import numpy as np
from hypothesis import given as examples
from hypothesis import strategies as st

from analytics.alerts.signals.sampling import Readings
from analytics.alerts.signals.signal_rounds import RoundValues, SignalRounds, SignalRows
from analytics.alerts.signals.signal_table import FUNCTIONS, SampledSignal
from tests.analytics.alerts.signals.flat_readings import NAN, flat

STEP_MS = 10_000
#: Values by subject and time.
Cells = dict[tuple[int, int], float]


def rounds(signal: str = "quantity", count: int = 2, **options: object) -> SignalRounds:
    row = FUNCTIONS[signal]
    assert isinstance(row, SampledSignal)
    rows = SignalRows(
        hold_ms=np.full(count, 25_000),
        subjects=np.arange(count),
        count=count,
        step_ms=STEP_MS,
    )
    return SignalRounds(row, rows, lambda times: np.ones(len(times), dtype=np.bool_), **options)  # type: ignore[arg-type]  # of the test


def cells(values: RoundValues | None, into: Cells) -> None:
    """Add the values to those before as `advance` takes them: a cell is never given twice."""
    assert values is not None
    for number, subject in enumerate(values.subjects.tolist()):
        for time_ms, value in zip(values.times_ms.tolist(), values.values[number], strict=True):
            if not np.isnan(value):
                assert (subject, time_ms) not in into
                into[subject, time_ms] = float(value)


def test_a_subject_is_evaluated_up_to_its_own_newest_reading() -> None:
    live = rounds()
    live.add(flat({0: [(10.0, 1.0), (30.0, 3.0)], 1: [(10.0, 7.0)]}))
    found = live.next_values(100)
    assert found is not None
    np.testing.assert_equal(found.times_ms, [10_000, 20_000, 30_000])
    np.testing.assert_equal(found.values, [[1.0, 1.0, 3.0], [7.0, NAN, NAN]])
    assert live.next_values(100) is None


def test_a_subject_without_new_readings_is_no_part_of_a_round() -> None:
    live = rounds()
    live.add(flat({0: [(10.0, 1.0)], 1: [(10.0, 7.0)]}))
    live.next_values(100)
    live.add(flat({1: [(20.0, 8.0)]}))
    found = live.next_values(100)
    assert found is not None
    np.testing.assert_equal(found.subjects, [1])
    np.testing.assert_equal(found.values, [[8.0]])


def test_a_silence_is_one_unknown_step_after_the_value_held() -> None:
    """Two years of silence are four steps: two that the value held, one unknown, the new one."""
    live = rounds(count=1)
    live.add(flat({0: [(10.0, 1.0)]}))
    live.next_values(100)
    live.add(flat({0: [(63_072_000.0, 5.0)]}))
    found = live.next_values(100)
    assert found is not None
    np.testing.assert_equal(found.times_ms, [20_000, 30_000, 40_000, 63_072_000_000])
    np.testing.assert_equal(found.values, [[1.0, 1.0, NAN, 5.0]])


def test_times_that_are_not_watched_are_a_gap_for_the_next_round() -> None:
    """A rule for the night: what was pending in the evening must not go on the next evening."""
    row = FUNCTIONS["quantity"]
    assert isinstance(row, SampledSignal)
    rows = SignalRows(
        hold_ms=np.full(1, 25_000), subjects=np.zeros(1, np.int64), count=1, step_ms=STEP_MS
    )
    live = SignalRounds(row, rows, lambda times: (times <= 20_000) | (times > 40_000))
    seen = []
    for time_s in (10.0, 20.0, 30.0, 40.0, 50.0):
        live.add(flat({0: [(time_s, time_s)]}))
        found = live.next_values(100)
        assert found is not None
        seen.append(dict(zip(found.times_ms.tolist(), found.values[0].tolist(), strict=True)))
    np.testing.assert_equal(
        seen,
        [
            {10_000: 10.0},
            {20_000: 20.0},
            {30_000: NAN},
            {30_000: NAN, 40_000: NAN},
            {40_000: NAN, 50_000: 50.0},
        ],
    )


def test_a_reading_that_comes_in_for_an_evaluated_step_counts_for_the_next_one() -> None:
    live = rounds(count=1)
    live.add(flat({0: [(10.1, 1.0)]}))
    live.next_values(100)
    live.add(flat({0: [(19.9, 9.0)]}))
    found = live.next_values(100)
    assert found is not None
    np.testing.assert_equal(found.times_ms, [30_000])
    np.testing.assert_equal(found.values, [[9.0]])


def test_what_was_seen_before_a_restart_is_not_evaluated_again() -> None:
    live = rounds(count=2, seen_ms=np.array([20_000, 0]))
    live.add(flat({0: [(10.0, 1.0), (20.0, 2.0)], 1: [(20.0, 3.0)]}))
    found: Cells = {}
    cells(live.next_values(100), found)
    assert found == {(0, 30_000): 2.0, (1, 20_000): 3.0}


def test_a_long_backlog_is_divided_and_nothing_of_it_is_lost() -> None:
    live = rounds(count=2)
    backlog = [(10.0 * i, float(i)) for i in range(1, 101)]
    live.add(flat({0: backlog, 1: [(1000.0, 7.0)]}))
    found: Cells = {}
    calls = 0
    while (values := live.next_values(30)) is not None:
        assert len(values.times_ms) <= 30
        cells(values, found)
        calls += 1
    assert calls == 4
    assert not live.is_behind
    assert found == {(0, 10_000 * i): float(i) for i in range(1, 101)} | {(1, 1_000_000): 7.0}


STREAM = st.lists(
    st.tuples(st.integers(0, 2), st.integers(1, 40), st.integers(0, 9)), min_size=1, max_size=60
)


@examples(STREAM, st.sampled_from(["quantity", "rate"]), st.integers(1, 5), st.data())
def test_rounds_give_what_one_evaluation_gives(
    stream: list[tuple[int, int, int]], signal: str, max_steps: int, data: st.DataObject
) -> None:
    """Readings of three subjects with gaps, divided anyhow: each subject's come in by time."""
    by_row = {
        row: sorted({10.0 * t: float(v) for r, t, v in stream if r == row}.items())
        for row in range(3)
    }
    rows = {row: readings for row, readings in by_row.items() if readings}
    whole: Cells = {}
    at_once = rounds(signal, count=3)
    at_once.add(flat(rows))
    cells(at_once.next_values(10_000), whole)
    divided: Cells = {}
    live = rounds(signal, count=3)
    waiting: list[Readings] = [flat({row: readings}) for row, readings in rows.items()]
    while waiting:
        which = data.draw(st.integers(0, len(waiting) - 1))
        count = data.draw(st.integers(1, len(waiting[which].rows)))
        part = waiting.pop(which)
        live.add(part.chosen(np.arange(count)))
        if count < len(part.rows):
            waiting.append(part.chosen(np.arange(count, len(part.rows))))
        while (values := live.next_values(max_steps)) is not None:
            cells(values, divided)
    assert divided == whole
