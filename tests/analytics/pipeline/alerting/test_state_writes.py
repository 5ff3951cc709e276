"""Each change is written until it is stored, and the states are complete after a restart."""

import msgspec

from analytics.alerts.alert import Alert
from analytics.pipeline.alerting.alert_store import FORGET_MS, HEARTBEAT_MS, REMEMBER_MS
from analytics.pipeline.alerting.state_writes import StateWrites
from tests.analytics.pipeline.alerting.test_alert_store import NOW_MS, alert

FIRING = alert()
ENDED = alert(phase="inactive", since_ms=0, fired_ms=0, ended_ms=NOW_MS, end="recovered")
CALM = alert(phase="inactive", since_ms=0, fired_ms=0)


def subjects(found: list[Alert]) -> list[str]:
    return [f"{one.subject} {one.phase}" for one in found]


def write(writes: StateWrites, now_ms: int, *alerts: Alert) -> list[str]:
    """Write the states of alerts that are due."""
    by_key = {one.key: one for one in alerts}
    found = writes.due(by_key, now_ms)
    writes.note(found, by_key, now_ms)
    return subjects(found)


def test_a_firing_alert_is_written_each_minute_and_an_ended_one_each_half_hour() -> None:
    writes = StateWrites({})
    assert write(writes, NOW_MS, FIRING) == ["w-3 firing"]
    assert write(writes, NOW_MS + HEARTBEAT_MS - 1000, FIRING) == []
    assert write(writes, NOW_MS + HEARTBEAT_MS, FIRING) == ["w-3 firing"]
    assert write(writes, NOW_MS + HEARTBEAT_MS + 10, ENDED) == ["w-3 inactive"]
    assert write(writes, NOW_MS + REMEMBER_MS, ENDED) == []
    assert write(writes, NOW_MS + HEARTBEAT_MS + REMEMBER_MS, ENDED) == ["w-3 inactive"]
    assert write(writes, NOW_MS + FORGET_MS + 1, ENDED) == []


def test_what_was_not_stored_is_due_again() -> None:
    writes = StateWrites({})
    assert subjects(writes.due({FIRING.key: FIRING}, NOW_MS)) == ["w-3 firing"]
    assert subjects(writes.due({FIRING.key: FIRING}, NOW_MS + 1)) == ["w-3 firing"]


def test_calm_alerts_cost_nothing() -> None:
    writes = StateWrites({})
    assert write(writes, NOW_MS, CALM) == []
    assert write(writes, NOW_MS + REMEMBER_MS, CALM) == []


def test_states_from_the_store_are_written_again_soon_after_the_start() -> None:
    """So that the window in which they are looked for stays short."""
    writes = StateWrites({ENDED.key: ENDED})
    assert write(writes, NOW_MS, ENDED) == ["w-3 inactive"]


def test_an_alert_whose_rule_was_removed_is_written_as_ended_once() -> None:
    writes = StateWrites({})
    other = msgspec.structs.replace(FIRING, subject="w-4")
    write(writes, NOW_MS, FIRING, other)
    assert write(writes, NOW_MS + 10, other) == ["w-3 inactive"]
    assert write(writes, NOW_MS + 20, other) == []


def test_a_clock_that_is_set_back_stops_no_heartbeat() -> None:
    writes = StateWrites({})
    write(writes, NOW_MS, FIRING)
    assert write(writes, NOW_MS - 3_600_000, FIRING) == ["w-3 firing"]
