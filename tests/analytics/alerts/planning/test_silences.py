"""A silence concerns its subject and all below it, until it ends or is lifted."""

from typing import Literal

import msgspec
import pytest

from analytics.alerts.alert import Alert, AlertMark
from analytics.alerts.alert_rule import AlertRule, AlertsFile
from analytics.alerts.evaluation import new_alert
from analytics.alerts.planning.alert_places import AlertPlaces
from analytics.alerts.planning.silences import Silences
from jieneng.metering.site import Site
from tests.analytics.alerts.case_player import CASES

SITE = msgspec.toml.decode((CASES / "sites" / "centre.toml").read_bytes(), type=Site)
PLACES = AlertPlaces(SITE)
NOW_MS = 1_772_445_600_000  # 2026-03-02 18:00 in Shanghai


def alert(signal: str, subject: str) -> Alert:
    return new_alert(AlertRule(id="rule", signal=signal, above=1.0), subject)


def mark(
    kind: Literal["ack", "silence"], rule: str, subject: str, until_ms: int, at_ms: int = 1
) -> AlertMark:
    return AlertMark(
        kind=kind, rule=rule, subject=subject, by="wang", at_ms=at_ms, until_ms=until_ms
    )


def silences(*marks: AlertMark, maintenance: str = "") -> Silences:
    rows = msgspec.toml.decode(maintenance, type=AlertsFile).maintenance
    return Silences(rows, marks, PLACES, SITE.zone, NOW_MS)


@pytest.mark.parametrize(
    ("subject", "is_silenced"),
    [
        ("m-01", True),
        ("bus-1", True),
        ("agent-1", True),
        ("block-1", True),
        ("main-building", True),
        ("*", True),
        ("m-02", False),
        ("bus-2", False),
        ("agent-2", False),
        ("block-2", False),
    ],
)
def test_a_silence_of_a_place_covers_the_meters_of_it(subject: str, is_silenced: bool) -> None:
    given = silences(mark("silence", "*", subject, NOW_MS + 1))
    assert given.is_silenced(alert("quantity", "m-01")) is is_silenced


@pytest.mark.parametrize(
    ("signal", "subject", "of"),
    [
        ("failed_polls", "bus-1", "agent-1"),
        ("idle_load", "block-1", "main-building"),
        ("path_excess", "block-1/energy_per_floor_area", "block-1"),
        ("coverage", "block-1", "main-building"),
    ],
)
def test_a_silence_covers_buses_areas_and_indicators(signal: str, subject: str, of: str) -> None:
    assert silences(mark("silence", "rule", of, NOW_MS + 1)).is_silenced(alert(signal, subject))


def test_a_meter_does_not_silence_its_bus() -> None:
    given = silences(mark("silence", "*", "m-01", NOW_MS + 1))
    assert not given.is_silenced(alert("failed_polls", "bus-1"))


def test_a_silence_ends_at_its_time() -> None:
    assert not silences(mark("silence", "*", "*", NOW_MS)).is_silenced(alert("quantity", "m-01"))


def test_the_last_mark_of_a_person_holds() -> None:
    early, lifted = mark("silence", "*", "m-01", NOW_MS + 9), mark("silence", "*", "m-01", 2, 2)
    assert not silences(lifted, early).is_silenced(alert("quantity", "m-01"))


MAINTENANCE = """
[[maintenance]]
id = "works"
from = 2026-03-02T17:00:00
to = 2026-03-02T19:00:00
reason = "works"
"""


@pytest.mark.parametrize(
    ("keys", "is_silenced"),
    [
        ("", True),
        ('rule = ["rule"]', True),
        ('rule = ["other"]', False),
        ('bus = ["bus-1"]', True),
        ('meter = ["m-02"]\narea = ["block-1"]', True),
        ('rule = ["rule"]\nmeter = ["m-02"]', False),
    ],
)
def test_a_maintenance_narrows_by_rule_and_by_place(keys: str, is_silenced: bool) -> None:
    given = silences(maintenance=MAINTENANCE + keys)
    assert given.is_silenced(alert("quantity", "m-01")) is is_silenced


def test_an_acknowledgement_is_of_one_episode() -> None:
    firing = msgspec.structs.replace(alert("quantity", "m-01"), phase="firing", since_ms=500)
    assert silences(mark("ack", "rule", "m-01", 500)).acknowledged_by(firing) == "wang"
    assert silences(mark("ack", "rule", "m-01", 400)).acknowledged_by(firing) == ""
    assert silences(mark("ack", "rule", "m-02", 500)).acknowledged_by(firing) == ""


@pytest.mark.parametrize(
    ("signal", "subject", "group"),
    [
        ("reading_age", "m-01", "bus-1"),
        ("quantity", "m-01", "block-1"),
        ("failed_polls", "bus-1", "agent-1"),
        ("agent_age", "agent-1", "centre"),
        ("idle_load", "block-1", "main-building"),
        ("idle_load", "main-building", "centre"),
        ("coverage", "block-1", "centre"),
        ("path_excess", "block-1/energy_per_floor_area", "block-1"),
        ("reading_age", "gone", "gone"),
    ],
)
def test_the_group_of_a_subject(signal: str, subject: str, group: str) -> None:
    assert PLACES.group(signal, subject) == group


def test_an_alert_of_a_signal_that_is_gone_belongs_to_itself() -> None:
    old = msgspec.structs.replace(alert("quantity", "m-01"), signal="of-an-older-version")
    assert PLACES.group(old.signal, old.subject) == "m-01"
    assert silences(mark("silence", "*", "m-01", NOW_MS + 1)).is_silenced(old)
    assert not PLACES.causes(old.signal, old.subject)
