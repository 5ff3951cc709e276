"""`/metrics` has the time of the newest stored reading of each polled meter, and of no other."""

import math

import msgspec
from prometheus_client import CollectorRegistry

from ingest.last_readings import LastReadings
from jieneng.metering.reading import PollReport, Sample
from jieneng.metering.schema import Point, poll_point, reading_point
from jieneng.metering.site import Meter, Site
from jieneng.site_folder import SiteFolder

LAST = "jieneng_ingest_last_reading_timestamp_seconds"
INTERVAL = "jieneng_ingest_reading_interval_seconds"


def reading(meter: str, time_ms: int) -> Point:
    point = reading_point("s", "electricity", Sample(meter, time_ms, 0, ("energy_kwh",), (1.0,)))
    assert point is not None
    return point


class Figures:
    """A site of which one meter is not polled, and what is said of it."""

    def __init__(self, example: SiteFolder) -> None:
        polled = next(one for one in example.site.meter if one.bus)
        by_hand = msgspec.structs.replace(polled, id="by-hand", bus=None)
        self.polled: Meter = polled
        self.site: Site = msgspec.structs.replace(example.site, meter=(polled, by_hand))
        self.readings = LastReadings()
        self.readings.current_site = lambda: self.site
        self.registry = CollectorRegistry()
        self.registry.register(self.readings)

    def said(self, name: str = LAST) -> dict[str, float]:
        return {
            sample.labels["meter"]: sample.value
            for family in self.registry.collect()
            for sample in family.samples
            if sample.name == name
        }


def test_the_newest_stored_reading_counts_whatever_comes_late(example: SiteFolder) -> None:
    figures = Figures(example)
    meter = figures.polled.id
    assert math.isnan(figures.said()[meter]), "nothing was stored since the start"
    figures.readings.add([reading(meter, 5_000), reading(meter, 9_500)], ())
    assert figures.said() == {meter: 9.5}
    figures.readings.add([reading(meter, 7_000)], ())
    assert figures.said() == {meter: 9.5}
    assert figures.said(INTERVAL) == {meter: figures.polled.interval_s}


def test_what_the_store_refused_and_a_poll_without_an_answer_are_no_readings(
    example: SiteFolder,
) -> None:
    figures = Figures(example)
    meter = figures.polled.id
    poll = poll_point("s", PollReport(meter, 8_000, False, 1_000, 2))
    figures.readings.add([reading(meter, 5_000), reading(meter, 9_500), poll], {1})
    assert figures.said() == {meter: 5.0}


def test_only_polled_meters_that_the_site_has_now_are_named(example: SiteFolder) -> None:
    figures = Figures(example)
    figures.readings.add([reading("by-hand", 5_000), reading("gone", 5_000)], ())
    assert set(figures.said()) == {figures.polled.id}
    figures.site = msgspec.structs.replace(figures.site, meter=())
    assert figures.said() == {}
