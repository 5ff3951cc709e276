"""Firing alerts are listed, acknowledged and silenced, with the names of the site."""

import asyncio
import json
import shutil
from pathlib import Path
from typing import Any

import msgspec
import pytest

from analytics.alerts.alert import Alert, AlertMark
from analytics.alerts.delivery.notice_outbox import NoticeOutbox
from analytics.alerts.delivery.retry_plan import Outcome
from analytics.pipeline.alerting.alert_store import AlertStore, Round
from jieneng.clock import SystemClock
from jieneng.storage import StoreSettings, open_store
from tests.analytics.alerts.delivery.notices import NOW_MS, queued
from tests.cli.run import jieneng

pytestmark = pytest.mark.server

EXAMPLE = Path(__file__).parents[3] / "jieneng" / "sites" / "example"
_HOUR_MS = 3_600_000


def alert(rule: str, signal: str, subject: str, **changes: object) -> Alert:
    now_ms = SystemClock().now_ms()
    base = Alert(
        rule=rule,
        signal=signal,
        subject=subject,
        severity="warning",
        phase="firing",
        value=0.82,
        limit=0.3,
        peak=0.95,
        since_ms=now_ms - 2 * _HOUR_MS,
        fired_ms=now_ms - 2 * _HOUR_MS,
    )
    return msgspec.structs.replace(base, **changes)


async def write(folder: Path, *alerts: Alert) -> None:
    store = open_store(StoreSettings(), folder)
    await store.prepare()
    alert_store = AlertStore("huaian-centre", store)
    now_ms = SystemClock().now_ms()
    await alert_store.write_states(alerts, now_ms)
    await alert_store.write_round(Round(copy="a", at_ms=now_ms, is_holder=True))
    await store.close()


async def marks(folder: Path) -> tuple[AlertMark, ...]:
    store = open_store(StoreSettings(), folder)
    try:
        return await AlertStore("huaian-centre", store).marks(SystemClock().now_ms())
    finally:
        await store.close()


@pytest.fixture(scope="module")
def initial(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site in which water flows at night at two meters, and at one that was over an hour ago."""
    folder = tmp_path_factory.mktemp("alerts") / "site"
    shutil.copytree(EXAMPLE, folder)
    ended_ms = SystemClock().now_ms() - _HOUR_MS
    over = {"phase": "inactive", "ended_ms": ended_ms, "end": "recovered"}
    asyncio.run(
        write(
            folder,
            alert("water-at-night", "night_flow", "w-b1"),
            alert("water-at-night", "night_flow", "w-b2"),
            alert("water-at-night", "night_flow", "w-ct", **over),
        )
    )
    return folder


@pytest.fixture
def site(initial: Path, tmp_path: Path) -> Path:
    """A copy of the site."""
    return shutil.copytree(initial, tmp_path / "site")


def listed(site: Path, *options: str) -> dict[str, Any]:
    done = jieneng("alerts", "list", "--site", site, "--format", "json", *options)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_the_list_names_what_fires_and_what_ended_lately(site: Path) -> None:
    done = jieneng("alerts", "list", "--site", site, language="zh")
    assert done.returncode == 0, done.stderr
    for text in ("夜间持续用水", "1号楼用水", "0.82 m³/h", "高于 0.3 m³/h", "2 小时", "已结束"):
        assert text in done.stdout
    assert done.stderr == ""
    assert jieneng("alerts", "list", "--site", site, "--strict").returncode == 1


def test_the_json_form_has_ids_values_and_local_times(site: Path) -> None:
    found = listed(site)
    states = {(one["subject"], one["state"]) for one in found["alerts"]}
    assert states == {("w-b1", "firing"), ("w-b2", "firing"), ("w-ct", "over")}
    first = next(one for one in found["alerts"] if one["subject"] == "w-b1")
    assert (first["value"], first["limit"], first["unit"]) == (0.82, 0.3, "m3/h")
    assert first["since"].endswith("+08:00")
    assert found["evaluated"]
    assert {one["subject"] for one in listed(site, "--since", "30m")["alerts"]} == {"w-b1", "w-b2"}


def test_an_acknowledgement_shows_who_looks_after_the_alert(site: Path) -> None:
    done = jieneng(
        "alerts", "ack", "water-at-night/w-b1", "--by", "王工", "--reason", "查漏", "--site", site
    )
    assert done.returncode == 0, done.stderr
    found = {one["subject"]: one["acknowledged_by"] for one in listed(site)["alerts"]}
    assert found == {"w-b1": "王工", "w-b2": None, "w-ct": None}
    (mark,) = asyncio.run(marks(site))
    assert (mark.kind, mark.by, mark.reason) == ("ack", "王工", "查漏")


def test_a_rule_alone_means_all_of_its_alerts_that_fire(site: Path) -> None:
    done = jieneng("alerts", "ack", "water-at-night", "--by", "Li", "--site", site)
    assert done.stdout.count("acknowledged by Li") == 2


def test_what_does_not_fire_is_not_acknowledged(site: Path) -> None:
    done = jieneng("alerts", "ack", "water-at-night/w-b9", "--by", "Li", "--site", site)
    assert done.returncode == 2
    assert "Did you mean water-at-night/w-b1?" in done.stderr
    assert asyncio.run(marks(site)) == ()


def test_a_silence_holds_until_it_is_ended_by_anybody(site: Path) -> None:
    done = jieneng("alerts", "silence", "block-1", "--for", "4h", "--by", "Wang", "--site", site)
    assert done.returncode == 0, done.stderr
    found = listed(site)
    states = {one["subject"]: one["state"] for one in found["alerts"]}
    assert states == {"w-b1": "silenced", "w-b2": "firing", "w-ct": "over"}
    assert found["silences"][0]["by"] == "Wang"
    ended = jieneng("alerts", "unsilence", "block-1", "--by", "Li", "--site", site)
    assert ended.returncode == 0, ended.stderr
    found = listed(site)
    assert (found["silences"], found["alerts"][0]["state"]) == ([], "firing")


def test_a_silence_of_something_unknown_or_of_no_time_is_refused(site: Path) -> None:
    done = jieneng("alerts", "silence", "blok-1", "--for", "4h", "--by", "Li", "--site", site)
    assert (done.returncode, "Did you mean block-1?" in done.stderr) == (2, True)
    done = jieneng("alerts", "silence", "block-1", "--for", "4", "--by", "Li", "--site", site)
    assert (done.returncode, "write for example 30m" in done.stderr) == (2, True)


def test_a_list_that_nobody_keeps_up_to_date_says_so(tmp_path: Path) -> None:
    shutil.copytree(EXAMPLE, tmp_path / "new")
    done = jieneng("alerts", "list", "--site", tmp_path / "new")
    assert done.returncode == 0
    assert "No alert fires" in done.stdout
    assert "jieneng analytics run" in done.stderr


def test_the_rules_are_listed_with_limit_and_source(tmp_path: Path) -> None:
    folder = shutil.copytree(EXAMPLE, tmp_path / "site")
    (folder / "alerts.toml").write_text(
        '[[rule]]\nid = "tower"\nname = "冷却塔补水"\nsignal = "quantity"\n'
        'quantity = "flow_m3_h"\nabove = 8.5\nfor_s = 300\nmeter = ["w-cooling"]\n'
        '[[rule]]\nid = "meter-faulty"\nenabled = false\n',
        encoding="utf-8",
    )
    shown = jieneng("alerts", "rules", "--site", folder, language="zh").stdout
    tower = next(line for line in shown.splitlines() if "冷却塔补水" in line)
    assert "高于 8.5 m³/h，持续 5 分钟" in tower
    assert "alerts.toml" in tower
    assert "已停用" in next(line for line in shown.splitlines() if "表计自报故障" in line)


def test_notices_that_did_not_arrive_are_listed_with_the_reason(site: Path) -> None:
    """Notices that were given up or are tried again are listed, and no others."""
    outbox = NoticeOutbox(site / "outbox.sqlite")
    outcomes = {
        "sent": [Outcome("sent")],
        "waiting": [],
        "refusing": [Outcome("refused", "errcode 310000: sign not match")],
        "refused": [Outcome("refused", "HTTP 404")] * 2,
    }
    for number, (receiver, results) in enumerate(outcomes.items()):
        now_ms = NOW_MS + number
        outbox.add([queued(f"n{number}", receiver, due_ms=now_ms)], now_ms)
        for result in results:
            entries = [e for e in outbox.take(now_ms, 0) if e.queued.receiver == receiver]
            outbox.settle(entries, result, now_ms)
            now_ms += 25 * _HOUR_MS
    outbox.close()
    done = jieneng("alerts", "list", "--site", site, "--format", "json")
    assert done.returncode == 0, done.stderr
    found = {one["receiver"]: one for one in json.loads(done.stdout)["undelivered"]}
    assert {receiver: one["state"] for receiver, one in found.items()} == {
        "refusing": "waiting",
        "refused": "given_up",
    }
    assert found["refused"]["reason"] == "HTTP 404"
    table = jieneng("alerts", "list", "--site", site).stdout
    assert "Notices that did not arrive" in table
    assert "310000" in table
