"""Whatever happens to a site, each firing has one notice and one end."""

import math
from collections.abc import Mapping, Sequence
from typing import Final
from zoneinfo import ZoneInfo

import msgspec
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.alerts.alert import Alert, AlertMark, Notice, SignalValues
from analytics.alerts.alert_rule import AlertRule, AlertRules
from analytics.alerts.evaluation import advance
from analytics.alerts.planning.notice_plan import NoticePlanner
from analytics.calendar.working_calendar import WorkingCalendar
from analytics.calendar.working_hours import Hours
from jieneng.metering.site import Area, Bus, Meter, Site, SiteInfo
from tests.analytics.alerts.case_player import stored_and_read

SITE: Final = Site(
    site=SiteInfo(id="centre", name="centre"),
    area=(Area(id="block", name="block"),),
    bus=(Bus(id="bus", agent="agent", host="192.0.2.1"),),
    meter=tuple(
        Meter(id=name, name=name, medium="electricity", area="block", bus="bus", unit=unit)
        for unit, name in enumerate(("m-1", "m-2"), 1)
    ),
)
RULES: Final = AlertRules(
    rules=(
        AlertRule(id="power", signal="quantity", quantity="power_kw", above=5.0, for_s=60.0),
        AlertRule(
            id="power-graver",
            signal="quantity",
            quantity="power_kw",
            above=8.0,
            severity="critical",
        ),
        AlertRule(id="silent", signal="reading_age", above=300.0),
        AlertRule(id="bus-failing", signal="failed_polls", above=90.0, for_s=60.0),
    ),
    hours=Hours(quiet=("22:00", "07:00")),
)
SUBJECTS: Final[Mapping[str, tuple[str, ...]]] = {
    "power": ("m-1", "m-2"),
    "power-graver": ("m-1", "m-2"),
    "silent": ("m-1", "m-2"),
    "bus-failing": ("bus",),
}
#: A calm and a bad value of each rule.
VALUES: Final = {
    "power": (1.0, 6.0),
    "power-graver": (1.0, 9.0),
    "silent": (5.0, 400.0),
    "bus-failing": (0.0, 100.0),
}
ROUND_MS: Final = 60_000
START_MS: Final = 1_772_445_600_000  # 2026-03-02 18:00 in Shanghai
#: Rounds after the last event until all notices must be sent, and their interval. Flapping ends
#: after two hours, and quiet hours in the morning.
LONG: Final = 32
LONG_ROUND_MS: Final = 1_800_000


class Plays:
    """A site that is played round by round."""

    def __init__(self, marks: Sequence[AlertMark] = ()) -> None:
        self._calendar = WorkingCalendar(RULES.hours, ZoneInfo("Asia/Shanghai"))
        self._planner = NoticePlanner(RULES, SITE, self._calendar)
        self._marks = marks
        self.now_ms = START_MS
        self.alerts: dict[str, Alert] = {}
        self.notices: list[Notice] = []

    def go_on(self, values: Mapping[str, Sequence[float]], interval_ms: int = ROUND_MS) -> None:
        """Play a round with a value for each subject of each rule."""
        self.now_ms += interval_ms
        before, after, episodes = self.alerts, dict(self.alerts), list[Alert]()
        for rule in RULES.rules:
            subjects = SUBJECTS[rule.id]
            states = {one: before[f"{rule.id}/{one}"] for one in subjects if before}
            column = np.array([values[rule.id]], np.float64).T
            given_values = SignalValues(subjects, np.array([self.now_ms], np.int64), column)
            done = advance(rule, states, given_values)
            after.update((alert.key, alert) for alert in done.alerts.values())
            episodes += done.episodes
        notices, self.alerts = self._planner.plan(before, after, self._marks, self.now_ms, episodes)
        self.notices += notices

    def rest(self, number: int) -> None:
        """Play the rounds of a long time in which all subjects are calm (0) or bad (1)."""
        values = {rule: [VALUES[rule][number]] * len(SUBJECTS[rule]) for rule in SUBJECTS}
        for _ in range(LONG):
            self.go_on(values, LONG_ROUND_MS)


@st.composite
def rounds(draw: st.DrawFn) -> list[dict[str, list[float]]]:
    """Draw a chain of rounds: each subject stays as it is for some of them."""
    series = {
        (rule, subject): [
            value
            for number, length in draw(
                st.lists(
                    st.tuples(st.sampled_from([0, 1, 1, 2]), st.integers(1, 12)),
                    min_size=1,
                    max_size=6,
                )
            )
            for value in [(*VALUES[rule], math.nan)[number]] * length
        ]
        for rule, subjects in SUBJECTS.items()
        for subject in subjects
    }
    longest = max(map(len, series.values()))
    return [
        {
            rule: [series[rule, one][min(step, len(series[rule, one]) - 1)] for one in subjects]
            for rule, subjects in SUBJECTS.items()
        }
        for step in range(longest)
    ]


@st.composite
def silences(draw: st.DrawFn) -> list[AlertMark]:
    """Draw silences within the first hours."""
    return [
        AlertMark(
            kind="silence",
            rule=draw(st.sampled_from(["*", *SUBJECTS])),
            subject=draw(st.sampled_from(["*", "m-1", "bus", "block"])),
            by="wang",
            at_ms=START_MS,
            until_ms=START_MS + draw(st.integers(0, 60)) * ROUND_MS,
        )
        for _ in range(draw(st.integers(0, 2)))
    ]


def assert_told_once(notices: Sequence[Notice]) -> set[str]:
    """Return the keys of the alerts of which the receivers believe that they fire."""
    told = set[str]()
    assert len({notice.id for notice in notices}) == len(notices)
    for notice in notices:
        keys = {alert.key for alert in notice.alerts}
        if notice.event == "fired":
            assert not keys & told
        if notice.event in ("fired", "flapping"):
            told |= keys
        elif notice.event == "reminder":
            assert keys <= told
        elif notice.event != "passed":
            assert keys <= told
            told -= keys
    return told


@settings(max_examples=20)
@given(rounds(), silences())
def test_all_that_was_told_has_an_end(
    played: list[dict[str, list[float]]], marks: list[AlertMark]
) -> None:
    plays = Plays(marks)
    for values in played:
        plays.go_on(values)
    plays.rest(0)
    assert not assert_told_once(plays.notices)
    assert not any(alert.told or alert.held for alert in plays.alerts.values())


@settings(max_examples=20)
@given(rounds(), silences())
def test_what_fires_for_long_is_told(
    played: list[dict[str, list[float]]], marks: list[AlertMark]
) -> None:
    """Nothing is lost: not behind a silence that ended, nor in quiet hours, nor after flapping."""
    plays = Plays(marks)
    for values in played:
        plays.go_on(values)
    plays.rest(1)
    told = assert_told_once(plays.notices)
    assert {"bus-failing/bus", "power-graver/m-1", "power-graver/m-2"} <= told
    for alert in plays.alerts.values():
        assert alert.phase == "firing"
        assert bool(alert.told) == (alert.key in told)
        assert alert.told or plays.alerts[alert.caused_by].told


@settings(max_examples=20)
@given(rounds(), silences(), st.data())
def test_a_restart_changes_nothing(
    played: list[dict[str, list[float]]], marks: list[AlertMark], data: st.DataObject
) -> None:
    restarts = data.draw(st.sets(st.integers(0, len(played)), max_size=4))
    steady, restarted = Plays(marks), Plays(marks)
    for number, values in enumerate(played):
        steady.go_on(values)
        if number in restarts:
            restarted.alerts = stored_and_read(restarted.alerts)
        restarted.go_on(values)
    assert msgspec.json.encode(restarted.notices) == msgspec.json.encode(steady.notices)
