"""Settings of the ingest: `ingest.toml`. Every key has a default."""

from typing import Annotated, Final

import msgspec
from msgspec import Meta

from jieneng.broker import BrokerSettings
from jieneng.observe import MetricsSettings
from jieneng.storage import StoreSettings

SETTINGS_FILE: Final = "ingest.toml"


class SubscriptionSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The table `[subscription]`.

    Attributes:
        share: each batch goes to one of all running copies. False for a broker that does not know
            shared subscriptions, such as the embedded one; then a second copy does all work twice.
        group: the copies that share; copies for another store are another group.
    """

    share: bool = True
    group: Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=32)] = "ingest"


class BatchSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The table `[batch]`.

    Attributes:
        max_points: a write is made as soon as so many points wait ...
        max_delay_s: ... or the oldest has waited so long [s].
        max_waiting: points kept in memory while the store is away. What comes beyond is let go
            unacknowledged, and comes again from its agent.
    """

    max_points: Annotated[int, Meta(ge=1, le=100_000)] = 5000
    max_delay_s: Annotated[float, Meta(ge=0, le=60)] = 0.5
    max_waiting: Annotated[int, Meta(ge=1)] = 100_000


class QuarantineSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The table `[quarantine]`.

    Attributes:
        path: of the folder, relative to the site's.
        max_bytes: of one file; there are two, and the older one goes when both are full.
    """

    path: str = "quarantine"
    max_bytes: Annotated[int, Meta(ge=65536)] = 64 * 1024 * 1024


class IngestSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The whole of `ingest.toml`."""

    broker: BrokerSettings = BrokerSettings()
    store: StoreSettings = StoreSettings()
    subscription: SubscriptionSettings = SubscriptionSettings()
    batch: BatchSettings = BatchSettings()
    quarantine: QuarantineSettings = QuarantineSettings()
    metrics: MetricsSettings = MetricsSettings()
