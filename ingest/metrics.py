"""Define the metrics of the ingest for Prometheus. A name ends in the unit of the metric."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from ingest.last_readings import LastReadings


class Metrics:
    """The metrics of one ingest, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.last_readings = LastReadings()
        self.registry.register(self.last_readings)
        self.received = Counter(
            "jieneng_ingest_messages",
            "Messages received: stored, ignored (nothing to store or quarantine), refused "
            "(quarantined whole), repeated (already waiting), postponed (not due again), overflow "
            "(dropped, sent again).",
            ["outcome"],
            registry=self.registry,
        )
        self.points = Counter(
            "jieneng_ingest_points",
            "Points that the store took or rejected; a point written again counts again.",
            ["outcome"],
            registry=self.registry,
        )
        for outcome in ("stored", "rejected"):  # set to 0 at the start: a rate needs a first value
            self.points.labels(outcome)
        self.set_aside = Counter(
            "jieneng_ingest_set_aside",
            "Samples, messages and points put into quarantine.",
            ["reason"],
            registry=self.registry,
        )
        self.quarantine_lost = Counter(
            "jieneng_ingest_quarantine_lost",
            "Quarantined entries that were deleted to make room for newer entries, or that could "
            "not be written to disk. No such entry was acknowledged to an agent.",
            registry=self.registry,
        )
        self.quarantine_samples = Gauge(
            "jieneng_ingest_quarantine_samples",
            "Samples in the quarantine, by kind: acknowledged to their agents, or other.",
            ["kind"],
            registry=self.registry,
        )
        self.quarantine_bytes = Gauge(
            "jieneng_ingest_quarantine_bytes",
            "Size of the quarantine that is compared with its limits.",
            ["kind"],
            registry=self.registry,
        )
        self.quarantine_full = Gauge(
            "jieneng_ingest_quarantine_full",
            "1 while the quarantine is full, so that no batch with new entries is acknowledged.",
            registry=self.registry,
        )
        self.acknowledged = Counter(
            "jieneng_ingest_acknowledged_batches",
            "Batches acknowledged to their agents, by outcome.",
            ["agent", "outcome"],
            registry=self.registry,
        )
        self.write_s = Histogram(
            "jieneng_ingest_store_write_seconds",
            "Time of a successful write to the store.",
            buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10),
            registry=self.registry,
        )
        self.waiting = Gauge(
            "jieneng_ingest_waiting_points",
            "Points in memory that are not in the store yet.",
            registry=self.registry,
        )
        self.store_up = Gauge(
            "jieneng_ingest_store_up", "1 if the last write succeeded.", registry=self.registry
        )
        self.subscription_up = Gauge(
            "jieneng_ingest_subscription_up",
            "0 while the broker passes neither batches nor probes to the subscription.",
            registry=self.registry,
        )
        self.subscription_up.set(1)
        self.broker_up = Gauge(
            "jieneng_ingest_broker_up", "1 while connected to the broker.", registry=self.registry
        )
