"""Readings are counted in the store, by local day, and the counts outlive the readings."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from analytics import periods
from analytics.pipeline.quality.reading_counts import ReadingCounts
from analytics.quality.completeness import PointReadings
from jieneng.metering import schema
from jieneng.metering.reading import PollReport
from jieneng.metering.schema import Point
from jieneng.site_folder import SiteFolder
from jieneng.storage import Store
from tests.analytics.sites import HEAD
from tests.analytics.sites import folder as site_folder

QUARTER_MS = 900_000
SITE = """
[[area]]
id = "block"
name = "block"

[[bus]]
id = "bus"
agent = "agent-1"
host = "192.0.2.1"

[[meter]]
id = "e"
name = "e"
medium = "electricity"
area = "block"
model = "acrel-ddsy1352"
bus = "bus"
interval_s = 900
rated_max = 20.0
"""
#: The clock of London goes on at 01:00 on 2025-03-30, so that this day has 23 hours.
FIRST, END = date(2025, 3, 28), date(2025, 4, 8)


@pytest.fixture
def small(tmp_path: Path) -> SiteFolder:
    zone = 'name = "centre"\ntimezone = "Europe/London"'
    return site_folder(tmp_path, SITE, HEAD.replace('name = "centre"', zone, 1))


async def fill(small: SiteFolder, store: Store) -> None:
    """Write polls from noon of the first day, and readings before them, of an import."""
    edges = periods.edges_ms(date(2025, 3, 27), END, "day", small.site.zone)
    times = np.arange(edges[0], edges[-1], QUARTER_MS).tolist()
    tags = (("meter", "e"), ("site", "centre"))
    lost = set(times[-96 * 2 : -96])
    await store.write(
        [
            Point(
                "electricity",
                tags,
                ("energy_kwh", *(("power_kw",) if number % 2 else ()), "quality"),
                (float(number), *((1.0,) if number % 2 else ()), 0.0),
                time_ms,
            )
            for number, time_ms in enumerate(times)
            if time_ms not in lost
        ]
    )
    noon_ms = int(edges[1]) + 12 * 3_600_000
    await store.write([schema.poll_point("centre", PollReport("e", noon_ms, True, 60, 1))])


def stored(found: Sequence[PointReadings], quantity: str) -> list[float]:
    point = next(one for one in found if one.quantity == quantity)
    return [float(number) for number in point.stored]


async def test_readings_are_counted_by_local_day_from_the_first_whole_day_of_polls(
    small: SiteFolder, store: Store
) -> None:
    await fill(small, store)
    found = await ReadingCounts(small, store).of_days(FIRST, END)
    energy = found[0]
    assert (energy.meter, energy.quantity) == ("e", "energy_kwh")
    assert energy.expected.tolist() == [0, 96, 92, *[96] * 8]
    assert energy.stored.tolist() == [0, 96, 92, *[96] * 6, 0, 96]
    assert stored(found, "power_kw")[1:4] == [48, 46, 48]
    assert {one.quantity for one in found} == {"energy_kwh", "power_kw"}


async def test_counts_outlive_the_readings(small: SiteFolder, store: Store) -> None:
    await fill(small, store)
    before = await ReadingCounts(small, store).of_days(FIRST, END)
    edges = periods.edges_ms(FIRST, END, "day", small.site.zone)
    await store.delete("electricity", where={}, start_ms=0, end_ms=int(edges[4]))
    after = await ReadingCounts(small, store).of_days(FIRST, END)
    assert stored(after, "energy_kwh")[:3] == stored(before, "energy_kwh")[:3]


async def test_a_site_that_nobody_polls_has_no_counts(small: SiteFolder, store: Store) -> None:
    assert await ReadingCounts(small, store).of_days(FIRST, END) == []
