"""`/metrics` has every number: all are different here, so none can be exchanged for another."""

import math
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from edge_agent.health import AgentHealth, BusLoad
from edge_agent.metrics import AgentMetrics
from edge_agent.polling.poll import PollCounts
from edge_agent.publishing.publish_counts import PublishCounts
from edge_agent.spool.sample_counts import SampleCounts
from edge_agent.timekeeping.clock_trust import ClockTrust

#: Stands for NaN, which equals nothing.
UNKNOWN = -1
BEGIN_MS = 1_795_000_000_000
SPOOL = SampleCounts(
    read=106,
    stored=31,
    pending=40,
    size_bytes=4096,
    full=9,
    old=8,
    refused=7,
    damaged=3,
    undated=2,
    quarantined=6,
)
SENT = PublishCounts(published=66, acked=55, quarantined=4, parked=3, connected=True)


class Agent:
    """Two buses, a spool, what was sent, and a clock that has jumped once."""

    def __init__(self) -> None:
        self.now_s = 500.0
        clock: Any = SimpleNamespace(
            monotonic=lambda: self.now_s, now_ms=lambda: BEGIN_MS + round(1000 * self.now_s)
        )
        self.pollers: Any = [
            SimpleNamespace(
                bus="a",
                counts=PollCounts(ok=11, failed=12, busy_s=2.5),
                meter_states={
                    "e-1": SimpleNamespace(answered_s=490.5),
                    "e-2": SimpleNamespace(answered_s=math.nan),
                },
            ),
            SimpleNamespace(
                bus="b", counts=PollCounts(ok=21, failed=22, busy_s=7.5), meter_states={}
            ),
        ]
        self.clock_trust = ClockTrust(BEGIN_MS, 0)
        self.clock_trust.update(BEGIN_MS + 60_000, 0)
        health = AgentHealth(BusLoad(lambda: self.pollers, clock), self.clock_trust, clock)
        buses: Any = SimpleNamespace(pollers=self.pollers)
        spool: Any = SimpleNamespace(counts=SPOOL, age_s=120.5, used_share=0.0625, disk_used=0.875)
        self.spool = spool
        publisher: Any = SimpleNamespace(
            counts=SENT,
            unacknowledged_s=lambda: 75.5,
            certificate_expiry_ms=BEGIN_MS + 500,
        )
        load = BusLoad(lambda: self.pollers, clock)
        self.publisher = publisher
        self.registry = AgentMetrics(health, load, buses, spool, publisher).registry()

    def says(self) -> dict[str, float]:
        """Each sample as Prometheus reads it."""
        text = generate_latest(self.registry).decode()
        return {
            " ".join((one.name, *one.labels.values())): (
                UNKNOWN if math.isnan(one.value) else one.value
            )
            for family in text_string_to_metric_families(text)
            for one in family.samples
        }


def test_every_number_is_said_as_it_is() -> None:
    agent = Agent()
    agent.now_s += 20.0
    assert agent.says() == {
        "jieneng_edge_polls_total a ok": 11,
        "jieneng_edge_polls_total a failed": 12,
        "jieneng_edge_polls_total b ok": 21,
        "jieneng_edge_polls_total b failed": 22,
        "jieneng_edge_poll_seconds_total a": 2.5,
        "jieneng_edge_poll_seconds_total b": 7.5,
        "jieneng_edge_last_reading_timestamp_seconds a e-1": BEGIN_MS / 1000 + 490.5,
        "jieneng_edge_last_reading_timestamp_seconds a e-2": UNKNOWN,
        "jieneng_edge_bus_busy_ratio a": 0.125,
        "jieneng_edge_bus_busy_ratio b": 0.375,
        "jieneng_edge_samples_read_total": 106,
        "jieneng_edge_samples_stored_total": 31,
        "jieneng_edge_samples_quarantined_total": 6,
        "jieneng_edge_samples_dropped_total full": 9,
        "jieneng_edge_samples_dropped_total old": 8,
        "jieneng_edge_samples_dropped_total refused": 7,
        "jieneng_edge_samples_dropped_total damaged": 3,
        "jieneng_edge_samples_dropped_total undated": 2,
        "jieneng_edge_batches_published_total": 66,
        "jieneng_edge_batches_acked_total": 55,
        "jieneng_edge_batches_quarantined_total": 4,
        "jieneng_edge_batches_parked_total": 3,
        "jieneng_edge_unacknowledged_seconds": 75.5,
        "jieneng_edge_spool_pending": 40,
        "jieneng_edge_spool_bytes": 4096,
        "jieneng_edge_spool_used_ratio": 0.0625,
        "jieneng_edge_disk_used_ratio": 0.875,
        "jieneng_edge_certificate_expiry_timestamp_seconds": BEGIN_MS / 1000 + 0.5,
        "jieneng_edge_spool_age_seconds": 120.5,
        "jieneng_edge_uptime_seconds": 20,
        "jieneng_edge_clock_plausible": 1,
        "jieneng_edge_clock_jumps_total": 1,
        "jieneng_edge_broker_connected": 1,
    }


def test_every_reason_for_which_a_sample_is_dropped_is_said() -> None:
    """read = stored + quarantined + pending + dropped, also for who has nothing but /metrics."""
    said = Agent().says()
    dropped = sum(value for name, value in said.items() if "_samples_dropped_total" in name)
    assert dropped == SPOOL.dropped
    assert said["jieneng_edge_samples_read_total"] == (
        said["jieneng_edge_samples_stored_total"]
        + said["jieneng_edge_samples_quarantined_total"]
        + said["jieneng_edge_spool_pending"]
        + dropped
    )


def test_every_figure_is_named_in_the_docs_and_none_that_is_not_there() -> None:
    text = (Path(__file__).parents[2] / "docs" / "agent.md").read_text(encoding="utf-8")
    agent = Agent()
    agent.now_s += 1.0
    figures = {name.split()[0] for name in agent.says()}
    assert set(re.findall(r"^\| `(jieneng_edge_\w+)`", text, re.MULTILINE)) == figures


def test_an_unknown_disk_and_a_connection_without_tls_have_no_figure() -> None:
    agent = Agent()
    agent.spool.disk_used = agent.publisher.certificate_expiry_ms = None
    assert not {name for name in agent.says() if "disk" in name or "certificate" in name}


def test_what_is_asked_again_is_said_as_it_is_then() -> None:
    agent = Agent()
    agent.now_s += 20.0
    agent.says()
    agent.now_s += 10.0
    agent.pollers[0].counts.add(4.0, complete=True)
    agent.clock_trust.update(0, 0)
    said = agent.says()
    assert said["jieneng_edge_polls_total a ok"] == 12
    assert said["jieneng_edge_poll_seconds_total a"] == 6.5
    assert said["jieneng_edge_bus_busy_ratio a"] == 0.4
    assert said["jieneng_edge_bus_busy_ratio b"] == 0.0
    assert said["jieneng_edge_uptime_seconds"] == 30
    assert said["jieneng_edge_clock_plausible"] == 0
