"""A notice states subject, place, value, start and instructions, in each reader's language.

The golden files beside this test have one text for each event and language. To renew them after a
change of wording: `python -m tests.analytics.alerts.texts.test_notice_text`, and read the
difference.
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Final, get_args

import msgspec
import pytest

from analytics.alerts.alert import Alert, Event, Notice
from analytics.alerts.alert_rule import AlertRule, AlertRules
from analytics.alerts.texts.notice_text import BODY_LIMIT_BYTES, digest_text, notice_text
from jieneng.locale import translator
from jieneng.locale.finding_text import Labels, labels
from jieneng.metering.alert_signals import SIGNALS
from jieneng.site_folder import load

_FOLDER: Final = Path(__file__).parent / "notice_texts"
_EXAMPLE: Final = Path(__file__).parents[4] / "jieneng" / "sites" / "example"
_NOW_MS: Final = 1_795_000_000_000  # 2026-11-18 19:06:40 in Huai'an
_HOUR_MS: Final = 3_600_000

RULES: Final = AlertRules(
    rules=(
        AlertRule(id="leak-at-night", signal="night_flow", above=0.3, clear=0.2),
        AlertRule(id="bus-failing", signal="failed_polls", above=50.0, severity="critical"),
        AlertRule(
            id="meter-silent",
            signal="reading_age",
            above=1800.0,
            runbook="https://wiki.example.org/silent?lang=zh_CN#who",
        ),
        AlertRule(
            id="flow-high",
            signal="quantity",
            quantity="flow_m3_h",
            above=12.25,
            severity="critical",
            name="1号楼爆管（估）",
        ),
        AlertRule(id="cold", signal="quantity", quantity="temperature_supply_c", below=45.0),
        AlertRule(id="clock", signal="clock_untrusted", above=0.5, severity="info"),
        AlertRule(id="path", signal="path_excess", above=5.0),
        AlertRule(id="quota", signal="quota_short_days", above=14.0, severity="info"),
    )
)


def alert(rule_id: str, subject: str, value: float, **changes: object) -> Alert:
    """An alert that has been firing for four hours and 20 minutes."""
    rule = next(rule for rule in RULES.rules if rule.id == rule_id)
    base = Alert(
        rule=rule.id,
        signal=rule.signal,
        subject=subject,
        severity=rule.severity,
        phase="firing",
        value=value,
        limit=rule.limit,
        peak=value,
        since_ms=_NOW_MS - 4 * _HOUR_MS - 20 * 60_000,
        fired_ms=_NOW_MS - 4 * _HOUR_MS,
    )
    return msgspec.structs.replace(base, **changes)


def notice(event: Event, *alerts: Alert, **changes: object) -> Notice:
    base = Notice(
        id="n",
        event=event,
        rule=alerts[0].rule,
        severity=alerts[0].severity,
        group="block-1",
        alerts=alerts,
        at_ms=_NOW_MS,
    )
    return msgspec.structs.replace(base, **changes)


_LEAK = alert("leak-at-night", "w-b1", 0.82144, peak=0.95)
_OVER = alert(
    "leak-at-night", "w-b1", 0.1, phase="inactive", peak=0.95, ended_ms=_NOW_MS - 10 * 60_000
)
_SILENT = tuple(
    alert("meter-silent", meter, 1860.0)
    for meter in ("e-b1", "e-b1-light", "e-b1-hvac", "e-b1-lift", "w-b1")
)
_PASSED = msgspec.structs.replace(
    _OVER,
    since_ms=0,
    peak=math.nan,
    held=3,
    held_since_ms=_NOW_MS - 2 * _HOUR_MS,
    held_ended_ms=_NOW_MS - 60_000,
    held_peak=3.2,
    ended_ms=_NOW_MS - 60_000,
)

NOTICES: Final[Mapping[str, Notice]] = {
    "fired": notice("fired", _LEAK),
    "fired: a bus with its meters": notice(
        "fired", alert("bus-failing", "block-1-gateway", 100.0), consequences=_SILENT
    ),
    "fired: several meters": notice("fired", *_SILENT[:3]),
    "fired: a rule with a name and a long limit": notice(
        "fired", alert("flow-high", "w-main", 14.0, peak=15.53)
    ),
    "fired: below a limit": notice("fired", alert("cold", "g-boiler", 41.27, peak=39.9)),
    "fired: an indicator of a scope": notice(
        "fired", alert("path", "block-1/energy_per_capita", 7.31)
    ),
    "fired: the day on which a quota is used up": notice(
        "fired", alert("quota", "affairs-bureau/electricity", 20.0, seen_ms=_NOW_MS)
    ),
    "fired: without a value": notice("fired", alert("clock", "agent-1", 1.0)),
    "fired: over before its readings came in": notice(
        "fired", msgspec.structs.replace(_LEAK, ended_ms=_NOW_MS - _HOUR_MS), is_late=True
    ),
    "recovered": notice("recovered", _OVER),
    "reminder: acknowledged": notice(
        "reminder", msgspec.structs.replace(_LEAK, acknowledged_by="王工")
    ),
    "flapping": notice("flapping", alert("flow-high", "w-main", 12.3), times=5),
    "passed": notice("passed", _PASSED, times=3),
    "withdrawn": notice("withdrawn", _OVER),
    "unwatched": notice("unwatched", _OVER),
}


@pytest.fixture(scope="module")
def names() -> Labels:
    return site_labels()


def site_labels() -> Labels:
    return labels(load(_EXAMPLE).site)


def golden_text(language: str, names: Labels) -> str:
    """All notices as text, and the digest of them."""
    tr = translator(language)
    texts = {name: notice_text(one, RULES, tr, names) for name, one in NOTICES.items()}
    texts["digest"] = digest_text([*NOTICES.values()], RULES, tr, names)
    return "\n\n".join(f"=== {name}\n{text.title}\n\n{text.body}" for name, text in texts.items())


@pytest.mark.parametrize("language", ["zh", "en"])
def test_each_event_reads_as_the_golden_file_says(language: str, names: Labels) -> None:
    expected = (_FOLDER / f"{language}.txt").read_text(encoding="utf-8")
    assert golden_text(language, names) + "\n" == expected


def test_the_golden_files_have_every_event() -> None:
    assert {one.event for one in NOTICES.values()} == {*get_args(Event)}


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_body_never_exceeds_what_a_messenger_takes(language: str, names: Labels) -> None:
    """A hundred meters with long names, and as many that they explain: all are counted."""
    long = Labels(
        {f"m-{number}": "二楼东侧走廊尽头配电间照明插座总表" * 2 for number in range(100)},
        names.zone,
        "行政中心",
    )
    many = tuple(alert("meter-silent", f"m-{number}", 1860.0) for number in range(100))
    text = notice_text(notice("fired", *many, consequences=many), RULES, translator(language), long)
    assert len(text.body.encode()) <= BODY_LIMIT_BYTES
    assert ("另有 9" in text.body) if language == "zh" else (" more alerts" in text.body)
    digest = digest_text([notice("fired", one) for one in many], RULES, translator(language), long)
    assert len(digest.body.encode()) <= BODY_LIMIT_BYTES


@pytest.mark.parametrize("signal", SIGNALS)
def test_every_signal_has_a_text_even_when_its_rule_is_gone(signal: str, names: Labels) -> None:
    gone = msgspec.structs.replace(_LEAK, rule="gone", signal=signal, limit=0.3)
    text = notice_text(notice("fired", gone), AlertRules(rules=()), translator("zh"), names)
    assert SIGNALS[signal].zh in text.title
    assert SIGNALS[signal].advice_zh in text.body
    assert "nan" not in text.body


if __name__ == "__main__":
    for one in ("zh", "en"):
        _FOLDER.mkdir(exist_ok=True)
        (_FOLDER / f"{one}.txt").write_text(
            golden_text(one, site_labels()) + "\n", encoding="utf-8"
        )
