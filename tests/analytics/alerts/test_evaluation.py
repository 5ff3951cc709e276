"""Alerts fire, hold and recover as their rule says, however the series is cut into calls."""

import math
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.alerts.alert import Alert, Evaluation, SignalValues
from analytics.alerts.alert_rule import AlertRule
from analytics.alerts.evaluation import advance

STEP_MS = 10_000
START_MS = 1_767_225_600_000
NAN = math.nan


def a_rule(**keys: Any) -> AlertRule:
    """Return a rule for the signal `quantity`, above 5 unless the keys say otherwise."""
    return msgspec.convert({"id": "power", "signal": "quantity", "above": 5} | keys, AlertRule)


def steps(*rows: Sequence[float], start: int = 0) -> SignalValues:
    """Return the values of the subjects `m0`, `m1` ... from the step `start` on."""
    times = START_MS + STEP_MS * np.arange(start, start + len(rows[0]), dtype=np.int64)
    return SignalValues(
        tuple(f"m{row}" for row in range(len(rows))), times, np.array(rows, np.float64)
    )


def at(step: int) -> int:
    """Return the time of a step."""
    return START_MS + STEP_MS * step


def phases(rule: AlertRule, row: Sequence[float]) -> str:
    """Return the phases of one subject after each step, by their first letters."""
    letters, states = "", dict[str, Alert]()
    for step, value in enumerate(row):
        states = dict(advance(rule, states, steps([value], start=step)).alerts)
        letters += states["m0"].phase[0]
    return letters


@pytest.mark.parametrize(
    ("keys", "row", "expected"),
    [
        ({}, [5, 5.1, 5, 4], "ifii"),
        ({"for_s": 20}, [6, 6, 6, 6], "ppff"),
        ({"for_s": 20}, [6, 6, 5, 6, 6, 6], "ppippf"),
        ({"for_s": 20}, [6, 6, NAN, 6, 6, 6], "pppppf"),
        ({"clear": 4}, [6, 4.5, 5, 4.1, 4, 4.5], "ffffii"),
        ({"keep_firing_for_s": 20}, [6, 4, 4, 4, 4], "fffii"),
        ({"keep_firing_for_s": 20}, [6, 4, 4, 6, 4, 4, 4], "ffffffi"),
        ({"keep_firing_for_s": 20}, [6, 4, 4, NAN, 4, 4, 4], "ffffffi"),
        ({}, [NAN, 6, NAN, NAN, 6, 4], "iffffi"),
        ({"above": None, "below": 5}, [5, 4.9, 5], "ifi"),
        ({"above": None, "below": 5, "clear": 6}, [4, 5.5, 6], "ffi"),
    ],
)
def test_phases(keys: dict[str, Any], row: list[float], expected: str) -> None:
    assert phases(a_rule(**keys), row) == expected


def test_an_alert_tells_when_it_began_and_how_bad_it_was() -> None:
    alert = advance(a_rule(for_s=20), {}, steps([1, 6, 9, 7, 6.5])).alerts["m0"]
    assert (alert.since_ms, alert.fired_ms) == (at(1), at(3))
    assert (alert.peak, alert.value, alert.limit) == (9, 6.5, 5)


def test_an_episode_within_one_call_is_not_lost() -> None:
    """Backlog after an outage comes in one call."""
    result = advance(a_rule(for_s=10), {}, steps([1, 6, 8, 1, 1, 7, 7, 1, 6]))
    assert [(e.since_ms, e.fired_ms, e.ended_ms, e.peak) for e in result.episodes] == [
        (at(1), at(2), at(3), 8),
        (at(5), at(6), at(7), 7),
    ]
    assert result.alerts["m0"].phase == "pending"
    assert result.alerts["m0"].ended_ms == at(7)


def test_a_step_is_evaluated_once() -> None:
    rule = a_rule()
    first = advance(rule, {}, steps([6, 1]))
    again = advance(rule, first.alerts, steps([6, 1]))
    assert again == Evaluation(first.alerts, ())


def test_backlog_replaces_what_was_missing() -> None:
    """Steps without a value are not consumed: the run goes on through the late readings."""
    rule = a_rule(for_s=40)
    states = advance(rule, {}, steps([6, 6, NAN, NAN])).alerts
    late = advance(rule, states, steps([6, 6], start=2)).alerts
    alert = advance(rule, late, steps([6], start=4)).alerts["m0"]
    assert (alert.phase, alert.since_ms) == ("firing", at(0))


def test_a_gap_at_the_end_of_a_call_starts_the_time_anew() -> None:
    rule = a_rule(for_s=40)
    states = advance(rule, {}, steps([6, 6, NAN, NAN])).alerts
    alert = advance(rule, states, steps([6, 6], start=4)).alerts["m0"]
    assert (alert.phase, alert.since_ms) == ("pending", at(4))


def test_a_changed_limit_starts_a_pending_alert_anew_and_keeps_a_firing_one() -> None:
    states = advance(a_rule(for_s=20), {}, steps([6, 6, 6], [6, 6, 1])).alerts
    states = {**states, **advance(a_rule(for_s=20), states, steps([7], [7], start=3)).alerts}
    alerts = advance(a_rule(above=6.5, for_s=20), states, steps([6.6], [7], start=4)).alerts
    assert [alert.phase for alert in alerts.values()] == ["firing", "pending"]
    assert [alert.since_ms for alert in alerts.values()] == [at(0), at(4)]
    assert {alert.limit for alert in alerts.values()} == {6.5}


def test_a_subject_without_values_keeps_its_alert() -> None:
    states = advance(a_rule(), {}, steps([6], [6])).alerts
    alerts = advance(a_rule(severity="critical"), states, steps([1], start=1)).alerts
    assert (alerts["m0"].phase, alerts["m1"].phase) == ("inactive", "firing")
    assert alerts["m1"].severity == "critical"


def test_a_rule_that_watches_another_signal_goes_on_with_its_alert() -> None:
    """The new signal decides when the alert recovers."""
    states = advance(a_rule(), {}, steps([6])).alerts
    changed = a_rule(signal="rate", above=100)
    alert = advance(changed, states, steps([50], start=1)).alerts["m0"]
    assert (alert.signal, alert.phase, alert.ended_ms) == ("rate", "inactive", at(1))


def stepwise(rule: AlertRule, row: Sequence[float]) -> list[str]:
    """Return the phases by the plainest state machine: a value at a time."""
    letters, firing, beyond_steps, back_steps = [], False, 0, 0
    for value in row:
        beyond = value > rule.limit
        back = value <= rule.clear_limit
        beyond_steps, back_steps = (beyond_steps + 1) * beyond, (back_steps + 1) * back
        if beyond and (beyond_steps - 1) * STEP_MS >= rule.for_s * 1000:
            firing = True
        if back and (back_steps - 1) * STEP_MS >= rule.keep_firing_for_s * 1000:
            firing = False
        letters.append("f" if firing else "p" if beyond else "i")
    return letters


LEVELS = st.sampled_from([0.0, 4.0, 4.5, 5.0, 5.5, 9.0, NAN])
RULES = st.builds(
    a_rule,
    clear=st.sampled_from([None, 4.0]),
    for_s=st.sampled_from([0.0, 10.0, 30.0]),
    keep_firing_for_s=st.sampled_from([0.0, 10.0, 30.0]),
)
ROWS = st.lists(LEVELS, min_size=1, max_size=40)


@given(RULES, ROWS)
def test_all_steps_at_once_equal_one_step_at_a_time(rule: AlertRule, row: list[float]) -> None:
    expected = stepwise(rule, row)
    states = dict[str, Alert]()
    fired = []
    for step, value in enumerate(row):
        states = dict(advance(rule, states, steps([value], start=step)).alerts)
        if not math.isnan(value):
            assert states["m0"].phase[0] == expected[step]
        if expected[step] == "f" and (step == 0 or expected[step - 1] != "f"):
            fired.append(at(step))
    whole = advance(rule, {}, steps(row))
    last = [whole.alerts["m0"].fired_ms] if whole.alerts["m0"].phase == "firing" else []
    assert [episode.fired_ms for episode in whole.episodes] + last == fired


@given(RULES, st.lists(st.tuples(LEVELS, LEVELS), min_size=1, max_size=40), st.data())
def test_a_series_may_be_cut_anywhere(
    rule: AlertRule, columns: list[tuple[float, float]], data: st.DataObject
) -> None:
    rows = np.array(columns).T.tolist()
    cuts = sorted(data.draw(st.sets(st.integers(1, len(columns)), max_size=5)) | {len(columns)})
    whole = advance(rule, {}, steps(*rows))
    states, episodes, start = dict[str, Alert](), list[Alert](), 0
    for cut in cuts:
        part = advance(rule, states, steps(*[row[start:cut] for row in rows], start=start))
        states, start = dict(part.alerts), cut
        episodes += part.episodes
    assert msgspec.json.encode(states) == msgspec.json.encode(whole.alerts)

    def ends(found: Sequence[Alert]) -> list[tuple[str, int, int, int, float]]:
        return sorted((e.subject, e.since_ms, e.fired_ms, e.ended_ms, e.peak) for e in found)

    assert ends(episodes) == ends(whole.episodes)


@given(RULES, ROWS, st.integers(1, 40))
def test_a_missing_value_changes_no_phase_to_firing_or_inactive(
    rule: AlertRule, row: list[float], gap: int
) -> None:
    before = advance(rule, {}, steps(row)).alerts["m0"]
    after = advance(rule, {"m0": before}, steps([NAN] * gap, start=len(row)))
    assert not after.episodes
    assert after.alerts["m0"].phase == before.phase


def firing_ms(rule: AlertRule, row: Sequence[float]) -> set[int]:
    """Return the steps at which an alert fires, which a last step of 0 ends."""
    result = advance(rule, {}, steps([*row, *[0.0] * 5]))
    return {
        time
        for episode in result.episodes
        for time in range(episode.fired_ms, episode.ended_ms, STEP_MS)
    }


@given(RULES, ROWS, st.floats(0, 5))
def test_a_higher_limit_never_fires_more(rule: AlertRule, row: list[float], more: float) -> None:
    higher = msgspec.structs.replace(rule, above=rule.limit + more)
    assert firing_ms(higher, row) <= firing_ms(rule, row)
