"""An outage behind the meters is no silence of meters or agents."""

import numpy as np
import pytest

from analytics.alerts.alert import SignalValues
from analytics.alerts.intake import GAP_S, HOLD_S, Intake, without_unknown_ages

MINUTE_S = 60.0


def reported(intake: Intake, start_s: float, minutes: int, clock_error_ms: int = 0) -> float:
    """Let the ingest report each minute; return the time of the last look."""
    now_s = start_s
    for _ in range(minutes):
        now_s += MINUTE_S
        intake.note(round(now_s * 1000) + clock_error_ms, now_s)
    return now_s


@pytest.mark.parametrize("clock_error_ms", [0, 86_400_000, -86_400_000])
def test_ages_are_known_while_reports_come_whatever_their_clock_says(clock_error_ms: int) -> None:
    intake = Intake()
    now_s = reported(intake, 1000.0, 4, clock_error_ms)
    assert intake.knows_ages(now_s)
    assert intake.knows_ages(now_s + GAP_S)
    assert not intake.knows_ages(now_s + GAP_S + 1)


def test_ages_are_known_again_some_time_after_the_ingest_is_back() -> None:
    intake = Intake()
    now_s = reported(intake, 1000.0, 5) + 3600
    intake.note(round(now_s * 1000), now_s)
    assert not intake.knows_ages(now_s)
    now_s = reported(intake, now_s, 2)
    assert intake.knows_ages(now_s)
    assert HOLD_S <= 2 * MINUTE_S


def test_one_old_report_that_is_found_at_the_start_says_nothing() -> None:
    """All services may just have been started together, and the agents not be back yet."""
    intake = Intake()
    intake.note(1000, 5.0)
    assert not intake.knows_ages(5.0)
    intake.note(1000, 65.0)
    assert not intake.knows_ages(65.0)
    intake.note(61_000, 125.0)
    assert not intake.knows_ages(125.0)
    now_s = reported(intake, 125.0, 2)
    assert intake.knows_ages(now_s)


def test_a_site_without_an_ingest_has_known_ages() -> None:
    """Its readings come in by import, or from a program of its own."""
    intake = Intake()
    intake.note(None, 5.0)
    assert intake.knows_ages(5.0)
    assert intake.knows_ages(1e6)


def values(*ages_s: float) -> SignalValues:
    subjects = tuple(f"m{number}" for number in range(len(ages_s)))
    return SignalValues(subjects, np.array([1000]), np.array([[age] for age in ages_s]))


def test_the_age_of_a_meter_counts_from_what_its_agent_has_sent() -> None:
    found = without_unknown_ages(
        "reading_age", values(4000.0, 4000.0, 10.0), knows_ages=True, backlog_s={"m0": 3600.0}
    )
    assert found.values.ravel().tolist() == [400.0, 4000.0, 10.0]
    found = without_unknown_ages(
        "reading_age", values(10.0), knows_ages=True, backlog_s={"m0": 3600.0}
    )
    assert found.values.ravel().tolist() == [0.0]


def test_ages_are_missing_while_they_are_unknown_and_other_signals_stay() -> None:
    for signal in ("reading_age", "agent_age"):
        found = without_unknown_ages(signal, values(10.0), knows_ages=False, backlog_s={})
        assert np.isnan(found.values).all()
    found = without_unknown_ages("quantity", values(10.0), knows_ages=False, backlog_s={})
    assert found.values.ravel().tolist() == [10.0]
