"""Settings of the analytics, from `analytics.toml`. Every key has a default."""

from typing import Annotated

import msgspec
from msgspec import Meta

from analytics.figures.figure import Convention
from jieneng.observe import MetricsSettings
from jieneng.storage.settings import StoreSettings


class AlertSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The table `[alerts]` of `analytics.toml`.

    Attributes:
        enabled: false if this copy of the analytics evaluates no alerts and sends no notices.
        every_s: interval of evaluation [s].
        outbox: file in which notices wait for their receivers, relative to the site's folder.
    """

    enabled: bool = True
    every_s: Annotated[float, Meta(ge=1)] = 10.0
    outbox: str = "outbox.sqlite"


class AnalyticsSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of `analytics.toml`.

    Attributes:
        convention: convention for the coal equivalent of electricity: `equivalent`
            (0.1229 kgce/kWh), or `coal_consumption` (the coal burnt in power stations for a kWh).
            Figures with different conventions are never mixed.
        coverage_floor: smallest coverage of the elapsed period for a verdict, 0 to 1.
        every_s: interval at which today and yesterday are computed again [s].
        late_every_s: interval at which earlier days that are not fully covered are computed
            again [s].
        late_days: number of earlier days that are checked at `late_every_s`. Days that the ingest
            has marked are computed again at any age.
        detail_days: number of latest days for which values by hour and by quarter of an hour are
            stored, too.
        alerts: evaluation of alerts, and their notices.
        store: the database.
        metrics: the endpoint for Prometheus.
    """

    convention: Convention = "equivalent"
    coverage_floor: Annotated[float, Meta(gt=0, le=1)] = 0.95
    every_s: Annotated[float, Meta(ge=1)] = 60.0
    late_every_s: Annotated[float, Meta(ge=1)] = 3600.0
    late_days: Annotated[int, Meta(ge=1)] = 35
    detail_days: Annotated[int, Meta(ge=1)] = 31
    alerts: AlertSettings = AlertSettings()
    store: StoreSettings = StoreSettings()
    metrics: MetricsSettings = MetricsSettings()
