"""Grafana's own alerting: rules, contact points and mute timings in its provisioning's form."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from grafana import build, data_source
from grafana.alerting.contact_points import Integration, integration
from grafana.alerting.grafana_alerting import (
    QUIET_HOURS,
    GrafanaAlerting,
    Recipients,
    grafana_alerting,
    integration_uid,
    provisioning_file,
)
from grafana.alerting.message_templates import message_template
from grafana.board_site import BoardSite
from grafana.field_display import Json
from jieneng.cli.boards.grafana_commands import board_site
from jieneng.metering import schema
from tests.cli import run
from tests.conftest import ROOT

SITE, *_ = board_site(ROOT / "jieneng" / "sites" / "example", "zh")
ENGLISH, *_ = board_site(ROOT / "jieneng" / "sites" / "example", "en")
MAIL = "mailtos://user:word@mail.example.org?to=duty@example.org,boss@example.org"
DUTY = integration("duty", MAIL, is_secret=True)
ROBOT = integration("night-shift", "dingtalk://abcdef", is_secret=True)
assert DUTY is not None
assert ROBOT is not None
BOTH = Recipients(
    integrations={"critical": (DUTY, ROBOT), "warning": (DUTY,)}, quiet=("22:00", "07:00")
)
#: Fields that a rule may have in files and in the API (Grafana 12 and 13).
RULE_KEYS = {
    *("uid", "title", "condition", "data", "noDataState", "execErrState", "for", "annotations"),
    *("labels", "isPaused", "notification_settings"),
}


def queries(alerting: GrafanaAlerting) -> Iterator[Json]:
    for rule in alerting.rules:
        yield from (one for one in rule["data"] if one["datasourceUid"] == data_source.UID)


def test_without_receivers_only_the_death_of_a_service_is_told() -> None:
    alerting = grafana_alerting(SITE)
    assert {rule["uid"] for rule in alerting.rules} == {
        "jieneng-agents-silent",
        "jieneng-ingest-silent",
        "jieneng-analytics-silent",
    }
    for rule in alerting.rules:
        assert rule["noDataState"] == rule["execErrState"] == "Alerting"
    made = provisioning_file(alerting)
    assert not made["contactPoints"]
    assert "policies" not in made, "the organisation's own are left alone"


def test_an_analytics_that_evaluates_no_alerts_is_not_missed() -> None:
    of = msgspec.structs.replace(SITE, evaluates_alerts=False)
    uids = {rule["uid"] for rule in grafana_alerting(of).rules}
    assert uids == {"jieneng-agents-silent", "jieneng-ingest-silent"}


@pytest.mark.parametrize("recipients", [None, BOTH])
def test_rules_have_fixed_uids_and_expressions_that_refer_to_what_is_there(
    recipients: Recipients | None,
) -> None:
    alerting = grafana_alerting(SITE, recipients)
    uids = [rule["uid"] for rule in alerting.rules]
    assert len(set(uids)) == len(uids)
    assert all(re.fullmatch(r"[a-zA-Z0-9_-]{1,40}", uid) for uid in uids)
    for rule in alerting.rules:
        assert set(rule) <= RULE_KEYS
        refs = [one["refId"] for one in rule["data"]]
        assert rule["condition"] in refs
        for number, one in enumerate(rule["data"]):
            assert one["model"]["refId"] == one["refId"]
            expression = one["model"].get("expression", "")
            named = re.findall(r"\$(\w+)", expression) or ([expression] if expression else [])
            assert set(named) <= set(refs[:number])
        # Some versions take a $ in annotations for a variable of the environment.
        assert "$" not in json.dumps(rule["annotations"])


def test_queries_are_bounded_and_of_the_schema() -> None:
    for one in queries(grafana_alerting(SITE, BOTH)):
        text = one["model"]["query"]
        assert text.count("$timeFilter") == 1
        assert one["relativeTimeRange"]["from"] > 0
        (measurement,) = re.findall(r'FROM "(\w+)"', text)
        known = {*schema.TAGS[measurement], *schema.FIELDS[measurement], measurement}
        assert set(re.findall(r'"(\w+)"', text)) <= known


def test_a_rule_sends_to_the_receivers_of_its_severity_and_waits_in_quiet_hours() -> None:
    alerting = grafana_alerting(SITE, BOTH)
    settings: dict[str, Json] = {
        rule["uid"]: rule.get("notification_settings", {}) for rule in alerting.rules
    }
    assert settings["jieneng-alerts-critical"]["receiver"] == "jieneng-critical"
    assert "mute_time_intervals" not in settings["jieneng-alerts-critical"]
    assert settings["jieneng-alerts-warning"]["mute_time_intervals"] == [QUIET_HOURS]
    assert settings["jieneng-analytics-silent"]["receiver"] == "jieneng-critical"
    assert settings["jieneng-alerts-info"] == {}, "no receiver: Grafana's default policy"
    assert set(alerting.contact_points) == {"jieneng-critical", "jieneng-warning"}
    (interval,) = alerting.mute_timings[QUIET_HOURS]
    assert interval == {
        "times": [
            {"start_time": "22:00", "end_time": "24:00"},
            {"start_time": "00:00", "end_time": "07:00"},
        ],
        "location": "Asia/Shanghai",
    }
    by_day = grafana_alerting(SITE, msgspec.structs.replace(BOTH, quiet=("12:00", "14:00")))
    (interval,) = by_day.mute_timings[QUIET_HOURS]
    assert interval["times"] == [{"start_time": "12:00", "end_time": "14:00"}]
    assert not grafana_alerting(SITE, msgspec.structs.replace(BOTH, quiet=None)).mute_timings


def test_no_file_has_a_secret_and_each_contact_point_its_own_uids() -> None:
    text = build.files(SITE, BOTH)["alerting/jieneng.json"]
    assert "abcdef" not in text
    assert "word" not in text
    made = json.loads(text)
    robot = next(
        one
        for point in made["contactPoints"]
        for one in point["receivers"]
        if one["type"] == "dingding"
    )
    assert robot["settings"]["url"] == "${GRAFANA_RECEIVER_NIGHT_SHIFT_URL}"
    assert build.secret_variables(BOTH) == ["GRAFANA_RECEIVER_NIGHT_SHIFT_URL"]
    uids = [one["uid"] for point in made["contactPoints"] for one in point["receivers"]]
    assert len(set(uids)) == len(uids) == 3


ADDRESSES = [
    (MAIL, "email", {"addresses": "duty@example.org;boss@example.org"}),
    ("mailto://duty:word@example.org", "email", {"addresses": "duty@example.org"}),
    (
        "mailto://u:p@mail.example.org/a@example.org/b@example.org",
        "email",
        {"addresses": "a@example.org;b@example.org"},
    ),
    (
        "dingtalk://abc123",
        "dingding",
        {"url": "https://oapi.dingtalk.com/robot/send?access_token=abc123"},
    ),
    ("dingtalk://SECab@abc123", None, {}),
    (
        "https://oapi.dingtalk.com/robot/send?access_token=abc",
        "dingding",
        {"url": "https://oapi.dingtalk.com/robot/send?access_token=abc"},
    ),
    ("https://oapi.dingtalk.com/robot/send?access_token=abc&secret=SEC1", None, {}),
    (
        "wecombot://key-1",
        "wecom",
        {"url": "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=key-1"},
    ),
    (
        "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=key-1",
        "wecom",
        {"url": "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=key-1"},
    ),
    ("jsons://hook.example.org/a?b=c", "webhook", {"url": "https://hook.example.org/a?b=c"}),
    (
        "json://me:word@hook.example.org:8080/a",
        "webhook",
        {"url": "http://hook.example.org:8080/a", "username": "me", "password": "word"},
    ),
    ("tgram://1:a/2", None, {}),
    ("https://example.org/whatever", None, {}),
    ("", None, {}),
]


@pytest.mark.parametrize(("address", "kind", "settings"), ADDRESSES)
def test_an_address_becomes_the_integration_that_grafana_has_for_it(
    address: str, kind: str | None, settings: dict[str, str]
) -> None:
    found = integration("r", address, is_secret=True)
    assert (found.kind if found else None) == kind
    if found:
        assert settings.items() <= found.settings.items()
        hidden = found.for_file().settings
        for key in found.secrets:
            assert hidden[key] == f"${{GRAFANA_RECEIVER_R_{key.upper()}}}"


def test_a_dollar_of_an_address_is_no_variable() -> None:
    found = integration("r", "jsons://hook.example.org/a$b", is_secret=False)
    assert found is not None
    assert found.for_file().settings["url"] == "https://hook.example.org/a$$b"


def test_a_long_receiver_has_a_uid_that_grafana_takes() -> None:
    one = Integration(receiver="r" * 48, kind="email", settings={})
    assert len(integration_uid("jieneng-critical", one)) <= 40


@pytest.mark.parametrize("of", [SITE, ENGLISH], ids=["zh", "en"])
def test_messages_have_names_of_all_rules_and_subjects_and_no_dollar(of: BoardSite) -> None:
    text = message_template(of)
    assert "$" not in text
    assert "«" not in text
    for rule in of.alert_rules:
        assert f'eq . "{rule.id}" }}}}{rule.name}' in text
    for meter in of.site.meter:
        assert f'eq . "{meter.id}" }}}}{of.meter_names()[meter.id]}' in text
    opened = re.findall(r"\{\{-? (?:define|if|range)", text)
    assert len(opened) == len(re.findall(r"\{\{-? end", text))


def test_a_name_is_no_part_of_a_template() -> None:
    meter = msgspec.structs.replace(SITE.site.meter[0], name='{{ template "x" }} $y')
    site = msgspec.structs.replace(SITE.site, meter=(meter, *SITE.site.meter[1:]))
    text = message_template(msgspec.structs.replace(SITE, site=site))
    assert '{{ template "x" }}' not in text
    assert "$" not in text


ALERTS = """
[[receiver]]
id = "duty"
url = "mailtos://mail.example.org?to=duty@example.org"
[[receiver]]
id = "robot"
url_file = "robot.txt"
[[receiver]]
id = "phone"
url_file = "phone.txt"
[[route]]
id = "all"
receiver = ["duty"]
[[route]]
id = "urgent"
receiver = ["robot", "phone"]
severity = ["critical"]
[[route]]
id = "block"
receiver = ["duty"]
area = ["block-1"]
"""


@pytest.mark.server
def test_the_command_translates_receivers_and_names_what_grafana_can_t_have(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "site"
    run.jieneng("init", folder)
    (folder / "alerts.toml").write_text(ALERTS)
    (folder / "robot.txt").write_text("wecombot://key-of-the-robot")
    (folder / "phone.txt").write_text("dingtalk://SECxyz@token")
    done = run.jieneng("grafana", "build", "--site", folder, "--alerts")
    assert done.returncode == 0, done.stderr
    assert "route block" in done.stderr
    assert "receiver phone" in done.stderr
    assert "GRAFANA_RECEIVER_ROBOT_URL" in done.stderr
    text = (folder / "grafana" / "alerting" / "jieneng.json").read_text()
    assert "key-of-the-robot" not in text
    points = {point["name"]: point["receivers"] for point in json.loads(text)["contactPoints"]}
    assert {name: [one["type"] for one in rows] for name, rows in points.items()} == {
        "jieneng-critical": ["email", "wecom"],
        "jieneng-warning": ["email"],
        "jieneng-info": ["email"],
    }
    run.jieneng("grafana", "build", "--site", folder)
    (quiet,) = json.loads((folder / "grafana" / "alerting" / "jieneng.json").read_text())["groups"]
    assert len(quiet["rules"]) == 3
