"""The service and the commands, on a store that is available, fails and returns."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from analytics import app, figure_queries, periods
from analytics.alert_service import AlertService
from analytics.pipeline.pipeline import Pipeline
from analytics.settings import AlertSettings, AnalyticsSettings
from jieneng.clock import Clock, FastClock
from jieneng.metering import schema
from jieneng.metering.errors import ConfigError
from jieneng.metering.findings import Finding
from jieneng.metering.schema import Point
from jieneng.site_folder import SiteFolder, read_settings
from jieneng.storage import Store, StoreSettings, open_store
from tests.analytics.sites import folder as site_folder
from tests.patience import PATIENCE_S
from tests.servers import Influx
from tests.stepped_clock import SteppedClock

HOUR_MS = 3_600_000
#: tests/analytics/test_alert_service.py has those of the alerts.
NO_ALERTS = AlertSettings(enabled=False)

SITE = """
[[area]]
id = "block"
name = "block"
floor_area_m2 = [{from = 2020-01-01, value = 1000.0}]
headcount = [{from = 2020-01-01, value = 10}]

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


@asynccontextmanager
async def opened(small: SiteFolder, settings: StoreSettings) -> AsyncIterator[Store]:
    store = open_store(settings, small.path)
    await store.prepare()
    try:
        yield store
    finally:
        await store.close()


async def write_hours(store: Store, start_ms: int, hours: range, kwh: float = 2.0) -> None:
    """A register that counts `kwh` an hour from `start_ms` on."""
    tags = (("meter", "e"), ("site", "centre"))
    await store.write(
        [
            Point.of(
                "electricity",
                tags,
                (("energy_kwh", 100.0 + kwh * hour), ("quality", 0.0)),
                start_ms + hour * HOUR_MS,
            )
            for hour in hours
        ]
    )


async def days_of(store: Store, kind: str = "site") -> dict[int, float]:
    found = await store.read(
        schema.CONSUMPTION,
        "energy_kwh",
        where={"site": "centre", "kind": kind, "interval": "day"},
        start_ms=0,
        end_ms=2**42,
    )
    return {
        int(time): float(value)
        for series in found
        for time, value in zip(series.times_ms, series.values, strict=True)
    }


class At(SteppedClock):
    """A clock that stands still."""

    def __init__(self, now_ms: int) -> None:
        super().__init__(now_ms, 1)


@asynccontextmanager
async def running(
    small: SiteFolder, settings: AnalyticsSettings, clock: Clock
) -> AsyncIterator[None]:
    task = asyncio.create_task(app.run(small, settings, clock))
    try:
        yield
    finally:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


def start_of(small: SiteFolder, day: date) -> int:
    return periods.midnight_ms(day, small.site.zone)


@pytest.mark.server
async def test_indicators_need_nothing_but_readings(small: SiteFolder) -> None:
    """After the import of a year, missing consumption is computed when figures are asked for."""
    start = start_of(small, date(2024, 1, 1))
    settings = AnalyticsSettings()
    async with opened(small, settings.store) as store:
        await write_hours(store, start, range(24 * 366 + 1))
    clock = At(start + 370 * 24 * HOUR_MS)
    figures = await figure_queries.indicators(small, settings, "2024", "block", clock)
    found = {one.indicator: one for one in figures}
    assert found["electricity"].value == 2.0 * 24 * 366
    assert found["electricity"].coverage == 1.0
    assert found["energy_per_capita"].value == pytest.approx(2 * 24 * 366 * 0.1229 / 10)
    assert found["energy_per_capita"].status == "insufficient_data"  # 2020 is not there


async def test_the_service_computes_today_again_and_again(small: SiteFolder) -> None:
    start = start_of(small, date(2024, 3, 1))
    settings = AnalyticsSettings(every_s=600, alerts=NO_ALERTS)
    clock = SteppedClock(start + 30 * HOUR_MS, sleepers=1)
    async with opened(small, settings.store) as store:
        await write_hours(store, start, range(31))
        async with running(small, settings, clock):
            await clock.run_until(start + 30 * HOUR_MS + 1)
            assert await days_of(store) == {start: 48.0, start + 24 * HOUR_MS: 12.0}
            await write_hours(store, start, range(31, 41))
            await clock.run_until(start + 40 * HOUR_MS)
            assert await days_of(store) == {start: 48.0, start + 24 * HOUR_MS: 32.0}
        (series,) = await store.read(
            schema.INDICATOR,
            "value",
            where={"scope": "centre", "indicator": "electricity", "period": "2024-03"},
            start_ms=0,
            end_ms=2**42,
        )
        assert series.values.tolist() == [48.0]  # the complete day
        assert series.times_ms.tolist() == [start + 24 * HOUR_MS]
        (profile,) = await store.read(
            schema.PROFILE, "peak_demand", where={"kind": "meter"}, start_ms=0, end_ms=2**42
        )
        assert (profile.values.tolist(), profile.times_ms.tolist()) == ([2.0], [start])


async def test_one_bad_round_does_not_end_the_service(
    small: SiteFolder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    start = start_of(small, date(2024, 3, 1))
    clock = SteppedClock(start + 30 * HOUR_MS, sleepers=1)
    settings = AnalyticsSettings(every_s=600, alerts=NO_ALERTS)
    backfill, bad = Pipeline.backfill, [IndexError("out of bounds")] * 2

    async def sometimes(*arguments: Any) -> list[Finding]:
        if bad:
            raise bad.pop()
        return await backfill(*arguments)

    monkeypatch.setattr(Pipeline, "backfill", sometimes)
    async with opened(small, settings.store) as store:
        await write_hours(store, start, range(31))
        async with running(small, settings, clock):
            await clock.run_until(start + 31 * HOUR_MS)
        assert await days_of(store) == {start: 48.0, start + 24 * HOUR_MS: 12.0}
    told = capsys.readouterr().out
    assert told.count("round failed") == 2  # it begins, and it is over
    assert told.count("round failed: over") == 1
    assert "out of bounds" in told


@pytest.mark.long
@pytest.mark.parametrize("wrong", [[8], [8, 9]])
@pytest.mark.parametrize("shown", [0.0, 5000.0])
async def test_a_wrong_reading_of_a_meter_read_once_a_day_costs_no_day_anything(
    tmp_path: Path, wrong: list[int], shown: float
) -> None:
    """Days computed with a reading that later readings refute are computed again."""
    small = site_folder(tmp_path, SITE.replace("rated_max = 100.0", ""))
    start = start_of(small, date(2024, 1, 1))
    settings = AnalyticsSettings(every_s=24 * 3600, alerts=NO_ALERTS)  # an hour after each reading
    clock = SteppedClock(start + 9 * HOUR_MS, sleepers=1)
    async with opened(small, settings.store) as store, running(small, settings, clock):
        for day in range(16):
            read_ms = start + (24 * day + 8) * HOUR_MS
            value = 1000.0 + 24 * day + (shown or -1000 - 24 * day) * (day in wrong)
            values = (("energy_kwh", value), ("quality", 0.0))
            await store.write(
                [Point.of("electricity", (("meter", "e"), ("site", "centre")), values, read_ms)]
            )
            await clock.run_until(read_ms + 15 * HOUR_MS)
        for kind in ("meter", "site"):
            days = list((await days_of(store, kind)).values())
            assert days == pytest.approx([16.0, *[24.0] * 14, 8.0])


async def test_what_arrives_late_is_computed_within_the_hour(small: SiteFolder) -> None:
    """An agent was cut off for two days, and sends them when nobody looks at them any more."""
    start = start_of(small, date(2024, 3, 1))
    settings = AnalyticsSettings(every_s=600, alerts=NO_ALERTS)
    clock = SteppedClock(start + 5 * 24 * HOUR_MS, sleepers=1)
    async with opened(small, settings.store) as store:
        await write_hours(store, start, range(121))
        await store.delete(
            "electricity",
            where={"meter": "e"},
            start_ms=start + 20 * HOUR_MS,
            end_ms=start + 70 * HOUR_MS,
        )
        async with running(small, settings, clock):
            await clock.run_until(start + 5 * 24 * HOUR_MS + 1)
            await write_hours(store, start, range(20, 70), kwh=2.0)
            await clock.run_until(start + 5 * 24 * HOUR_MS + 2 * HOUR_MS)
        coverage = await store.read(
            schema.CONSUMPTION,
            schema.COVERAGE,
            where={"kind": "meter", "interval": "day"},
            start_ms=0,
            end_ms=start + 4 * 24 * HOUR_MS,
        )
        assert coverage[0].values.tolist() == [1.0] * 4


async def test_a_past_year_is_published_as_of_its_end(small: SiteFolder) -> None:
    start = start_of(small, date(2023, 12, 1))
    settings = AnalyticsSettings()
    async with opened(small, settings.store) as store:
        await write_hours(store, start, range(24 * 62 + 1))
        figures = await app.once(small, settings, At(start + 24 * 62 * HOUR_MS))
        assert {figure.period for figure in figures} == {
            "2023", "2023-12", "2024", "2024-01",
        }  # fmt: skip
        found = await store.read(
            schema.INDICATOR,
            "value",
            where={"scope": "centre", "indicator": "electricity", "period": "2023"},
            start_ms=0,
            end_ms=2**42,
        )
        assert found[0].times_ms.tolist() == [start_of(small, date(2023, 12, 31))]
        assert found[0].values.tolist() == [2.0 * 24 * 31]


async def test_a_backfill_says_how_far_it_is_and_what_it_found(small: SiteFolder) -> None:
    start = start_of(small, date(2024, 3, 1))
    settings = AnalyticsSettings()
    async with opened(small, settings.store) as store:
        await write_hours(store, start, range(24 * 5))
        await write_hours(store, start + 24 * 5 * HOUR_MS, range(24 * 5))
    shares: list[float] = []
    first, last = date(2024, 3, 1), date(2024, 3, 10)
    clock = At(start + 20 * 24 * HOUR_MS)
    findings = await app.backfill(small, settings, first, last, clock, shares.append)
    assert [finding.code for finding in findings] == ["counter_reset"]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


async def test_a_store_that_goes_away_is_told_once_and_waited_for(
    small: SiteFolder, influx: Influx, capsys: pytest.CaptureFixture[str]
) -> None:
    start = start_of(small, date(2024, 3, 1))
    store_settings = StoreSettings(kind="influx", url=influx.url, database="analytics-away")
    settings = AnalyticsSettings(every_s=600, alerts=NO_ALERTS, store=store_settings)
    clock = SteppedClock(start + 30 * HOUR_MS, sleepers=1)
    async with opened(small, store_settings) as store:
        await write_hours(store, start, range(31))
        async with running(small, settings, clock):
            await clock.run_until(start + 30 * HOUR_MS + 1)
            influx.kill()
            await clock.run_until(start + 31 * HOUR_MS)
            influx.start()
            await write_hours(store, start, range(31, 33))
            await clock.run_until(start + 32 * HOUR_MS)
        assert (await days_of(store))[start + 24 * HOUR_MS] == 16.0
    told = capsys.readouterr().out
    assert told.count("store unavailable") == 1
    assert told.count("store available again") == 1


async def test_a_store_that_is_not_there_yet_is_waited_for(
    small: SiteFolder, influx: Influx
) -> None:
    start = start_of(small, date(2024, 3, 1))
    store_settings = StoreSettings(kind="influx", url=influx.url, database="analytics-later")
    settings = AnalyticsSettings(every_s=600, alerts=NO_ALERTS, store=store_settings)
    clock = SteppedClock(start + 30 * HOUR_MS, sleepers=1)
    influx.kill()
    async with running(small, settings, clock):
        await clock.run_until(start + 30 * HOUR_MS + 1)
        influx.start()
        async with opened(small, store_settings) as store:
            await write_hours(store, start, range(31))
            await clock.run_until(start + 31 * HOUR_MS)
            assert (await days_of(store))[start] == 48.0


async def test_the_same_consumption_from_either_store(small: SiteFolder, influx: Influx) -> None:
    start = start_of(small, date(2024, 3, 1))
    found = []
    for store_settings in (
        StoreSettings(),
        StoreSettings(kind="influx", url=influx.url, database="analytics-same"),
    ):
        async with opened(small, store_settings) as store:
            await write_hours(store, start, range(24 * 40), kwh=1.7)
            settings = AnalyticsSettings(alerts=NO_ALERTS, store=store_settings)
            await app.once(small, settings, At(start + 24 * 40 * HOUR_MS))
            found.append([await days_of(store), await days_of(store, "meter")])
    assert found[0] == found[1]
    assert len(found[0][0]) == 40


@pytest.mark.server
async def test_metrics_are_served(small: SiteFolder) -> None:
    import aiohttp

    from tests.servers import free_port

    port = free_port()
    (small.path / "analytics.toml").write_text(
        f"[metrics]\nport = {port}\n[alerts]\nenabled = false\n", encoding="utf-8"
    )
    settings = read_settings(small.path / "analytics.toml", AnalyticsSettings)
    start = start_of(small, date(2024, 3, 1))
    clock = SteppedClock(start + 30 * HOUR_MS, sleepers=1)
    async with opened(small, settings.store) as store:
        await write_hours(store, start, range(31))
        async with running(small, settings, clock), aiohttp.ClientSession() as session:
            await clock.run_until(start + 30 * HOUR_MS + 1)
            async with session.get(f"http://127.0.0.1:{port}/metrics") as answer:
                text = await answer.text()
    assert 'jieneng_analytics_cycles_total{outcome="ok"} 1.0' in text
    # One complete day of the 61 of this year.
    assert 'jieneng_analytics_coverage_ratio{scope="block"} 0.016393' in text


def test_a_misspelt_setting_is_named_with_its_mend(small: SiteFolder) -> None:
    (small.path / "analytics.toml").write_text("coverage_flor = 0.9\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"analytics.toml:1: .*coverage_floor"):
        read_settings(small.path / "analytics.toml", AnalyticsSettings)


@pytest.mark.server
async def test_neither_figures_nor_alerts_stop_when_the_other_one_fails(
    small: SiteFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of them has successful rounds while those of the other one fail."""
    settings = AnalyticsSettings(every_s=1, alerts=AlertSettings(every_s=1))
    good: dict[str, asyncio.Event] = {"figures": asyncio.Event(), "alerts": asyncio.Event()}
    backfill, evaluate = Pipeline.backfill, AlertService._evaluate

    async def fail(*_: object) -> None:
        raise IndexError("out of bounds")

    async def figures(*arguments: Any) -> list[Finding]:
        good["figures"].set()
        return await backfill(*arguments)

    async def alerts(service: AlertService) -> None:
        await evaluate(service)
        good["alerts"].set()

    clock = FastClock(start_of(small, date(2024, 3, 1)), speed=50.0)
    for failing in ("figures", "alerts"):
        working = "alerts" if failing == "figures" else "figures"
        monkeypatch.setattr(Pipeline, "backfill", fail if failing == "figures" else figures)
        monkeypatch.setattr(AlertService, "_evaluate", fail if failing == "alerts" else alerts)
        async with running(small, settings, clock):
            for _ in range(3):
                good[working].clear()
                async with asyncio.timeout(PATIENCE_S):
                    await good[working].wait()
