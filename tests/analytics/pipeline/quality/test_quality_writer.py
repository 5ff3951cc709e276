"""The rating is written once a day; of the issues only those of the latest rating stay."""

from datetime import date
from pathlib import Path

import numpy as np

from analytics import periods
from analytics.pipeline.pipeline import Pipeline
from analytics.pipeline.quality.quality_writer import QualityWriter
from analytics.site_analytics import load_rules
from jieneng.metering import schema
from jieneng.metering.schema import Point
from jieneng.storage import Store
from tests.analytics.sites import folder as site_folder

SITE = """
[[area]]
id = "block"
name = "block"
institutions = ["bureau"]
floor_area_m2 = [{from = 2020-01-01, value = 1000.0}]
headcount = [{from = 2020-01-01, value = 100}]

[[meter]]
id = "e"
name = "e"
medium = "electricity"
area = "block"
"""
FIRST, LAST = date(2025, 1, 1), date(2025, 1, 31)
HOUR_MS = 3_600_000


async def scores(store: Store) -> dict[int, float]:
    [series] = await store.read(
        schema.DATA_QUALITY,
        "score",
        where={"site": "centre", "scope": "centre"},
        start_ms=0,
        end_ms=2**43,
    )
    return dict(zip(series.times_ms.tolist(), series.values.tolist(), strict=True))


async def issue_codes(store: Store) -> list[tuple[str, int]]:
    found = await store.read(
        schema.QUALITY_ISSUE, "points", where={"scope": "centre"}, start_ms=0, end_ms=2**43
    )
    return [(one.tags["code"], time_ms) for one in found for time_ms in one.times_ms.tolist()]


async def test_a_mended_issue_is_gone_on_the_next_day(tmp_path: Path, store: Store) -> None:
    """The last 12 of 31 days are unread at first; then their readings are imported."""
    small = site_folder(tmp_path, SITE)
    zone = small.site.zone
    times = np.arange(
        periods.midnight_ms(FIRST, zone), periods.midnight_ms(date(2025, 2, 3), zone), HOUR_MS
    )
    tags = (("meter", "e"), ("site", "centre"))
    points = [
        Point("electricity", tags, ("energy_kwh", "quality"), (10.0 * n + n % 7, 0.0), time_ms)
        for n, time_ms in enumerate(times.tolist())
    ]
    await store.write(points[: 19 * 24])
    pipeline = Pipeline(small, load_rules(tmp_path), store)
    await pipeline.backfill(FIRST, LAST, lambda _: None)
    writer = QualityWriter(pipeline, store, lambda _: ())
    await writer.update(date(2025, 2, 1), ())
    last_ms = periods.midnight_ms(LAST, zone)
    assert await issue_codes(store) == [("gap", last_ms)]
    assert (await scores(store))[last_ms] < 90

    await store.write(points)
    await pipeline.backfill(FIRST, LAST, lambda _: None)
    await writer.update(date(2025, 2, 1), ())
    assert await issue_codes(store) == [("gap", last_ms)]
    await pipeline.backfill(FIRST, date(2025, 2, 1), lambda _: None)
    await writer.update(date(2025, 2, 2), ())
    assert await issue_codes(store) == []
    assert list((await scores(store)).values())[1] == 100.0
