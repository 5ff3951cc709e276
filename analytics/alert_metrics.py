"""Export metrics of the alert service for Prometheus."""

from collections.abc import Iterable, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from analytics.alerts.alert import Alert
from analytics.alerts.alert_rule import SEVERITIES
from analytics.alerts.delivery.outbox_entry import EntryState


class AlertMetrics:
    """The metrics of one copy of the alert service.

    Args:
        registry: the registry of the analytics.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self.rounds = Counter(
            "jieneng_alert_rounds", "Alert rounds, by outcome", ["outcome"], registry=registry
        )
        self.seconds = Histogram(
            "jieneng_alert_round_seconds", "Duration of an alert round", registry=registry
        )
        self.success = Gauge(
            "jieneng_alert_last_success_timestamp_seconds",
            "Time of the last successful alert round, UTC",
            registry=registry,
        )
        self.holder = Gauge(
            "jieneng_alert_holder",
            "1 if this copy has the lead and plans notices",
            registry=registry,
        )
        self._firing = Gauge(
            "jieneng_alerts_firing", "Firing alerts, by severity", ["severity"], registry=registry
        )
        self._notices = Counter(
            "jieneng_notices",
            "Notices by receiver and outcome: sent, refused, limited or unreachable",
            ["receiver", "outcome"],
            registry=registry,
        )
        self._waiting = Gauge(
            "jieneng_notices_waiting",
            "Notices in the outbox, by receiver",
            ["receiver"],
            registry=registry,
        )
        self._given_up = Gauge(
            "jieneng_notices_given_up",
            "Notices of the last month that a receiver refused for a day, and that were given up",
            ["receiver"],
            registry=registry,
        )

    def count_notices(self, receiver: str, outcome: str, notices: int) -> None:
        """Count the notices that one message to a receiver contained, by outcome."""
        self._notices.labels(receiver, outcome).inc(notices)

    def show_alerts(self, alerts: Iterable[Alert]) -> None:
        """Set the number of firing alerts, by severity."""
        firing = [alert.severity for alert in alerts if alert.phase == "firing"]
        for severity in SEVERITIES:
            self._firing.labels(severity).set(firing.count(severity))

    def show_outbox(self, counts: Mapping[tuple[str, EntryState], int]) -> None:
        """Set the number of notices in the outbox, by receiver and state."""
        for receiver in {receiver for receiver, _ in counts}:
            self._waiting.labels(receiver).set(counts.get((receiver, "waiting"), 0))
            self._given_up.labels(receiver).set(counts.get((receiver, "given_up"), 0))
