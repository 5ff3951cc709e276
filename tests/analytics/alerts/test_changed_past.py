"""Late data changes the past: episodes are confirmed, moved, ended, withdrawn or revealed."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
from msgspec.structs import replace

from analytics.alerts.alert import Alert, Evaluation, SignalValues
from analytics.alerts.alert_rule import AlertRule
from analytics.alerts.evaluation import advance

RULE = AlertRule(id="leak", signal="night_flow", above=1.0)
DAY_MS = 86_400_000
NAN = math.nan


def nights(*row: float, start: int = 0) -> SignalValues:
    """Return the values of the nights from `start` on."""
    times = DAY_MS * np.arange(start + 1, start + len(row) + 1, dtype=np.int64)
    return SignalValues(("w",), times, np.array([row], np.float64), is_replacement=True)


def known(*rows: Sequence[float]) -> tuple[dict[str, Alert], list[tuple[str, int, int]]]:
    """Return the alerts after several evaluations, and (end, since, ended) of the episodes."""
    states, episodes = dict[str, Alert](), list[tuple[str, int, int]]()
    for row in rows:
        result = advance(RULE, states, nights(*row))
        states = dict(result.alerts)
        episodes += found(result)
    return states, episodes


def found(result: Evaluation) -> list[tuple[str, int, int]]:
    """Return (end, since, ended) of the episodes, in days."""
    return [(one.end, one.since_ms // DAY_MS, one.ended_ms // DAY_MS) for one in result.episodes]


@pytest.mark.parametrize(
    ("rows", "phase", "since", "episodes"),
    [
        ([[0, 2], [0, 2, 2]], "firing", 2, []),
        ([[0, 2], [0, 2, 0]], "inactive", 0, [("recovered", 2, 3)]),
        ([[0, 2], [0, 0]], "inactive", 0, [("withdrawn", 2, 2)]),
        ([[0, 2], [0, NAN]], "firing", 2, []),
        ([[0, 2], [NAN, NAN]], "firing", 2, []),
        ([[0, 2, 2], [0, 0, 2]], "firing", 2, []),
        ([[0, 0, 2], [0, 2, 2]], "firing", 3, []),
        ([[0, 2, 2, 2], [0, 2, 0, 2]], "firing", 4, [("recovered", 2, 3)]),
        ([[0, 0, 0], [0, 2, 0]], "inactive", 0, [("recovered", 2, 3)]),
        ([[0, 0, 0], [0, 2, 0], [0, 2, 0, 0]], "inactive", 0, [("recovered", 2, 3)]),
        ([[0, 2], [0, 2, 0], [0, 2, 2, 0]], "inactive", 0, [("recovered", 2, 3)]),
        ([[0, 2], [0, 2, 0], [0, 2, 2, 2]], "firing", 3, [("recovered", 2, 3)]),
        ([[2, 0, 2]], "firing", 3, []),
    ],
    ids=[
        "confirmed",
        "ended",
        "withdrawn",
        "unknown is no reason to withdraw",
        "nothing is known",
        "later start",
        "earlier start",
        "a night without a leak within",
        "revealed",
        "revealed once",
        "the end moves after it was told",
        "it did not end after all",
        "before the first evaluation",
    ],
)
def test_the_past_is_compared_with_what_is_known(
    rows: list[list[float]], phase: str, since: int, episodes: list[tuple[str, int, int]]
) -> None:
    states, ended = known(*rows)
    assert (states["w"].phase, states["w"].since_ms // DAY_MS) == (phase, since)
    assert ended == episodes


def test_an_episode_that_began_before_the_window_goes_on() -> None:
    """The window slides on; the alert keeps its start, and its end is found."""
    states, _ = known([0, 2, 2, 2])
    after = advance(RULE, states, nights(2, 2, start=3))
    assert (after.alerts["w"].phase, after.alerts["w"].since_ms) == ("firing", 2 * DAY_MS)
    assert found(advance(RULE, after.alerts, nights(2, 0, start=4))) == [("recovered", 2, 6)]


def test_an_ended_episode_is_not_found_again_as_the_window_passes_it() -> None:
    states, ended = known([0, 2, 2, 0])
    assert not ended  # of a subject that was never evaluated before
    states, ended = known([0, 2], [0, 2, 2, 0])
    assert ended == [("recovered", 2, 4)]
    for start in (1, 2, 3):
        after = advance(RULE, states, nights(*[2, 2, 0][start - 1 :], start=start))
        assert not after.episodes


def test_the_time_in_which_the_service_was_down_is_made_up_for() -> None:
    """The store has no state of an alert that never fired; the time of the last round tells."""
    after = advance(RULE, {}, nights(2, 0, 0, 2, 0), since_ms=3 * DAY_MS)
    assert found(after) == [("recovered", 4, 5)]


def test_accounts_and_acknowledgements_stay() -> None:
    states, _ = known([0, 2])
    told = replace(states["w"], told="warning", fires=(2 * DAY_MS,), acknowledged_by="wang")
    after = advance(RULE, {"w": told}, nights(0, 3, 2)).alerts["w"]
    assert (after.told, after.fires, after.acknowledged_by) == ("warning", told.fires, "wang")
    assert after.peak == 3
