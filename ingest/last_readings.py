"""Keep the time of the newest stored reading of each meter, for Prometheus.

Laws:

- Only meters of the current site that are on a bus have figures, so the number of figures is
  bounded.
- The time is NaN for a meter of which no reading was stored since the process started, because this
  process does not know the earlier readings.
"""

import math
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Final

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from jieneng.metering.quantities import MEDIA
from jieneng.metering.schema import Point
from jieneng.metering.site import Site

_MEDIA: Final = frozenset[str](MEDIA)


class LastReadings(Collector):
    """The times of the newest readings.

    Attributes:
        current_site: returns the current site; None as long as there is none.
    """

    def __init__(self) -> None:
        self.current_site: Callable[[], Site | None] = lambda: None
        self._newest_ms: dict[str, int] = {}

    def add(self, points: Sequence[Point], not_stored: Collection[int]) -> None:
        """Take the readings of a write.

        Args:
            points: the points that were to be written.
            not_stored: indices of points that were not stored.
        """
        newest_ms = self._newest_ms
        for index, point in enumerate(points):
            if point.measurement in _MEDIA and index not in not_stored:
                meter = point.tags[0][1]  # of "meter" and "site", sorted
                if point.time_ms > newest_ms.get(meter, 0):
                    newest_ms[meter] = point.time_ms

    def collect(self) -> Iterable[Metric]:
        """Yield the figures of the site's meters, as prometheus_client asks for them."""
        last = GaugeMetricFamily(
            "jieneng_ingest_last_reading_timestamp_seconds",
            "Time of the newest stored reading of a meter; NaN if none was stored since the start.",
            labels=["site", "meter"],
        )
        interval = GaugeMetricFamily(
            "jieneng_ingest_reading_interval_seconds",
            "Interval at which a meter is to be read.",
            labels=["site", "meter"],
        )
        site = self.current_site()
        if site is not None:
            for meter in site.meter:
                if meter.bus is not None:
                    labels = [site.site.id, meter.id]
                    last.add_metric(labels, self._newest_ms.get(meter.id, math.nan) / 1000)
                    interval.add_metric(labels, meter.interval_s)
        yield last
        yield interval
