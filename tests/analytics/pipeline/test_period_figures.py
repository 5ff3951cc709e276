"""Earlier years are read once for all figures of a day that need them."""

from collections.abc import AsyncIterator, Sequence
from datetime import date
from pathlib import Path

import pytest

from analytics import periods
from analytics.indicator_writer import publish
from analytics.pipeline.pipeline import Pipeline
from analytics.pipeline.quotas.quota_writer import QuotaWriter
from analytics.site_analytics import load_rules
from jieneng.metering import schema
from jieneng.site_folder import SiteFolder
from jieneng.storage import SeriesColumns, StoreSettings, Where
from jieneng.storage.sqlite import SqliteStore
from tests.analytics.pipeline.quotas.test_quota_figures import QUOTAS, SITE, consumption
from tests.analytics.sites import folder as site_folder
from tests.stepped_clock import SteppedClock

TODAY = date(2026, 7, 1)


class SpanStore(SqliteStore):
    """An embedded store that notes from which time to which time consumption was read by day."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.asked: list[tuple[int, int]] = []

    async def read_columns(
        self,
        measurement: str,
        fields: Sequence[str],
        *,
        where: Where,
        start_ms: int,
        end_ms: int,
    ) -> list[SeriesColumns]:
        if measurement == schema.CONSUMPTION and where.get("kind") == "meter":
            self.asked.append((start_ms, end_ms))
        return await super().read_columns(
            measurement, fields, where=where, start_ms=start_ms, end_ms=end_ms
        )


@pytest.fixture
def small(tmp_path: Path) -> SiteFolder:
    (tmp_path / "quotas.toml").write_text(QUOTAS, encoding="utf-8")
    return site_folder(tmp_path, SITE)


@pytest.fixture
async def store(small: SiteFolder) -> AsyncIterator[SpanStore]:
    """100 kWh a day, from 2024 until yesterday."""
    store = SpanStore(small.path / StoreSettings().path)
    await store.prepare()
    await store.write(consumption(small.site, date(2024, 1, 1), TODAY))
    yield store
    await store.close()


def reads_of(store: SpanStore, folder: SiteFolder, year: int) -> int:
    """Return how often a whole year was read."""
    ends = [periods.midnight_ms(date(one, 1, 1), folder.site.zone) for one in (year, year + 1)]
    return store.asked.count((ends[0], ends[1]))


async def test_figures_forecast_and_quotas_of_a_day_read_their_base_year_once(
    small: SiteFolder, store: SpanStore
) -> None:
    """Three figures need 2025: the plan (base year), the forecast (last year), the annual quota."""
    clock = SteppedClock(periods.midnight_ms(TODAY, small.site.zone) + 3_600_000, sleepers=1)
    pipeline = Pipeline(small, load_rules(small.path, site=small.site), store)
    writer = QuotaWriter(pipeline.quotas, small.site, store)
    figures = await publish(pipeline, small, clock, ["2026", "2026-07"])
    await writer.write([2026], TODAY)
    assert [reads_of(store, small, year) for year in (2024, 2025)] == [1, 1]
    [forecast] = [
        one.forecast
        for one in figures
        if (one.scope, one.indicator, one.period) == ("block", "electricity", "2026")
    ]
    assert forecast == pytest.approx(36_500.0)


async def test_a_base_year_that_changed_is_in_the_next_figures_and_forecasts(
    small: SiteFolder, store: SpanStore
) -> None:
    """The readings of 2025 are imported by another process while the service runs."""
    clock = SteppedClock(periods.midnight_ms(TODAY, small.site.zone) + 3_600_000, sleepers=1)
    pipeline = Pipeline(small, load_rules(small.path, site=small.site), store)
    year_ms = [periods.midnight_ms(date(one, 1, 1), small.site.zone) for one in (2025, 2026)]
    points = consumption(small.site, date(2025, 1, 1), date(2026, 1, 1))
    await store.delete(schema.CONSUMPTION, where={}, start_ms=year_ms[0], end_ms=year_ms[1])

    async def electricity() -> tuple[float | None, float | None]:
        figures = await publish(pipeline, small, clock, ["2026"])
        [one] = [one for one in figures if (one.scope, one.indicator) == ("block", "electricity")]
        return one.baseline, one.forecast

    assert await electricity() == (None, None)
    await store.write(points)
    assert await electricity() == pytest.approx((18_100.0, 36_500.0))
