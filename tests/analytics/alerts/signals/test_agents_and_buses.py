"""Signals about the collection itself: failed polls, silence, ledgers and statuses of agents."""

import numpy as np
import pytest

from analytics.alerts.signals.agent_states import clock_untrusted, ledger_gap
from analytics.alerts.signals.poll_failures import failed_polls
from analytics.alerts.signals.silence import age_s
from tests.analytics.alerts.signals.flat_readings import NAN, given

#: Polls of a meter every 10 s from 10 s to 300 s that are all answered.
ANSWERED = [(10.0 * i, 1.0) for i in range(1, 31)]


def test_the_share_of_failed_polls_is_that_of_all_meters_of_a_bus() -> None:
    """At 300 s one of two meters has failed for 60 s of 290 s: 60 / 580; the other bus never."""
    failing = [(t, 0.0 if 240 < t <= 300 else 1.0) for t, _ in ANSWERED] + [(310.0, 0.0)]
    rows = {0: ANSWERED, 1: failing, 2: ANSWERED}
    found = failed_polls(given(rows, range(30, 31), hold_s=600, subjects=[0, 0, 1]))
    np.testing.assert_allclose(found, [[100 * 50 / 580], [0.0]])


def test_a_poll_counts_until_the_next_one_so_that_pauses_hide_no_failure() -> None:
    """A meter stops answering at 300 s; it is polled after 10, 20, 40, 80 and 160 s only."""
    failures = [(300.0 + wait, 0.0) for wait in (10.0, 30.0, 70.0, 150.0, 310.0)]
    found = failed_polls(given({0: ANSWERED + failures}, range(46, 77, 15), hold_s=600))
    np.testing.assert_allclose(found, [[50.0, 100.0, 100.0]])


def test_a_bus_that_is_not_polled_is_unknown_and_not_well() -> None:
    """The poll at 10 s counts until 610 s, and the span of the step at 910 s begins there."""
    polls = given({0: [(10.0, 1.0)]}, range(90, 93), hold_s=600)
    np.testing.assert_equal(failed_polls(polls), [[0.0, NAN, NAN]])


def test_ages_count_from_the_last_message_or_from_when_one_was_expected() -> None:
    newest = np.array([[10_000, 10_000], [0, 0], [0, 0], [30_000, 30_000]])
    ages = age_s(newest, np.array([0, 5_000, 0, 0]), np.array([20_000, 25_500]))
    np.testing.assert_equal(ages, [[10.0, 15.5], [15.0, 20.5], [NAN, NAN], [0.0, 0.0]])


def test_nothing_is_missing_before_a_message_is_expected() -> None:
    ages = age_s(np.zeros((1, 2), np.int64), np.array([50_000]), np.array([20_000, 60_000]))
    np.testing.assert_equal(ages, [[NAN, 10.0]])


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ((100.0, 90.0, 4.0, 6.0, 0.0), 0.0),
        ((100.0, 90.0, 4.0, 3.0, 0.0), 3.0),
        ((100.0, 95.0, 4.0, 3.0, 0.0), 2.0),
    ],
)
def test_a_ledger_misses_what_is_neither_kept_nor_dropped(
    counts: tuple[float, ...], expected: float
) -> None:
    found = ledger_gap(given({0: [(10.0, *counts)]}, range(1, 2)))
    np.testing.assert_equal(found, [[expected]])


def test_dropped_samples_are_missing_for_an_hour() -> None:
    """Five were dropped long ago, and three more between 3600 s and 3610 s."""
    times = [float(t) for t in range(0, 7300, 10)]
    dropped = [5.0 if t <= 3600 else 8.0 for t in times]
    rows = {0: [(t, 50.0 + d, 50.0, 0.0, 0.0, d) for t, d in zip(times, dropped, strict=True)]}
    found = ledger_gap(given(rows, range(360, 722)))
    np.testing.assert_equal(found, [[0.0] + [3.0] * 360 + [0.0]])


def test_a_spool_that_was_created_anew_has_dropped_what_it_says() -> None:
    rows = {0: [(10.0, 100.0, 93.0, 0.0, 0.0, 7.0), (20.0, 4.0, 2.0, 0.0, 0.0, 2.0)]}
    np.testing.assert_equal(ledger_gap(given(rows, range(1, 3))), [[0.0, 2.0]])


def test_a_clock_is_untrusted_while_it_is_not_ok() -> None:
    found = clock_untrusted(given({0: [(10.0, 1.0), (20.0, 0.0)]}, range(1, 3)))
    np.testing.assert_equal(found, [[0.0, 1.0]])
