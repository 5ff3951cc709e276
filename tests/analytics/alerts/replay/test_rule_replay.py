"""A replay gives the notices that the service would have sent, however the time is cut."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.alerts.alert import Alert, Notice, SignalValues
from analytics.alerts.alert_rule import AlertRule, AlertRules, Grouping
from analytics.alerts.evaluation import advance
from analytics.alerts.planning.notice_plan import plan_notices
from analytics.alerts.replay.limit_ladder import ladder
from analytics.alerts.replay.replay_summary import KnownValues, summarise
from analytics.alerts.replay.rule_replay import ReplayContext, RuleReplay
from analytics.calendar.working_calendar import WorkingCalendar
from jieneng.site_folder import load

_EXAMPLE: Final = Path(__file__).parents[4] / "jieneng" / "sites" / "example"
_SITE: Final = load(_EXAMPLE).site
_STEP_MS: Final = 60_000
_START_MS: Final = round(datetime(2026, 11, 18, 16, tzinfo=UTC).timestamp() * 1000)  # 00:00 there
_METERS: Final = ("w-b1", "w-b2", "w-main")


def a_rule(**keys: Any) -> AlertRule:
    base = {"id": "flow", "signal": "quantity", "quantity": "flow_m3_h", "above": 5}
    return msgspec.convert(base | keys, AlertRule)


def a_context(rule: AlertRule, **grouping: float) -> ReplayContext:
    rules = AlertRules(rules=(rule,), grouping=msgspec.convert(grouping, Grouping))
    return ReplayContext(rules, _SITE, WorkingCalendar(rules.hours, _SITE.zone))


def steps(rows: Sequence[Sequence[float]], start: int = 0) -> SignalValues:
    times = _START_MS + _STEP_MS * np.arange(start, start + len(rows[0]), dtype=np.int64)
    return SignalValues(_METERS[: len(rows)], times, np.array(rows, np.float64))


def chunks(rows: Sequence[Sequence[float]], length: int) -> list[SignalValues]:
    return [
        steps([row[start : start + length] for row in rows], start)
        for start in range(0, len(rows[0]), length)
    ]


def told_by_the_service(
    rule: AlertRule, context: ReplayContext, rows: Sequence[Sequence[float]]
) -> list[Notice]:
    """Evaluate and plan at each step and several times in between, as the service does."""
    states: dict[str, Alert] = {}
    notices: list[Notice] = []
    for values in chunks(rows, 1):
        done = advance(rule, {one.subject: one for one in states.values()}, values)
        after = {one.key: one for one in done.alerts.values()}
        now_ms = int(values.times_ms[0])
        for wait_ms in range(0, _STEP_MS, 5_000):
            found, planned = plan_notices(
                context.rules,
                _SITE,
                context.calendar,
                states,
                after,
                (),
                now_ms + wait_ms,
                done.episodes if wait_ms == 0 else (),
            )
            notices += found
            states, after = after, planned
    return notices


def replayed(rule: AlertRule, context: ReplayContext, values: Sequence[SignalValues]) -> RuleReplay:
    replay = RuleReplay(rule, context)
    for chunk in values:
        replay.take(chunk)
    return replay


_ROW = st.lists(
    st.sampled_from([4.0, 4.0, 4.0, 6.0, 6.0, 7.0, float("nan")]), min_size=30, max_size=30
)


@settings(max_examples=40)
@given(rows=st.lists(_ROW, min_size=1, max_size=3), length=st.sampled_from([7, 30]))
@pytest.mark.parametrize(
    "keys",
    [{}, {"for_s": 120, "keep_firing_for_s": 60, "severity": "critical"}, {"remind_s": 600}],
)
def test_a_replay_gives_the_notices_of_the_service(
    keys: dict[str, Any], rows: list[list[float]], length: int
) -> None:
    rule = a_rule(severity="critical") if not keys else a_rule(**({"severity": "critical"} | keys))
    context = a_context(rule, flap_count=4, flap_s=600)
    expected = told_by_the_service(rule, context, rows)
    found = replayed(rule, context, chunks(rows, length)).result().notices
    # Only the service sends notices that are due after the last step.
    end_ms = _START_MS + _STEP_MS * (len(rows[0]) - 2)
    assert [one.id for one in found if one.at_ms < end_ms] == [
        one.id for one in expected if one.at_ms < end_ms
    ]


def test_a_rule_that_fires_too_often_is_counted_to_its_end_without_notices() -> None:
    rule = a_rule(severity="critical", remind_s=0)
    replay = RuleReplay(rule, a_context(rule, flap_count=1000, flap_s=1), max_fires=10)
    for chunk in chunks([[6.0, 4.0, 4.0, 4.0] * 200], 40):
        replay.take(chunk)
    result = replay.result()
    assert result.is_cut
    assert len(result.episodes) == 200
    assert len(result.notices) < 50


def test_the_summary_says_when_about_what_and_on_which_data() -> None:
    rule = a_rule(severity="critical")
    night = [4.0] * 120 + [9.0] * 30 + [4.0] * 90  # from 02:00 to 02:30
    gap = [4.0] * 60 + [float("nan")] * 120 + [4.0] * 60
    values, known = steps([night, gap]), KnownValues(_METERS[:2], is_above=True)
    known.take(values, np.ones(240, np.bool_))
    replay = replayed(rule, a_context(rule), [values])
    end_ms = _START_MS + 240 * _STEP_MS
    found = summarise(replay.result(), known, _START_MS, end_ms, _SITE.zone)
    assert found.fires == 1
    assert found.firing == pytest.approx(30 / 240)
    assert found.known == pytest.approx(360 / 480)
    assert found.by_hour[2] == 1
    assert dict(found.notices) == {"fired": 1, "recovered": 1}
    assert (found.busiest_day, found.busiest) == ("2026-11-19", 2)
    first, second = found.subjects
    assert (first.subject, first.fires, first.longest_s, first.peak) == ("w-b1", 1, 1800.0, 9.0)
    assert (second.subject, second.fires, second.peak, second.known) == ("w-b2", 0, 4.0, 0.5)


def test_what_never_was_known_has_no_peak_and_a_share_of_nothing() -> None:
    known = KnownValues(_METERS[:1], is_above=True, steps=4)
    known.take(steps([[float("nan")] * 5]), np.array([True] * 4 + [False]))
    rule = a_rule()
    replay = RuleReplay(rule, a_context(rule))
    (subject,) = summarise(replay.result(), known, _START_MS, _START_MS, _SITE.zone).subjects
    assert (subject.peak, subject.known) == (None, 0.0)


def limits(**keys: Any) -> list[float]:
    return [rule.limit for rule in ladder(a_rule(above=None, **keys))]


def test_the_ladder_begins_with_the_limit_that_fires_most_and_contains_the_rule() -> None:
    assert [rule.limit for rule in ladder(a_rule(above=0.3))] == [
        0.1, 0.15, 0.2, 0.3, 0.45, 0.6, 0.9, 1.5,
    ]  # fmt: skip
    voltage = limits(below=172.0, clear=187.0)
    assert voltage == sorted(voltage, reverse=True)
    assert 172.0 in voltage
    assert limits(below=-20.0)[:2] == [-6.7, -10.0]


def test_a_share_never_passes_100_percent_and_its_hysteresis_stays() -> None:
    coverage = ladder(a_rule(above=None, below=95.0, signal="coverage", quantity=None))
    assert [rule.limit for rule in coverage][:4] == [98.3, 97.5, 96.7, 95.0]
    failing = ladder(a_rule(above=90.0, clear=50.0, signal="failed_polls", quantity=None))
    assert all(rule.clear_limit <= rule.limit < 100.0 for rule in failing)


def test_a_limit_of_zero_has_no_ladder() -> None:
    assert len(ladder(a_rule(above=0.0))) == 1
