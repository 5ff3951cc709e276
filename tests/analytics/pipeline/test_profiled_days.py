"""Gaps that are distributed by their past have the same digits, in any order of computing."""

from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Final

import numpy as np
import pytest
from numpy.typing import NDArray

from analytics import periods
from analytics.pipeline import consumption_windows
from analytics.pipeline.intervals.interval_reader import IntervalReader
from analytics.pipeline.pipeline import Pipeline
from analytics.pipeline.registers import read_context
from analytics.site_analytics import load_rules
from jieneng.metering.schema import Point, late_day_point
from jieneng.site_folder import SiteFolder
from jieneng.storage import Store, StoreSettings, open_store
from tests.analytics.pipeline.test_divided_work import stored
from tests.analytics.sites import folder as site_folder

HOUR_MS: Final = 3_600_000
FIRST, LAST = date(2024, 1, 1), date(2024, 3, 15)
DAYS: Final = (LAST - FIRST).days + 1
#: The gaps of meter `e`, in hours after the first midnight: one within a day, one over four days.
IN_A_DAY: Final = (40 * 24 + 6, 40 * 24 + 14)
OVER_DAYS: Final = (52 * 24 + 20, 55 * 24 + 5)
#: Late hours of meter `e`: on the weekday of the first gap, and on a weekday of the second one;
#: each is in the four weeks before this gap only.
LATE, LATER = 19 * 24 + 9, 46 * 24 + 9
METERS: Final = ("e", "clean")


def site(path: Path) -> SiteFolder:
    path.mkdir(exist_ok=True)
    text = '[[area]]\nid = "block"\nname = "block"\n'
    for name in METERS:
        text += (
            f'[[meter]]\nid = "{name}"\nname = "{name}"\nmedium = "electricity"\n'
            'area = "block"\nrated_max = 100.0\n'
        )
    return site_folder(path, text)


def register() -> NDArray[np.float64]:
    """Return the hourly register: 10 kWh or so from 08:00 to 18:00 of working days, 1 at night."""
    hours = np.arange(DAYS * 24)
    is_work = (hours % 24 >= 8) & (hours % 24 < 18) & (hours // 24 % 7 < 5)
    noise = np.random.default_rng(5).uniform(0.8, 1.2, len(hours))
    return np.append(500.0, 500.0 + np.cumsum(np.where(is_work, 10.0, 1.0) * noise)).round(2)


async def write(folder: SiteFolder, store: Store, hours: NDArray[np.int64]) -> None:
    """Write the readings at some hours, without those in gaps of `e`."""
    start_ms, values = periods.midnight_ms(FIRST, folder.site.zone), register()
    for name in METERS:
        kept = hours
        if name == "e":
            is_lost = [(hours > low) & (hours < high) for low, high in (IN_A_DAY, OVER_DAYS)]
            kept = hours[~np.any(is_lost, axis=0)]
        tags = (("meter", name), ("site", folder.site.id))
        await store.write(
            [
                Point.of(
                    "electricity",
                    tags,
                    (("energy_kwh", float(values[hour])),),
                    start_ms + hour * HOUR_MS,
                )
                for hour in kept.tolist()
            ]
        )


EVERY: Final = np.arange(DAYS * 24 + 1)


async def opened(path: Path, hours: NDArray[np.int64] = EVERY) -> tuple[SiteFolder, Store]:
    folder = site(path)
    store = open_store(StoreSettings(), path)
    await store.prepare()
    await write(folder, store, hours)
    return folder, store


def runner(folder: SiteFolder, store: Store, months: int = 6) -> Pipeline:
    rules = load_rules(folder.path)
    return Pipeline(folder, rules, store, detail_days=DAYS + 1, window_months=months)


async def backfilled(path: Path, months: int = 6) -> Mapping[tuple[object, ...], float]:
    folder, store = await opened(path)
    try:
        await runner(folder, store, months).backfill(FIRST, LAST, lambda _: None)
        return await stored(folder, store)
    finally:
        await store.close()


def hour_key(folder: SiteFolder, hour: int, field: str) -> tuple[object, ...]:
    """Return the key of a stored hour of meter `e` (`stored`)."""
    tags = {
        "interval": "hour",
        "kind": "meter",
        "medium": "electricity",
        "scope": "e",
        "site": folder.site.id,
    }
    start_ms = periods.midnight_ms(FIRST, folder.site.zone)
    return "consumption", *sorted(tags.items()), field, start_ms + hour * HOUR_MS


async def test_the_hours_of_a_gap_have_the_shares_of_the_four_weeks_before(
    tmp_path: Path,
) -> None:
    """The hours get about the true amounts, also at night and on a Saturday."""
    found = await backfilled(tmp_path)
    folder, values = site(tmp_path), register()
    for low, high in (IN_A_DAY, OVER_DAYS):
        amounts = [found[hour_key(folder, hour, "energy_kwh")] for hour in range(low, high)]
        assert sum(amounts) == pytest.approx(values[high] - values[low])
        assert amounts == pytest.approx(np.diff(values[low : high + 1]).tolist(), rel=0.5)
        hours = range(low, high)
        assert {found[hour_key(folder, hour, "coverage")] for hour in hours} == {0.0}
        assert {found[hour_key(folder, hour, "estimated")] for hour in hours} == {1.0}


async def test_gaps_have_the_same_digits_in_any_division(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    together = await backfilled(tmp_path / "together")
    assert await backfilled(tmp_path / "months", months=1) == together
    monkeypatch.setattr(read_context, "READINGS_AT_ONCE", 1)
    monkeypatch.setattr(consumption_windows, "VALUES_AT_ONCE", 1)
    assert await backfilled(tmp_path / "days") == together


async def test_days_that_are_computed_one_by_one_have_the_digits_of_all_at_once(
    tmp_path: Path,
) -> None:
    whole = await backfilled(tmp_path / "whole")
    folder, store = await opened(tmp_path / "single", EVERY[: 38 * 24])
    try:
        pipeline = runner(folder, store)
        await pipeline.backfill(FIRST, FIRST + timedelta(days=37), lambda _: None)
        for day in range(38, DAYS):
            await write(folder, store, EVERY[24 * day : 24 * (day + 1) + 1])
            today = FIRST + timedelta(days=day)
            await pipeline.backfill(today - timedelta(days=1), today, lambda _: None)
        assert await stored(folder, store) == whole
    finally:
        await store.close()


@pytest.mark.parametrize("is_marked", [True, False], ids=["marked", "backfill of the day"])
@pytest.mark.parametrize("late", [LATE, LATER])
async def test_a_late_reading_changes_the_gaps_of_the_four_weeks_after_it(
    tmp_path: Path, late: int, *, is_marked: bool
) -> None:
    """A gap within a day changes no sum of the day, so its hours are compared."""
    whole = await backfilled(tmp_path / "whole")
    is_late = (late - 2 <= EVERY) & (late + 2 >= EVERY)
    folder, store = await opened(tmp_path / "late", EVERY[~is_late])
    try:
        pipeline = runner(folder, store)
        await pipeline.backfill(FIRST, LAST, lambda _: None)
        before = await stored(folder, store)
        affected = {
            gap: any(
                before[hour_key(folder, hour, "energy_kwh")]
                != whole[hour_key(folder, hour, "energy_kwh")]
                for hour in range(*gap)
            )
            for gap in (IN_A_DAY, OVER_DAYS)
        }
        assert affected == {IN_A_DAY: late == LATE, OVER_DAYS: late == LATER}
        await write(folder, store, EVERY[is_late])
        day = FIRST + timedelta(days=late // 24)
        if is_marked:
            day_ms = periods.midnight_ms(day, folder.site.zone)
            for meter in METERS:
                await store.write([late_day_point(folder.site.id, meter, day_ms, day_ms + 1)])
            last = FIRST + timedelta(days=(IN_A_DAY if late == LATE else OVER_DAYS)[1] // 24)
            computed = await pipeline.recompute_marked(FIRST, LAST)
            assert computed == set(periods.days(day, last + timedelta(days=1)))
        else:
            await pipeline.backfill(day, day, lambda _: None)
        assert await stored(folder, store) == whole
    finally:
        await store.close()


async def test_only_a_meter_with_a_gap_is_read_a_second_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, store = await opened(tmp_path)
    try:
        pipeline = runner(folder, store)
        await pipeline.backfill(FIRST, LAST, lambda _: None)
        read: list[tuple[str, int]] = []
        original = store.read_columns

        async def read_columns(measurement: str, fields: object, **rest: int) -> object:
            found = await original(measurement, fields, **rest)  # type: ignore[arg-type]
            if measurement == "electricity":
                days = (rest["end_ms"] - rest["start_ms"]) / (24 * HOUR_MS)
                read.extend((series.tags["meter"], round(days)) for series in found)
            return found

        monkeypatch.setattr(store, "read_columns", read_columns)
        reader = pipeline._registers
        records = await reader.meter_records()
        zone = folder.site.zone
        for day, expected in (
            (FIRST + timedelta(days=40), {("e", 3), ("clean", 3), ("e", 31)}),
            (FIRST + timedelta(days=41), {("e", 3), ("clean", 3)}),
        ):
            days = day, day + timedelta(days=1)
            read.clear()
            await reader.consumption(
                records,
                {
                    "day": periods.edges_ms(*days, "day", zone),
                    "hour": periods.edges_ms(*days, "hour", zone),
                },
            )
            assert set(read) == expected
    finally:
        await store.close()


async def test_intervals_in_a_gap_are_the_stored_ones_and_not_measured(tmp_path: Path) -> None:
    """No values by hour are stored for the whole time: they are computed from the readings."""
    whole = await backfilled(tmp_path / "stored")
    folder, store = await opened(tmp_path / "computed")
    try:
        day = FIRST + timedelta(days=OVER_DAYS[0] // 24)
        reader = IntervalReader(folder, store)
        found = [
            window
            async for window in reader.windows(
                "electricity", "hour", day, day + timedelta(days=4), ["e"]
            )
        ]
        amounts = np.concatenate([window.consumption.amount[0] for window in found])
        measured = np.concatenate([window.is_measured[0] for window in found])
        hours = range(OVER_DAYS[0] // 24 * 24, OVER_DAYS[0] // 24 * 24 + 4 * 24)
        assert amounts.tolist() == [whole[hour_key(folder, hour, "energy_kwh")] for hour in hours]
        assert [hour for hour in hours if not measured[hour - hours[0]]] == list(range(*OVER_DAYS))
    finally:
        await store.close()
