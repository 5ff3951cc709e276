"""The page and the terminal show what fires: worst first, in words, with names and limits."""

from datetime import datetime
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import msgspec
import pytest
from rich.console import Console

from analytics.alerts.alert import Alert
from analytics.alerts.alert_rule import AlertRule, AlertRules
from analytics.alerts.texts.alert_row import AlertRow, alert_rows
from analytics.report import alert_tables, page
from analytics.report.report_data import NamedScope, PageData
from jieneng.locale import translator
from jieneng.locale.finding_text import Labels, labels
from jieneng.site_folder import load

_EXAMPLE: Final = Path(__file__).parents[3] / "jieneng" / "sites" / "example"
_NOW_MS: Final = 1_795_000_000_000
_DAY_MS: Final = 86_400_000

RULES: Final = AlertRules(
    rules=(
        AlertRule(id="leak", signal="night_flow", above=0.3),
        AlertRule(id="bus-failing", signal="failed_polls", above=90.0, severity="critical"),
        AlertRule(id="meter-silent", signal="reading_age", above=1800.0),
    )
)


def alert(rule_id: str, subject: str, **changes: object) -> Alert:
    rule = next(rule for rule in RULES.rules if rule.id == rule_id)
    base = Alert(
        rule=rule.id,
        signal=rule.signal,
        subject=subject,
        severity=rule.severity,
        phase="firing",
        value=2.0 * rule.limit,
        limit=rule.limit,
        peak=2.5 * rule.limit,
        since_ms=_NOW_MS - 3_600_000,
        fired_ms=_NOW_MS - 3_500_000,
    )
    return msgspec.structs.replace(base, **changes)


def over(subject: str, ended_ms: int) -> Alert:
    return alert("leak", subject, phase="inactive", ended_ms=ended_ms, fired_ms=0)


ALERTS: Final = (
    over("w-b2", _NOW_MS - 40 * _DAY_MS),
    over("w-b3", _NOW_MS - 600_000),
    alert("leak", "w-b1", phase="pending", fired_ms=0),
    alert("meter-silent", "e-b1", caused_by="bus-failing/block-1-gateway"),
    alert("leak", "w-ct", silenced=True),
    alert("leak", "w-main", acknowledged_by="王工"),
    alert("bus-failing", "block-1-gateway", since_ms=_NOW_MS - 2 * _DAY_MS),
)


@pytest.fixture(scope="module")
def names() -> Labels:
    return labels(load(_EXAMPLE).site)


def rows(names: Labels, language: str = "en") -> list[AlertRow]:
    return alert_rows(
        ALERTS, RULES, translator(language), names, _NOW_MS, since_ms=_NOW_MS - 7 * _DAY_MS
    )


def test_the_worst_comes_first_and_what_is_long_over_is_left_out(names: Labels) -> None:
    assert [(row.state, row.key) for row in rows(names)] == [
        ("firing", "bus-failing/block-1-gateway"),
        ("firing", "leak/w-main"),
        ("firing", "meter-silent/e-b1"),
        ("silenced", "leak/w-ct"),
        ("pending", "leak/w-b1"),
        ("over", "leak/w-b3"),
    ]


def test_a_row_says_value_limit_and_time_with_names(names: Labels) -> None:
    bus, acknowledged, silent, *_, ended = rows(names, "zh")
    assert (bus.subject, bus.place) == ("block-1-gateway", "采集代理 agent-1")
    assert (bus.value, bus.limit) == ("180 %", "高于 90 %")
    assert (bus.start, bus.length) == ("11-16 19:06", "2 天")
    assert acknowledged.note == "王工 已确认"
    assert (silent.subject, silent.value) == ("1号楼总表", "1 小时")
    assert silent.note == "起因于 总线通信故障：block-1-gateway"
    assert (ended.value, ended.length) == ("0.75 m³/h", "50 分钟")  # the peak


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_terminal_shows_every_alert_whole_in_100_columns(names: Labels, language: str) -> None:
    console = Console(width=100, record=True)
    shown = rows(names, language)
    console.print(alert_tables.terminal_table(shown, translator(language)))
    text = console.export_text()
    assert all(row.key in text and row.state_word in text for row in shown)
    assert "…" not in text


def page_text(names: Labels, rules: AlertRules | None, *alerts: Alert) -> str:
    data = PageData(
        site_name="行政中心",
        period="2025",
        generated=datetime.fromtimestamp(_NOW_MS / 1000, ZoneInfo("Asia/Shanghai")),
        scopes=(NamedScope("centre", "行政中心", "site"),),
        figures=(),
        labels=names,
        alerts=alerts,
        alert_rules=rules,
    )
    return page.render(data, translator("zh"))


def test_the_page_counts_what_fires_at_its_head_and_lists_it(names: Labels) -> None:
    text = page_text(names, RULES, *ALERTS)
    assert '<a href="#alerts">2 条告警</a> · 总线通信故障：block-1-gateway 180 %' in text
    assert '<section id="alerts">' in text
    assert "1号楼 · 总线 block-1-gateway" in text


def test_the_page_says_that_nothing_fires_only_if_the_alerts_are_watched(names: Labels) -> None:
    assert "当前无告警" in page_text(names, RULES)
    assert "告警" not in page_text(names, None)


def test_a_name_never_becomes_markup(names: Labels) -> None:
    evil = msgspec.structs.replace(names, names={"w-main": "<script>"})
    text = page_text(evil, RULES, *ALERTS)
    assert "<script>" not in text
    assert "&lt;script&gt;" in text
