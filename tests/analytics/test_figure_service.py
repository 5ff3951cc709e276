"""In a round of the service, a failure of one kind of figures does not stop the other kinds."""

import json
from collections.abc import Collection, Sequence
from datetime import date
from pathlib import Path

import pytest

from analytics import periods
from analytics.figure_service import FigureService, Outcome
from analytics.pipeline.costs.cost_writer import CostWriter
from analytics.pipeline.pipeline import Pipeline
from analytics.pipeline.profiles.profile_writer import ProfileWriter
from analytics.settings import AnalyticsSettings
from jieneng.metering import schema
from jieneng.metering.errors import StoreUnavailable
from jieneng.metering.schema import Point
from jieneng.observe import MetricsSettings
from jieneng.site_folder import SiteFolder
from jieneng.storage import RejectedPoint, Store, WriteResult
from jieneng.storage.sqlite import SqliteStore
from jieneng.storage.store import write_result
from tests.analytics.pipeline.quotas.test_quota_figures import QUOTAS
from tests.analytics.sites import folder as site_folder
from tests.analytics.sites import two_part_price
from tests.analytics.test_app import HOUR_MS, NO_ALERTS, SITE, opened, running, write_hours
from tests.servers import free_port
from tests.stepped_clock import SteppedClock

FIRST = date(2026, 3, 1)
#: What each step writes.
SERIES = {
    "indicators": schema.INDICATOR,
    "profiles": schema.PROFILE,
    "costs": schema.COST,
    "quotas": schema.ANNUAL_QUOTA,
    "quality": schema.DATA_QUALITY,
}
TARIFFS = """
[[account]]
id = "3208001"
meters = ["e"]
tariff = [{from = 2026-01-01, value = "jiangsu-two-part"}]
""" + two_part_price(2026)


@pytest.fixture
def small(tmp_path: Path) -> SiteFolder:
    (tmp_path / "tariffs.toml").write_text(TARIFFS, encoding="utf-8")
    (tmp_path / "quotas.toml").write_text(QUOTAS, encoding="utf-8")
    return site_folder(tmp_path, SITE)


@pytest.fixture
def start(small: SiteFolder) -> int:
    return periods.midnight_ms(FIRST, small.site.zone)


async def written(store: Store) -> set[str]:
    """Return the names of the steps of which anything is stored."""
    return {
        step for step, name in SERIES.items() if await store.span(name, where={"site": "centre"})
    }


def refuse(monkeypatch: pytest.MonkeyPatch, refused: set[str]) -> None:
    """Make stores reject the points of some measurements."""
    write = SqliteStore.write

    async def checked(store: SqliteStore, points: Sequence[Point]) -> WriteResult:
        good = [point for point in points if point.measurement not in refused]
        await write(store, good)
        return write_result(
            len(points),
            [
                RejectedPoint(index, point, "type", "field type conflict")
                for index, point in enumerate(points)
                if point.measurement in refused
            ],
        )

    monkeypatch.setattr(SqliteStore, "write", checked)


@pytest.mark.parametrize("failing", SERIES)
async def test_a_store_that_rejects_figures_of_one_kind_gets_all_others(
    small: SiteFolder,
    start: int,
    failing: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The store rejects them for three rounds, with one line in the log; the fourth succeeds."""
    refused = {SERIES[failing]}
    refuse(monkeypatch, refused)
    settings = AnalyticsSettings(every_s=600, alerts=NO_ALERTS)
    clock = SteppedClock(start + 30 * HOUR_MS, sleepers=1)
    async with opened(small, settings.store) as store:
        await write_hours(store, start, range(31))
        async with running(small, settings, clock):
            await clock.run_until(start + 30 * HOUR_MS + 1_200_001)
            assert await written(store) == set(SERIES) - {failing}
            told = capsys.readouterr().out
            [line] = [line for line in told.splitlines() if "step of a round failed" in line]
            assert failing in line
            assert "field type conflict" in line
            refused.clear()
            await clock.run_until(start + 31 * HOUR_MS)
        assert await written(store) == set(SERIES)
    assert capsys.readouterr().out.count("step of a round failed: over") == 1


@pytest.mark.server
async def test_a_published_file_that_was_damaged_is_named_by_health_and_metrics(
    small: SiteFolder, start: int
) -> None:
    """Only the rating of the data reads the published file."""
    import aiohttp

    (small.path / "published").mkdir()
    (small.path / "published" / "2026.json").write_text("{", encoding="utf-8")
    port = free_port()
    settings = AnalyticsSettings(
        every_s=600, alerts=NO_ALERTS, metrics=MetricsSettings(host="127.0.0.1", port=port)
    )
    clock = SteppedClock(start + 30 * HOUR_MS, sleepers=1)
    async with opened(small, settings.store) as store:
        await write_hours(store, start, range(31))
        async with running(small, settings, clock), aiohttp.ClientSession() as session:
            await clock.run_until(start + 30 * HOUR_MS + 1)
            async with session.get(f"http://127.0.0.1:{port}/metrics") as answer:
                text = await answer.text()
            async with session.get(f"http://127.0.0.1:{port}/health") as answer:
                health = json.loads(await answer.text())
        assert await written(store) == set(SERIES) - {"quality"}
    assert 'jieneng_analytics_step_failing{step="quality"} 1.0' in text
    assert 'jieneng_analytics_step_failing{step="costs"} 0.0' in text
    assert 'jieneng_analytics_cycles_total{outcome="failed"} 1.0' in text
    assert not health["ok"]
    [fault] = health["faults"]
    assert fault.startswith("quality can't be computed: 2026.json is no publication")


async def test_days_that_changed_reach_figures_that_failed_in_their_round(
    small: SiteFolder, start: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A late reading of January is computed while the costs fail."""
    seen: list[set[date]] = []
    bad = True

    async def update(_: CostWriter, __: date, changed: Collection[date]) -> None:
        seen.append(set(changed))
        if bad:
            raise IndexError("out of bounds")

    monkeypatch.setattr(CostWriter, "update", update)
    settings = AnalyticsSettings(every_s=600, alerts=NO_ALERTS)
    clock = SteppedClock(start + 30 * HOUR_MS, sleepers=1)
    late = date(2026, 1, 10)
    late_ms = periods.midnight_ms(late, small.site.zone)
    async with opened(small, settings.store) as store:
        await write_hours(store, late_ms, range(24 * 52))
        async with running(small, settings, clock):
            await clock.run_until(start + 30 * HOUR_MS + 1)
            await store.write([schema.late_day_point("centre", "e", late_ms, start)])
            await clock.run_until(start + 31 * HOUR_MS + 600_001)
            bad = False
            await clock.run_until(start + 32 * HOUR_MS)
    late_rounds = [number for number, days in enumerate(seen) if days == {late}]
    assert late_rounds == [6, 7, 8], "the hourly check finds the mark; two attempts fail"


async def test_changed_days_are_not_forgotten_if_consumption_fails_after_them(
    small: SiteFolder, start: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[set[date]] = []
    backfill, bad = Pipeline.backfill, list[Exception]()

    async def note(_: CostWriter, __: date, changed: Collection[date]) -> None:
        seen.append(set(changed))

    async def fail_once(*arguments: object) -> object:
        if bad:
            raise bad.pop()
        return await backfill(*arguments)  # type: ignore[arg-type]  # passed on

    monkeypatch.setattr(CostWriter, "update", note)
    monkeypatch.setattr(Pipeline, "backfill", fail_once)
    settings = AnalyticsSettings(every_s=600, alerts=NO_ALERTS)
    clock = SteppedClock(start + 30 * HOUR_MS, sleepers=1)
    async with opened(small, settings.store) as store:
        await write_hours(store, start, range(31))
        async with running(small, settings, clock):
            await clock.run_until(start + 30 * HOUR_MS + 1)
            bad.append(IndexError("out of bounds"))
            await store.write([schema.late_day_point("centre", "e", start, start + 1)])
            await clock.run_until(start + 30 * HOUR_MS + 1_200_001)
    assert seen == [set(), {FIRST}]


async def test_a_step_for_which_the_store_has_never_time_holds_up_no_other_one(
    small: SiteFolder,
    start: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The step ends the round, as a server that is down does; the next round begins with others."""

    async def time_out(*_: object) -> None:
        raise StoreUnavailable("no answer within 30 s")

    monkeypatch.setattr(ProfileWriter, "update", time_out)
    settings = AnalyticsSettings(every_s=600, alerts=NO_ALERTS)
    clock = SteppedClock(start + 30 * HOUR_MS, sleepers=1)
    async with opened(small, settings.store) as store:
        await write_hours(store, start, range(31))
        async with running(small, settings, clock):
            await clock.run_until(start + 30 * HOUR_MS + 1)
            assert await written(store) == {"indicators"}
            await clock.run_until(start + 31 * HOUR_MS)
        assert await written(store) == set(SERIES) - {"profiles"}
    told = capsys.readouterr().out
    assert told.count("store unavailable") == 1
    assert "step of a round failed" not in told


async def test_a_server_that_is_down_is_one_error_of_a_round(
    small: SiteFolder,
    start: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    asked: list[str] = []
    counted: list[Outcome] = []

    async def down(_: SqliteStore, name: str, *__: object, **___: object) -> None:
        asked.append(name)
        raise StoreUnavailable("connection refused")

    settings = AnalyticsSettings(every_s=600, alerts=NO_ALERTS)
    clock = SteppedClock(start + 30 * HOUR_MS, sleepers=1)
    run_round = FigureService._run_round

    async def count(service: FigureService) -> Outcome:
        counted.append(await run_round(service))
        return counted[-1]

    monkeypatch.setattr(FigureService, "_run_round", count)
    async with opened(small, settings.store) as store:
        await write_hours(store, start, range(31))
        async with running(small, settings, clock):
            await clock.run_until(start + 30 * HOUR_MS + 1)
            for method in ("read", "read_columns", "span", "spans"):
                monkeypatch.setattr(SqliteStore, method, down)
            await clock.run_until(start + 31 * HOUR_MS)
    assert counted == ["ok", *["store_unavailable"] * 6]
    assert len(asked) == 6, "a round asks no more after the first failure"
    assert capsys.readouterr().out.count("store unavailable") == 1
