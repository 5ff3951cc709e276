"""Measured values and their changes: the worst of a step, held, and never from the future."""

import numpy as np
import pytest
from hypothesis import given as examples
from hypothesis import strategies as st

from analytics.alerts.signals.measured_values import quantity, rate
from tests.analytics.alerts.signals.flat_readings import NAN, given


def test_a_step_has_its_reading_and_contains_its_end_not_its_start() -> None:
    found = quantity(given({0: [(10.0, 1.0), (10.001, 2.0), (30.0, 3.0)]}, range(1, 4)))
    np.testing.assert_equal(found, [[1.0, 2.0, 3.0]])


@pytest.mark.parametrize(("is_above", "worst"), [(True, 7.0), (False, -2.0)])
def test_a_step_with_several_readings_has_the_worst(is_above: bool, worst: float) -> None:
    rows = {0: [(1.0, 3.0), (4.0, 7.0), (6.0, -2.0), (9.0, 1.0)]}
    found = quantity(given(rows, range(1, 2), is_above=is_above))
    np.testing.assert_equal(found, [[worst]])


def test_a_value_holds_for_two_and_a_half_intervals_and_is_unknown_then() -> None:
    """At 10 s, and 25 s later: the steps at 20 s and 30 s, and no longer the one at 40 s."""
    found = quantity(given({0: [(10.0, 5.0)], 1: [(40.0, 6.0)]}, range(1, 5)))
    np.testing.assert_equal(found, [[5.0, 5.0, 5.0, NAN], [NAN, NAN, NAN, 6.0]])


def test_a_reading_before_the_wanted_steps_holds_into_them() -> None:
    found = quantity(given({0: [(5.0, 1.0), (8.0, 4.0)]}, range(3, 5)))
    np.testing.assert_equal(found, [[4.0, NAN]])


def test_steps_between_the_wanted_ones_are_passed_over_by_their_last_reading() -> None:
    """The worst of a step stays in that step: of the steps up to 30 s, the last one counts."""
    sparse = given({0: [(10.0, 9.0), (20.0, 2.0), (21.0, 3.0)]}, range(0, 7, 3))
    np.testing.assert_equal(quantity(sparse), [[NAN, 3.0, NAN]])


@examples(
    st.lists(st.tuples(st.integers(1, 300), st.integers(-3, 3)), min_size=1, max_size=30),
    st.integers(1, 30),
)
def test_no_step_changes_by_a_reading_after_it(readings: list[tuple[int, int]], now: int) -> None:
    by_time = sorted({float(t): float(v) for t, v in readings}.items())
    past = [one for one in by_time if one[0] <= now * 10]
    all_steps = quantity(given({0: by_time}, range(now + 1)))
    known_then = quantity(given({0: past or [(0.0, NAN)]}, range(now + 1)))
    if past:
        np.testing.assert_equal(all_steps, known_then)
    else:
        assert np.isnan(all_steps).all()


def test_the_change_per_hour_is_taken_over_five_minutes() -> None:
    """From 20 to 22 degrees in 5 min: 24 an hour; the steps of 0.5 between are no 180 an hour."""
    readings = [(10.0 * i, 20.0 + 0.5 * (i % 2) + i / 15) for i in range(31)]
    found = rate(given({0: readings}, range(29, 31)))
    np.testing.assert_allclose(found, [[NAN, (readings[30][1] - 20.0) * 12]])


def test_the_change_of_a_meter_that_is_read_rarely_is_that_from_the_previous_reading() -> None:
    found = rate(
        given({0: [(900.0, 4.0), (1800.0, 6.0), (9000.0, 7.0)]}, range(90, 901, 90), hold_s=2250)
    )
    assert found[0, 1] == 8.0
    assert np.isnan(found[0, 9])  # two hours without a reading: too old to compare with


def test_a_counter_that_begins_anew_has_no_change() -> None:
    rows = {0: [(0.0, 99.0), (300.0, 100.0), (600.0, 1.0), (900.0, 2.0)]}
    with_counter = rate(given(rows, range(30, 91, 30), hold_s=25, is_counter=True))
    np.testing.assert_allclose(with_counter, [[12.0, NAN, 12.0]])
    as_gauge = rate(given(rows, range(30, 91, 30), hold_s=25))
    np.testing.assert_allclose(as_gauge, [[12.0, -1188.0, 12.0]])


def test_a_row_never_takes_the_readings_of_another() -> None:
    rows = {0: [(0.0, 1.0)], 1: [(300.0, 100.0)], 2: [(0.0, 5.0), (300.0, 6.0)]}
    found = rate(given(rows, range(30, 31)))
    np.testing.assert_allclose(found, [[NAN], [NAN], [12.0]])
