"""Export the agent's figures to Prometheus.

The polling code counts in plain numbers, which is fast. The numbers are converted here when
Prometheus reads them.
"""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from edge_agent.health import AgentHealth, BusLoad
from edge_agent.polling.bus_tasks import BusTasks
from edge_agent.publishing.publisher import Publisher
from edge_agent.spool.sample_counts import REASONS
from edge_agent.spool.spool import Spool


class AgentMetrics(Collector):
    """The agent's figures at the moment of a scrape."""

    def __init__(
        self,
        health: AgentHealth,
        bus_load: BusLoad,
        buses: BusTasks,
        spool: Spool,
        publisher: Publisher,
    ) -> None:
        self._health = health
        self._bus_load = bus_load
        self._buses = buses
        self._spool = spool
        self._publisher = publisher

    def registry(self) -> CollectorRegistry:
        """Return a registry with these figures in it."""
        registry = CollectorRegistry()
        registry.register(self)
        return registry

    def collect(self) -> Iterable[Metric]:
        """Yield all figures, as prometheus_client asks for them."""
        yield from self._polls()
        yield self._last_readings()
        yield self._busy()
        spool, sent = self._spool.counts, self._publisher.counts
        clock_trust = self._health.clock_trust
        counters = (
            ("jieneng_edge_samples_read", "samples read since the spool was made", spool.read),
            ("jieneng_edge_samples_stored", "samples stored by the ingest", spool.stored),
            ("jieneng_edge_samples_quarantined", "samples set aside by ingest", spool.quarantined),
            ("jieneng_edge_batches_published", "batches published, with resends", sent.published),
            ("jieneng_edge_batches_acked", "batches acknowledged by the ingest", sent.acked),
            ("jieneng_edge_batches_quarantined", "batches set aside by ingest", sent.quarantined),
            ("jieneng_edge_batches_parked", "unacknowledged batches that were parked", sent.parked),
            ("jieneng_edge_clock_jumps", "jumps of the system clock so far", clock_trust.jumps),
        )
        for name, text, count in counters:
            yield CounterMetricFamily(name, text, value=count)
        yield from self._dropped()
        gauges = (
            ("jieneng_edge_uptime_seconds", "time since the agent started", self._health.uptime_s),
            (
                "jieneng_edge_clock_plausible",
                "1 while the clock is trusted",
                clock_trust.is_trusted,
            ),
            ("jieneng_edge_spool_pending", "samples on the disk, not yet stored", spool.pending),
            ("jieneng_edge_spool_bytes", "payload bytes on the disk", spool.size_bytes),
            (
                "jieneng_edge_spool_used_ratio",
                "payload on the disk, as a share of the spool's limit",
                self._spool.used_share,
            ),
            ("jieneng_edge_spool_age_seconds", "age of the oldest batch", self._spool.age_s),
            (
                "jieneng_edge_unacknowledged_seconds",
                "time since the last acknowledgement while batches are published",
                self._publisher.unacknowledged_s(),
            ),
            ("jieneng_edge_broker_connected", "1 if connected to the broker", sent.connected),
        )
        for name, text, value in gauges:
            yield GaugeMetricFamily(name, text, value=value)
        yield from self._if_known()

    def _if_known(self) -> Iterable[Metric]:
        """Yield the figures that may be unknown: without TLS, there is no certificate."""
        expiry_ms = self._publisher.certificate_expiry_ms
        gauges = (
            (
                "jieneng_edge_disk_used_ratio",
                "used share of the spool's disk",
                self._spool.disk_used,
            ),
            (
                "jieneng_edge_certificate_expiry_timestamp_seconds",
                "time at which the broker's or the agent's certificate expires",
                None if expiry_ms is None else expiry_ms / 1000,
            ),
        )
        for name, text, value in gauges:
            if value is not None:
                yield GaugeMetricFamily(name, text, value=value)

    def _dropped(self) -> Iterable[Metric]:
        dropped = CounterMetricFamily(
            "jieneng_edge_samples_dropped", "samples read and dropped", labels=["reason"]
        )
        for reason in REASONS:
            dropped.add_metric([reason], getattr(self._spool.counts, reason))
        yield dropped

    def _busy(self) -> Metric:
        busy = GaugeMetricFamily(
            "jieneng_edge_bus_busy_ratio",
            "share of the time since the last scrape in which a bus was busy",
            labels=["bus"],
        )
        for bus, share in self._bus_load.measure().items():
            busy.add_metric([bus], share)
        return busy

    def _last_readings(self) -> Metric:
        """Return the time of each meter's last answer; NaN if it gave none since the start."""
        last = GaugeMetricFamily(
            "jieneng_edge_last_reading_timestamp_seconds",
            "time of the last answer of a meter; NaN before the first one",
            labels=["bus", "meter"],
        )
        for poller in self._buses.pollers:
            for meter, state in poller.meter_states.items():
                last.add_metric([poller.bus, meter], self._health.timestamp_s(state.answered_s))
        return last

    def _polls(self) -> Iterable[Metric]:
        polls = CounterMetricFamily(
            "jieneng_edge_polls", "polls of a meter", labels=["bus", "result"]
        )
        seconds = CounterMetricFamily(
            "jieneng_edge_poll_seconds",
            "time that polls took, on the agent's clock",
            labels=["bus"],
        )
        for poller in self._buses.pollers:
            polls.add_metric([poller.bus, "ok"], poller.counts.ok)
            polls.add_metric([poller.bus, "failed"], poller.counts.failed)
            seconds.add_metric([poller.bus], poller.counts.busy_s)
        yield polls
        yield seconds
