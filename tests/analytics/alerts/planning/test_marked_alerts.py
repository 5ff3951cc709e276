"""A command shows what people did about an alert: an acknowledgement, a silence, and its cause."""

from pathlib import Path
from typing import Final

import msgspec
import pytest

from analytics.alerts.alert import Alert, AlertMark
from analytics.alerts.alert_files import load_alert_rules
from analytics.alerts.planning.marked_alerts import marked_alerts, silences_of
from jieneng.cli.alerts.mark_targets import Target, alerts_to_acknowledge, silence_target
from jieneng.metering.errors import UsageError
from jieneng.site_folder import load

_EXAMPLE: Final = Path(__file__).parents[4] / "jieneng" / "sites" / "example"
_SITE: Final = load(_EXAMPLE).site
_RULES: Final = load_alert_rules(_EXAMPLE, _SITE)
_NOW_MS: Final = 1_795_000_000_000


def alert(rule_id: str, subject: str, **changes: object) -> Alert:
    rule = next(rule for rule in _RULES.rules if rule.id == rule_id)
    base = Alert(
        rule=rule.id,
        signal=rule.signal,
        subject=subject,
        severity=rule.severity,
        phase="firing",
        value=1.0,
        limit=rule.limit,
        peak=1.0,
        since_ms=_NOW_MS - 60_000,
        fired_ms=_NOW_MS - 30_000,
    )
    return msgspec.structs.replace(base, **changes)


def silence(text: str, *, until_ms: int = _NOW_MS + 1, at_ms: int = _NOW_MS - 1) -> AlertMark:
    target = silence_target(text, _RULES, _SITE)
    return AlertMark(
        kind="silence",
        rule=target.rule,
        subject=target.subject,
        by="Li",
        at_ms=at_ms,
        until_ms=until_ms,
    )


def marked(*alerts: Alert, marks: tuple[AlertMark, ...] = ()) -> list[Alert]:
    return marked_alerts(_RULES, _SITE, {one.key: one for one in alerts}, marks, _NOW_MS)


@pytest.mark.parametrize(
    "name",
    ["meter-silent", "meter-silent/e-b1", "e-b1", "block-1", "block-1-gateway", "agent-1"],
)
def test_a_silence_holds_for_all_that_belongs_to_its_name(name: str) -> None:
    near, far = marked(
        alert("meter-silent", "e-b1"), alert("water-at-night", "w-ct"), marks=(silence(name),)
    )
    assert (near.silenced, far.silenced) == (True, False)


def test_a_silence_that_is_over_or_was_ended_holds_no_longer() -> None:
    begun = silence("e-b1", at_ms=_NOW_MS - 10)
    ended = silence("e-b1", at_ms=_NOW_MS - 1, until_ms=_NOW_MS - 1)
    assert silences_of([begun], _NOW_MS) == [begun]
    assert silences_of([ended, begun], _NOW_MS) == []


def test_an_alert_says_what_explains_it() -> None:
    silent, _ = marked(alert("meter-silent", "e-b1"), alert("bus-failing", "block-1-gateway"))
    assert silent.caused_by == "bus-failing/block-1-gateway"


def test_a_rule_is_meant_before_a_place_and_a_name_of_nothing_is_refused() -> None:
    assert silence_target("meter-silent", _RULES, _SITE) == Target("meter-silent", "*")
    assert str(silence_target("w-main", _RULES, _SITE)) == "w-main"
    with pytest.raises(UsageError, match="Did you mean w-main"):
        silence_target("w-mian", _RULES, _SITE)


def test_only_what_fires_is_acknowledged() -> None:
    firing, over = alert("meter-silent", "e-b1"), alert("meter-silent", "e-b2", phase="inactive")
    assert alerts_to_acknowledge(["meter-silent"], [firing, over]) == [firing]
    with pytest.raises(UsageError, match="Did you mean meter-silent/e-b1"):
        alerts_to_acknowledge(["meter-silent/e-b2"], [firing, over])
