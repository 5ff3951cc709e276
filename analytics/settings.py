"""Settings of the analytics, from `analytics.toml`. Everything has a default."""

from typing import Annotated

import msgspec
from msgspec import Meta

from analytics.figures.figure import Convention
from jieneng.observe import MetricsSettings
from jieneng.storage.settings import StoreSettings


class AnalyticsSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of `analytics.toml`.

    Attributes:
        convention: convention of electricity's coal equivalent: `equivalent` (0.1229 kgce/kWh), or
            `coal_consumption` (the coal that a power station burns for it). Figures of the two
            are never mixed.
        coverage_floor: least coverage of the elapsed period for a verdict, 0 to 1.
        every_s: interval at which today and yesterday are computed again [s].
        late_every_s: interval at which earlier days that are not fully covered are computed
            again [s].
        late_days: number of these earlier days. Days that the ingest marked are computed again,
            however old they are.
        detail_days: number of the newest days that are stored by hour and quarter of an hour too.
        store: the database.
        metrics: the endpoint for Prometheus.
    """

    convention: Convention = "equivalent"
    coverage_floor: Annotated[float, Meta(gt=0, le=1)] = 0.95
    every_s: Annotated[float, Meta(ge=1)] = 60.0
    late_every_s: Annotated[float, Meta(ge=1)] = 3600.0
    late_days: Annotated[int, Meta(ge=1)] = 35
    detail_days: Annotated[int, Meta(ge=1)] = 31
    store: StoreSettings = StoreSettings()
    metrics: MetricsSettings = MetricsSettings()
