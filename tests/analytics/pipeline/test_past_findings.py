"""Findings about a meter's past survive a new computation of days, and go with their cause."""

from datetime import date, timedelta
from pathlib import Path

import pytest

from analytics import periods
from analytics.pipeline.finding_store import FindingStore
from analytics.pipeline.pipeline import Pipeline
from analytics.site_analytics import load_rules
from jieneng.metering.schema import Point
from jieneng.site_folder import SiteFolder
from jieneng.storage import Store
from tests.analytics.sites import folder as site_folder

FIRST, DAYS = date(2024, 3, 1), 120
SITE = """
[[area]]
id = "block"
name = "block"

[[meter]]
id = "e"
name = "e"
medium = "electricity"
area = "block"
rated_max = 100.0
"""


@pytest.fixture
def small(tmp_path: Path) -> SiteFolder:
    return site_folder(tmp_path, SITE)


async def write(small: SiteFolder, store: Store, lacking: float) -> None:
    """Write a reading for each day; 2000 kWh too much from day 100 on, less what is lacking."""
    await store.write(
        [
            Point.of(
                "electricity",
                (("meter", "e"), ("site", "centre")),
                (("energy_kwh", 100.0 * day + (2000 - lacking) * (day > 100)),),
                periods.midnight_ms(FIRST + timedelta(days=day), small.site.zone),
            )
            for day in range(DAYS + 1)
        ]
    )


async def codes(small: SiteFolder, store: Store) -> list[tuple[str, date]]:
    found = await FindingStore(small.site, store).overlapping(0, 2**42)
    zone = small.site.zone
    return [(one.finding.code, periods.local_day(one.first_ms, zone)) for one in found]


async def test_it_stays_and_goes(small: SiteFolder, store: Store) -> None:
    last = FIRST + timedelta(days=DAYS - 1)
    unusual = [("unusual_step", FIRST + timedelta(days=100))]
    runner = Pipeline(small, load_rules(small.path), store, detail_days=1, window_months=1)
    await write(small, store, 0.0)
    [returned] = await runner.backfill(FIRST, last, lambda _: None)
    assert returned.code == "unusual_step"
    assert await codes(small, store) == unusual
    await runner.backfill(last, last, lambda _: None)
    again = Pipeline(small, load_rules(small.path), store, detail_days=1)
    await again.backfill(FIRST + timedelta(days=95), FIRST + timedelta(days=105), lambda _: None)
    assert await codes(small, store) == unusual
    await write(small, store, 2000.0)
    await again.backfill(FIRST + timedelta(days=99), last, lambda _: None)
    assert await codes(small, store) == []


async def test_the_newest_days_are_judged_once_a_day(
    small: SiteFolder, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service computes today and yesterday every minute; the past is years long."""
    last = FIRST + timedelta(days=DAYS - 1)
    runner = Pipeline(small, load_rules(small.path), store, detail_days=1)
    await write(small, store, 0.0)
    assert await runner.backfill(FIRST, last, lambda _: None)
    judged: list[str] = []
    monkeypatch.setattr(FindingStore, "rewrite", _counted(FindingStore.rewrite, judged))
    await runner.backfill(last, last, lambda _: None)
    assert judged == ["False"]
    await runner.backfill(last - timedelta(days=9), last, lambda _: None)
    assert judged == ["False", "False", "True"]


def _counted(function: object, calls: list[str]) -> object:
    async def counted(self: FindingStore, *arguments: object, of_past: bool = False) -> object:
        calls.append(str(of_past))
        return await function(self, *arguments, of_past=of_past)  # type: ignore[operator]  # the method

    return counted
