"""Settings of the ingest: `ingest.toml`. Every key has a default."""

from typing import Annotated, Final

import msgspec
from msgspec import Meta

from jieneng.metering.site import Id
from jieneng.mqtt.broker import BrokerSettings
from jieneng.observe import MetricsSettings
from jieneng.storage import StoreSettings

SETTINGS_FILE: Final = "ingest.toml"


class SubscriptionSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The table `[subscription]`.

    Attributes:
        share: True if each batch goes to only one of the running copies. False for a broker without
            shared subscriptions, such as the embedded one; a second copy then repeats all work.
        group: name of the group of copies that share the batches. Copies that write to another
            store must have another group.
        probe_interval_s: time without a batch after which the ingest publishes a probe to itself,
            and longest time until the probe comes back [s].
    """

    share: bool = True
    group: Id = "ingest"
    probe_interval_s: Annotated[float, Meta(gt=0, le=3600)] = 30.0


class BatchSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The table `[batch]`.

    Attributes:
        max_points: a write begins when this many points wait.
        max_delay_s: a write begins when the oldest message has waited this long [s].
        max_waiting: largest number of points kept in memory while the store is not available.
            Further messages are dropped without acknowledgement, so their agents send them again.
    """

    max_points: Annotated[int, Meta(ge=1, le=100_000)] = 5000
    max_delay_s: Annotated[float, Meta(ge=0, le=60)] = 0.5
    max_waiting: Annotated[int, Meta(ge=1)] = 20_000


class QuarantineSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The table `[quarantine]`.

    Attributes:
        path: the folder, relative to the site's folder.
        max_bytes: largest size of the acknowledged entries [bytes]. Then the quarantine is full; no
            acknowledged entry is deleted to make room.
        max_other_bytes: largest size of the unacknowledged entries, such as messages of unknown
            agents [bytes]. Then the oldest of them are deleted.
    """

    path: str = "quarantine"
    max_bytes: Annotated[int, Meta(ge=65536)] = 64 * 1024 * 1024
    max_other_bytes: Annotated[int, Meta(ge=65536)] = 4 * 1024 * 1024


class IngestSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The content of `ingest.toml`."""

    broker: BrokerSettings = BrokerSettings()
    store: StoreSettings = StoreSettings()
    subscription: SubscriptionSettings = SubscriptionSettings()
    batch: BatchSettings = BatchSettings()
    quarantine: QuarantineSettings = QuarantineSettings()
    metrics: MetricsSettings = MetricsSettings()
