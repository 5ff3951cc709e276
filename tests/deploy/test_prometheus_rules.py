"""Rules of Prometheus: each fires at the right time, and names metrics that exist."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import msgspec
import pytest
from prometheus_client import CollectorRegistry, Metric

from analytics.alert_metrics import AlertMetrics
from analytics.figure_service import FigureMetrics
from edge_agent.health import BusLoad
from edge_agent.metrics import AgentMetrics
from edge_agent.publishing.publish_counts import PublishCounts
from edge_agent.spool.sample_counts import SampleCounts
from ingest.metrics import Metrics as IngestMetrics
from tests.conftest import ROOT

FOLDER = ROOT / "deploy" / "prometheus"
DOCS = ROOT / "docs" / "monitoring.md"
Rule = dict[str, Any]


def rules() -> list[Rule]:
    text = (FOLDER / "jieneng.rules.yaml").read_text(encoding="utf-8")
    return [rule for group in msgspec.yaml.decode(text)["groups"] for rule in group["rules"]]


RULES = {rule["alert"]: rule for rule in rules()}


class Case(NamedTuple):
    """Series with a value a minute, and what fires of them.

    Attributes:
        alert: name of the rule.
        series: values by series: `3x5` is five times 3, `0+60x5` is 0, 60, 120, 180, 240.
        calm: time at which it does not fire yet.
        firing: time at which it fires.
        over: time at which it fires no more; None to leave that out.
        labels: labels of the alert, beside its name and severity.
    """

    alert: str
    series: dict[str, str]
    calm: str
    firing: str
    over: str | None = None
    labels: str = 'instance="a", job="jieneng-edge"'


EDGE = 'instance="a", job="jieneng-edge"'
INGEST = 'instance="i", job="jieneng-ingest"'
ANALYTICS = 'instance="x", job="jieneng-analytics"'
ALL_UP = {f'up{{instance="{job}", job="jieneng-{job}"}}': "1x120" for job in ("edge", "ingest")}


def edge(name: str, values: str, more: str = "") -> dict[str, str]:
    return {f"jieneng_edge_{name}{{{EDGE}{more}}}": values}


def ingest(name: str, values: str, more: str = "") -> dict[str, str]:
    return {f"jieneng_ingest_{name}{{{INGEST}{more}}}": values}


METER = ', meter="m", site="s"'
LAST = "last_reading_timestamp_seconds"
#: Two copies of the ingest: the one saw the meter until minute 10, the other never.
SILENT = {
    **ingest(LAST, "0+60x10 600x110", METER),
    f'jieneng_ingest_{LAST}{{instance="j", job="jieneng-ingest"{METER}}}': "NaNx120",
    **ingest("reading_interval_seconds", "10x120", METER),
}
#: The only ingest starts again at minute 45, and the meter comes back at minute 60.
RESTARTED = {
    **ingest(LAST, "0x45 NaNx15 3600+60x60", METER),
    **ingest("reading_interval_seconds", "10x120", METER),
}
SERVICE = 'instance="a", job="jieneng-ingest"'
CASES = (
    Case("JienengWatchdog", {}, "", "0m", None, ""),
    Case("JienengServiceDown", {f"up{{{SERVICE}}}": "1x5 0x20 1x9"}, "9m", "10m", "25m", SERVICE),
    Case("JienengServiceAbsent", ALL_UP, "9m", "10m", None, 'job="jieneng-analytics"'),
    Case("JienengBrokerUnreachable", edge("broker_connected", "1x5 0x20 1"), "14m", "15m", "25m"),
    Case(
        "JienengReadingsNotAcknowledged",
        edge("unacknowledged_seconds", "0+60x20 0"),
        "15m",
        "16m",
        "21m",
    ),
    Case("JienengSpoolFilling", edge("spool_used_ratio", "0.5 0.51x30 0.4"), "10m", "11m", "31m"),
    Case("JienengSpoolNearlyFull", edge("spool_used_ratio", "0.9 0.91x9 0.9"), "1m", "2m", "10m"),
    Case(
        "JienengReadingsLost",
        edge("samples_dropped_total", "5x30 7x100", ', reason="full"'),
        "29m",
        "30m",
        "95m",
        f'{EDGE}, reason="full"',
    ),
    Case("JienengDiskFilling", edge("disk_used_ratio", "0.85 0.86x80 0.8"), "60m", "61m", "81m"),
    Case("JienengClockUntrusted", edge("clock_plausible", "1 0x20 1"), "15m", "16m", "21m"),
    Case(
        "JienengCertificateExpires",
        edge("certificate_expiry_timestamp_seconds", f"{21 * 86400 + 600}x60"),
        "10m",
        "11m",
    ),
    Case(
        "JienengBusFailing",
        {
            **edge("polls_total", "0+10x20 200x30 200+10x20", ', bus="b", result="ok"'),
            **edge("polls_total", "0x20 0+10x30 300x20", ', bus="b", result="failed"'),
        },
        "32m",
        "36m",
        "60m",
        f'bus="b", {EDGE}',
    ),
    Case(
        "JienengBusOverloaded",
        edge("bus_busy_ratio", "0.8 0.9x40 0.5", ', bus="b"'),
        "30m",
        "31m",
        "41m",
        f'bus="b", {EDGE}',
    ),
    Case("JienengMeterSilent", SILENT, "40m", "41m", None, 'meter="m", site="s"'),
    Case("JienengMeterSilent", RESTARTED, "30m", "59m", "110m", 'meter="m", site="s"'),
    Case("JienengMeterNeverRead", RESTARTED, "59m", "", "60m", 'meter="m", site="s"'),
    Case(
        "JienengMeterNeverRead",
        ingest(LAST, "NaNx60 3600", METER),
        "44m",
        "45m",
        "61m",
        'meter="m", site="s"',
    ),
    Case(
        "JienengIngestStoresNothing",
        ingest("points_total", "0+5x20 100x40 105+5x9", ', outcome="stored"'),
        "38m",
        "40m",
        "62m",
        "",
    ),
    Case("JienengStoreUnavailable", ingest("store_up", "1 0x9 1"), "5m", "6m", "10m", INGEST),
    Case(
        "JienengIngestWithoutBroker",
        {**ingest("broker_up", "1x20"), **ingest("subscription_up", "1 0x9 1")},
        "5m",
        "6m",
        "10m",
        INGEST,
    ),
    Case(
        "JienengReadingsSetAside",
        ingest("quarantine_samples", "0 3x20 0", ', kind="acknowledged"'),
        "10m",
        "11m",
        "21m",
        INGEST,
    ),
    Case("JienengQuarantineFull", ingest("quarantine_full", "0 1x9 0"), "5m", "6m", "10m", INGEST),
    Case(
        "JienengAnalyticsStalled",
        {f"jieneng_analytics_last_success_timestamp_seconds{{{ANALYTICS}}}": "0+60x10 600x60"},
        "40m",
        "41m",
        None,
        ANALYTICS,
    ),
    Case(
        "JienengAlertsNotEvaluated",
        {f"jieneng_alert_last_success_timestamp_seconds{{{ANALYTICS}}}": "0+60x10 600x60"},
        "19m",
        "25m",
        None,
        ANALYTICS,
    ),
    Case(
        "JienengNobodySendsNotices",
        {
            f"jieneng_alert_holder{{{ANALYTICS}}}": "1x5 0x30 1x9",
            'jieneng_alert_holder{instance="y", job="jieneng-analytics"}': "0x44",
        },
        "14m",
        "15m",
        "35m",
        'job="jieneng-analytics"',
    ),
    Case(
        "JienengNoticesNotDelivered",
        {
            f'jieneng_notices_total{{{ANALYTICS}, outcome="sent", receiver="duty"}}': "3x200",
            f'jieneng_notices_total{{{ANALYTICS}, outcome="refused", receiver="duty"}}': (
                "0x10 1+1x20 20x170"
            ),
            f'jieneng_notices_total{{{ANALYTICS}, outcome="sent", receiver="boss"}}': "0+1x200",
            f'jieneng_notices_total{{{ANALYTICS}, outcome="refused", receiver="boss"}}': "0+1x200",
        },
        "24m",
        "26m",
        "100m",
        'receiver="duty"',
    ),
    Case(
        "JienengNoticesGivenUp",
        {f'jieneng_notices_given_up{{{ANALYTICS}, receiver="duty"}}': "0x5 2x5 0x5"},
        "4m",
        "5m",
        "10m",
        'receiver="duty"',
    ),
    Case(
        "JienengCoverageLow",
        {f'jieneng_analytics_coverage_ratio{{{ANALYTICS}, scope="s"}}': "0.94x1500"},
        "23h59m",
        "24h",
        None,
        f'{ANALYTICS}, scope="s"',
    ),
)


@pytest.fixture(scope="module")
def promtool() -> str:
    """Prometheus' own checker; it is no service, so its absence is never a failure."""
    path = shutil.which("promtool")
    if path is None:
        pytest.skip("promtool is not installed (Debian: prometheus)")
    return path


def run(*command: str | Path) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.server
def test_promtool_accepts_the_configuration_and_all_rules(promtool: str) -> None:
    said = run(promtool, "check", "config", FOLDER / "prometheus.yaml")
    assert f"SUCCESS: {len(RULES)} rules found" in said


@pytest.mark.server
def test_each_rule_fires_when_it_should_and_not_before(promtool: str, tmp_path: Path) -> None:
    tests = [
        {
            "interval": "1m",
            "name": case.alert,
            "input_series": [
                {"series": name, "values": expanded(values)} for name, values in case.series.items()
            ],
            "promql_expr_test": [
                {
                    "expr": f'ALERTS{{alertname="{case.alert}", alertstate="firing"}}',
                    "eval_time": time,
                    "exp_samples": [expected(case)] if time == case.firing else [],
                }
                for time in (case.calm, case.firing, case.over)
                if time
            ],
        }
        for case in CASES
    ]
    file = tmp_path / "rules.test.yaml"
    file.write_text(  # JSON is YAML
        json.dumps(
            {
                "rule_files": [str(FOLDER / "jieneng.rules.yaml")],
                "evaluation_interval": "1m",
                "tests": tests,
            }
        )
    )
    assert "SUCCESS" in run(promtool, "test", "rules", file)


def expanded(values: str) -> str:
    """Return each value: promtool's own notation has one more than it says, and no NaN."""
    return " ".join(
        f"{float(first) + number * float(step or 0):g}"
        for part in values.split()
        for first, step, count in re.findall(r"^([^+x]+)(?:\+([^x]+))?(?:x(\d+))?$", part)
        for number in range(int(count or 1))
    )


def expected(case: Case) -> dict[str, Any]:
    rule = RULES[case.alert]
    own = f'alertname="{case.alert}", alertstate="firing", severity="{rule["labels"]["severity"]}"'
    labels = f"{own}, {case.labels}" if case.labels else own
    return {"labels": f"ALERTS{{{labels}}}", "value": 1}


def test_each_rule_has_a_case() -> None:
    assert {case.alert for case in CASES} == set(RULES)


def families() -> dict[str, Metric]:
    """All metrics of the services, by the names of their samples' families."""
    clock: Any = SimpleNamespace(monotonic=lambda: 1.0, now_ms=lambda: 1000)
    health: Any = SimpleNamespace(
        clock_trust=SimpleNamespace(jumps=0, is_trusted=True),
        uptime_s=1.0,
        timestamp_s=lambda seconds: seconds,
    )
    spool: Any = SimpleNamespace(counts=SampleCounts(), age_s=0.0, used_share=0.0, disk_used=0.0)
    publisher: Any = SimpleNamespace(
        counts=PublishCounts(), unacknowledged_s=lambda: 0.0, certificate_expiry_ms=0
    )
    buses: Any = SimpleNamespace(pollers=[])
    agent = AgentMetrics(health, BusLoad(list, clock), buses, spool, publisher)
    analytics = CollectorRegistry()
    FigureMetrics(analytics)
    AlertMetrics(analytics)
    return {
        family.name: family
        for registry in (agent.registry(), IngestMetrics().registry, analytics)
        for family in registry.collect()
    }


def exported_name(family: Metric) -> str:
    """Return the name of a family's samples in /metrics."""
    return f"{family.name}_total" if family.type == "counter" else family.name


def test_every_metric_that_a_rule_names_is_exported() -> None:
    exported = {exported_name(family) for family in families().values()}
    named = {name for rule in RULES.values() for name in re.findall(r"\bjieneng_\w+", rule["expr"])}
    assert named
    assert named <= exported


def test_every_metric_of_ingest_and_analytics_is_in_the_docs_and_no_other() -> None:
    """Metrics of the agent are in docs/agent.md, and all others in docs/monitoring.md."""
    text = DOCS.read_text(encoding="utf-8")
    exported = {
        exported_name(family)
        for family in families().values()
        if not family.name.startswith("jieneng_edge_")
    }
    assert set(re.findall(r"^\| `(jieneng_\w+)`", text, re.MULTILINE)) == exported


def test_every_rule_says_what_it_means_and_its_runbook_exists() -> None:
    text = DOCS.read_text(encoding="utf-8")
    anchors = {
        f"docs/monitoring.md#{heading.lower()}"
        for heading in re.findall(r"^### (\w+)$", text, re.MULTILINE)
    }
    used = set()
    for rule in RULES.values():
        annotations = rule["annotations"]
        for key in ("summary", "description"):
            assert re.search("[\u4e00-\u9fff]", annotations[key]), rule["alert"]
            assert re.search("[A-Za-z]{3}", annotations[key]), rule["alert"]
        assert annotations["runbook"] in anchors
        used.add(annotations["runbook"])
    assert used == anchors
