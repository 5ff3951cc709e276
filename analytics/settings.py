"""The settings of the analytics: `analytics.toml`. Everything has a default."""

from typing import Annotated

import msgspec
from msgspec import Meta

from analytics.figures.figure import Convention
from jieneng.observe import MetricsSettings
from jieneng.storage.settings import StoreSettings


class AnalyticsSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The whole of `analytics.toml`.

    Attributes:
        convention: of electricity's coal equivalent: `equivalent` (0.1229 kgce/kWh), or
            `coal_consumption` (what a power station burns for it). Levels are never mixed.
        coverage_floor: below this share of the period so far there is no verdict.
        every_s: how often today and yesterday are computed again.
        late_every_s: how often earlier days that are not fully covered are computed again ...
        late_days: ... and how far back; what arrives later wants a backfill.
        detail_days: how far back consumption by hour and quarter of an hour is kept up.
    """

    convention: Convention = "equivalent"
    coverage_floor: Annotated[float, Meta(gt=0, le=1)] = 0.95
    every_s: Annotated[float, Meta(ge=1)] = 60.0
    late_every_s: Annotated[float, Meta(ge=1)] = 3600.0
    late_days: Annotated[int, Meta(ge=1)] = 35
    detail_days: Annotated[int, Meta(ge=1)] = 31
    store: StoreSettings = StoreSettings()
    metrics: MetricsSettings = MetricsSettings()
