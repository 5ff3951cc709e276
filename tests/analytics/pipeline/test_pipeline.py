"""Raw readings in a real store become consumption, figures and indicators, and stay the same."""

from collections.abc import Collection, Sequence
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from analytics import periods
from analytics.pipeline.pipeline import Pipeline
from analytics.pipeline.registers import read_context
from analytics.site_analytics import load_rules
from jieneng.metering import schema
from jieneng.metering.errors import StoreUnavailable, UsageError
from jieneng.metering.findings import Finding
from jieneng.metering.schema import Point
from jieneng.site_folder import SiteFolder
from jieneng.storage import Store
from tests.analytics.sites import folder as site_folder

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS

SITE = """
[[area]]
id = "block"
name = "block"
institutions = ["bureau"]
floor_area_m2 = [{from = 2020-01-01, value = 1000.0}]

[[area]]
id = "shop"
name = "shop"
parent = "block"
institutions = ["office"]

[[meter]]
id = "e"
name = "e"
medium = "electricity"
area = "block"
model = "acrel-dtsd1352"
rated_max = 100.0
ct = [{from = 2020-01-01, value = 10.0}, {from = 2020-03-10, value = 20.0}]
replaced = [{at = 2020-04-20T09:30:00+08:00, final = 90000.0, initial = 100.0}]

[[meter]]
id = "e-shop"
name = "e-shop"
medium = "electricity"
area = "shop"
parent = "e"
rated_max = 50.0

[[meter]]
id = "w"
name = "w"
medium = "water"
area = "block"
"""

FIRST, LAST = date(2020, 1, 1), date(2020, 6, 30)


def silent(_: float) -> None:
    """Discard the progress."""


@pytest.fixture
def small(tmp_path: Path) -> SiteFolder:
    return site_folder(tmp_path, SITE)


def pipeline(small: SiteFolder, store: Store, months: int = 6, detail_days: int = 3) -> Pipeline:
    return Pipeline(
        small, load_rules(small.path), store, detail_days=detail_days, window_months=months
    )


async def write(
    store: Store, medium: str, meter: str, times: Sequence[int], values: Sequence[float]
) -> None:
    """Readings as the ingest writes them."""
    quantity = "energy_kwh" if medium == "electricity" else "volume_m3"
    tags = (("meter", meter), ("site", "centre"))
    points = [
        Point.of(medium, tags, ((quantity, float(value)), ("quality", 0.0)), int(time))
        for time, value in zip(times, values, strict=True)
        if np.isfinite(value)
    ]
    await store.write(points)


def midnight(small: SiteFolder, day: date) -> int:
    return periods.midnight_ms(day, small.site.zone)


async def write_history(small: SiteFolder, store: Store) -> None:
    """Write half a year with many kinds of events: see `SITE`, and below."""
    rng = np.random.default_rng(7)
    start, end = midnight(small, FIRST), midnight(small, LAST) + DAY_MS
    times = np.arange(start - DAY_MS, end, HOUR_MS)
    steps = rng.uniform(0, 0.9, len(times))
    shown = 1000 + np.cumsum(steps)
    change, swap = midnight(small, date(2020, 3, 10)), midnight(small, date(2020, 4, 20))
    swap += 9 * HOUR_MS + HOUR_MS // 2
    new = times >= swap
    shown[~new] += 89_999.0 / 20 - shown[~new][-1]
    shown[new] += 101.0 / 20 - shown[new][0]
    stored = shown * np.where(times < change, 10.0, 20.0)
    stored[300:310] = 0.0
    stored[1200:1290] = np.nan  # an outage over midnights
    stored[2000] = 9e8
    await write(store, "electricity", "e", times.tolist(), stored.round(2).tolist())
    shop = np.cumsum(rng.uniform(0, 5, len(times))) + 500
    shop[3000:] -= shop[3000]  # reset, unrecorded
    await write(store, "electricity", "e-shop", times.tolist(), shop.round(2).tolist())
    days = np.arange(start + 8 * HOUR_MS, end, DAY_MS)
    water = np.cumsum(rng.uniform(0, 9, len(days)))
    water[40:43] = np.nan
    await write(store, "water", "w", days.tolist(), water.round(1).tolist())


async def stored(
    store: Store, interval: str, **where: str
) -> dict[tuple[str, str, str], tuple[NDArray[np.int64], NDArray[np.float64]]]:
    """Return all stored consumption, by scope, medium and field."""
    found = {}
    of_days = (schema.BOUNDED, schema.SPREAD_START, schema.SPREAD_END)
    for field in ("energy_kwh", "volume_m3", schema.COVERAGE, schema.ESTIMATED, *of_days):
        for series in await store.read(
            schema.CONSUMPTION,
            field,
            where={"interval": interval, **where},
            start_ms=0,
            end_ms=2**42,
        ):
            key = (series.tags["scope"], series.tags["medium"], field)
            found[key] = (series.times_ms, series.values)
    return found


async def test_the_same_digits_whatever_the_windows(small: SiteFolder, store: Store) -> None:
    await write_history(small, store)
    await pipeline(small, store, months=24).backfill(FIRST, LAST, silent)
    whole = {interval: await stored(store, interval) for interval in ("day", "hour", "15min")}
    assert len(whole["day"]) == 6 * (3 + 5 + 3)  # meters, and scopes with electricity, water
    for months in (1, 4):
        await store.delete(schema.CONSUMPTION, where={}, start_ms=0, end_ms=2**42)
        await pipeline(small, store, months=months).backfill(FIRST, LAST, silent)
        for interval, expected in whole.items():
            found = await stored(store, interval)
            assert found.keys() == expected.keys()
            for key, (times, values) in expected.items():
                np.testing.assert_array_equal(found[key][0], times, err_msg=str((months, key)))
                np.testing.assert_array_equal(found[key][1], values, err_msg=str((months, key)))


async def test_day_by_day_is_as_good_as_all_at_once(small: SiteFolder, store: Store) -> None:
    """The running service computes each day with the readings it has by then, then late days."""
    await write_history(small, store)
    first, last = date(2020, 4, 18), date(2020, 4, 23)
    await pipeline(small, store).backfill(first, last, silent)
    expected = await stored(store, "day")
    await store.delete(schema.CONSUMPTION, where={}, start_ms=0, end_ms=2**42)
    for number in range(6):
        day = first + timedelta(days=number)
        await pipeline(small, store).backfill(day, day, silent)
    for key, (times, values) in (await stored(store, "day")).items():
        np.testing.assert_array_equal(expected[key][0], times)
        np.testing.assert_array_equal(expected[key][1], values)


async def test_export_has_the_same_digits_whatever_the_windows(
    small: SiteFolder, store: Store
) -> None:
    """The export register of `e-shop`: still until March, and an outage of four days."""
    first, last = date(2020, 2, 1), date(2020, 5, 31)
    times = np.arange(midnight(small, first), midnight(small, last) + DAY_MS, HOUR_MS)
    growing = times >= midnight(small, date(2020, 3, 1)) + 9 * HOUR_MS
    shown = 40.0 + np.cumsum(np.where(growing, 3.0, 0.0))
    shown[1500:1596] = np.nan
    tags = (("meter", "e-shop"), ("site", "centre"))
    points = [
        Point.of("electricity", tags, (("energy_export_kwh", float(value)),), int(time))
        for time, value in zip(times, shown, strict=True)
        if np.isfinite(value)
    ]
    await store.write(points)
    await pipeline(small, store, months=24).backfill(first, last, silent)
    whole = await stored(store, "day", kind="export")
    amount = whole["e-shop", "electricity", "energy_kwh"][1]
    assert amount.sum() == pytest.approx(shown[-1] - shown[0])
    assert whole["e-shop", "electricity", schema.COVERAGE][1].min() == 0.0
    await store.delete(schema.CONSUMPTION, where={}, start_ms=0, end_ms=2**42)
    await pipeline(small, store, months=1).backfill(first, last, silent)
    for key, (_, values) in (await stored(store, "day", kind="export")).items():
        np.testing.assert_array_equal(values, whole[key][1], err_msg=str(key))


async def test_days_sum_to_what_the_registers_counted(small: SiteFolder, store: Store) -> None:
    """Through the CT change, the replacement, the outage, the zeros and the spike."""
    await write_history(small, store)
    findings = await pipeline(small, store).backfill(FIRST, LAST, silent)
    found = await stored(store, "day", kind="meter")
    rng = np.random.default_rng(7)
    times = np.arange(midnight(small, FIRST) - DAY_MS, midnight(small, LAST) + DAY_MS, HOUR_MS)
    steps = rng.uniform(0, 0.9, len(times))
    ratio = np.where(times <= midnight(small, date(2020, 3, 10)), 10.0, 20.0)
    swap = int(np.searchsorted(times, midnight(small, date(2020, 4, 20)) + 9.5 * HOUR_MS))
    real = steps * ratio
    real[swap] = 1.0 + 1.0  # up to `final`, and from `initial`
    plain = real[25:].sum()  # from midnight of the first day to the last reading
    assert found["e", "electricity", "energy_kwh"][1].sum() == pytest.approx(plain, abs=0.5)
    assert {(one.code, one.subject) for one in findings} == {
        ("set_aside", "e"),
        ("counter_reset", "e-shop"),
    }
    coverage = found["e", "electricity", schema.COVERAGE][1]
    # Five days of the outage, ten hours of zeros, and the hour after the last reading.
    assert (coverage < 1).sum() == 7
    assert found["e", "electricity", schema.ESTIMATED][1].max() == 1.0


async def test_a_replacement_loses_nothing_by_an_hour(small: SiteFolder, store: Store) -> None:
    """09:30: the hour from 9 to 10 has the old meter's last and the new one's first kWh."""
    swap_day = date(2020, 4, 20)
    nine = midnight(small, swap_day) + 9 * HOUR_MS
    old, new = nine - np.arange(40, -1, -1) * HOUR_MS, nine + np.arange(1, 40) * HOUR_MS
    values = [*(89_990.0 - np.arange(40, -1, -1) * 10.0), *(130.0 + np.arange(39) * 10.0)]
    await write(store, "electricity", "e", [*old.tolist(), *new.tolist()], values)
    await pipeline(small, store).backfill(swap_day, swap_day, silent)
    hours = (await stored(store, "hour", kind="meter"))["e", "electricity", "energy_kwh"][1]
    assert hours[9] == pytest.approx((90_000.0 - 89_990.0) + (130.0 - 100.0))
    assert hours[[8, 10]].tolist() == [10.0, 10.0]


@pytest.mark.parametrize("limit", [100, 5000])
async def test_a_gap_over_a_windows_edge_keeps_its_energy_however_many_readings_a_window_has(
    small: SiteFolder, store: Store, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    """Half a year of 60-s readings passed the limit alone, so nothing around it was looked at."""
    monkeypatch.setattr(read_context, "_CONTEXT_READINGS", limit)
    start, edge = midnight(small, date(2020, 5, 1)), midnight(small, date(2020, 6, 1))
    times = np.arange(start, midnight(small, date(2020, 6, 30)) + 1, HOUR_MS // 4)
    times = times[np.abs(times - edge) > 36 * HOUR_MS]
    await write(store, "electricity", "e-shop", times.tolist(), ((times - start) / 4e5).tolist())
    await pipeline(small, store, months=1).backfill(date(2020, 5, 1), date(2020, 6, 30), silent)
    days = (await stored(store, "day", kind="meter"))["e-shop", "electricity", "energy_kwh"][1]
    assert days.sum() == pytest.approx((times[-1] - start) / 4e5)


async def test_a_corrected_monthly_reading_mends_all_days_up_to_its_neighbours(
    small: SiteFolder, store: Store
) -> None:
    firsts = [date(2020, month, 1) for month in range(1, 13)]
    times = [midnight(small, day) for day in firsts]
    truth = [10.0 * (day - firsts[0]).days for day in firsts]
    wrong = [shown + 270 * (number == 1) for number, shown in enumerate(truth)]
    await write(store, "electricity", "e-shop", times, wrong)
    runner = pipeline(small, store)
    await runner.backfill(firsts[0], date(2020, 11, 30), silent)
    key = ("e-shop", "electricity", "energy_kwh")
    assert (await stored(store, "day", kind="meter"))[key][1][:31].sum() == pytest.approx(310 + 270)
    await write(store, "electricity", "e-shop", times[1:2], truth[1:2])
    await runner.backfill(firsts[1], firsts[1], silent)
    for kind, scope in (("meter", "e-shop"), ("area", "shop")):
        days = (await stored(store, "day", kind=kind))[scope, "electricity", "energy_kwh"][1]
        assert days == pytest.approx([10.0] * 335)


async def mark(store: Store, small: SiteFolder, day: date, written_ms: int) -> None:
    """Mark a day as the ingest does when readings come late."""
    await store.write([schema.late_day_point("centre", "e-shop", midnight(small, day), written_ms)])


async def test_days_that_were_written_late_are_computed_anew_exactly_once(
    small: SiteFolder, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = date(2020, 5, 1)
    times = [midnight(small, first) + n * HOUR_MS for n in range(24 * 10 + 1)]
    values = [2.0 * n for n in range(len(times))]
    await write(store, "electricity", "e-shop", times, [*values[:100], np.nan, *values[101:]])
    runner = pipeline(small, store)
    await runner.backfill(first, date(2020, 5, 10), silent)
    computed: list[tuple[date, date]] = []
    recompute = runner._recompute

    async def watched(meters: Collection[str], start: date, end: date) -> set[date]:
        assert set(meters) == {"e-shop"}
        computed.append((start, end))
        return await recompute(meters, start, end)

    monkeypatch.setattr(runner, "_recompute", watched)
    assert await runner.recompute_marked(date(1980, 1, 1), date(2020, 6, 1)) == set()
    # A correction of a covered day, which no gap shows, and a day of its own.
    late = date(2020, 5, 5)
    await write(store, "electricity", "e-shop", times[100:101], [values[100]])
    await write(store, "electricity", "e-shop", times[101:102], [values[101] + 1])
    await mark(store, small, late, 1_000)
    await mark(store, small, date(2020, 5, 8), 1_000)
    # An interrupted round is done again.
    with monkeypatch.context() as broken:
        broken.setattr(runner._consumption, "write", failing)
        with pytest.raises(StoreUnavailable):
            await runner.recompute_marked(date(2020, 5, 2), date(2020, 6, 1))
    computed.clear()
    days = await runner.recompute_marked(date(2020, 5, 2), date(2020, 6, 1))
    assert days == {late, date(2020, 5, 8)}
    assert computed == [(late, date(2020, 5, 8))]  # days that lie close to each other
    assert await runner.recompute_marked(date(1980, 1, 1), date(2020, 6, 1)) == set()
    found = (await stored(store, "day", kind="meter"))["e-shop", "electricity", "energy_kwh"]
    await mark(store, small, late, 2_000)
    assert await runner.recompute_marked(date(2020, 5, 5), date(2020, 5, 5)) == {late}
    again = (await stored(store, "day", kind="meter"))["e-shop", "electricity", "energy_kwh"]
    np.testing.assert_array_equal(found[1], again[1])
    await store.delete(schema.CONSUMPTION, where={}, start_ms=0, end_ms=2**42)
    await runner.backfill(first, date(2020, 5, 10), silent)
    whole = (await stored(store, "day", kind="meter"))["e-shop", "electricity", "energy_kwh"]
    np.testing.assert_array_equal(whole[1], again[1])


async def test_a_backfill_settles_the_marks_of_its_days(small: SiteFolder, store: Store) -> None:
    """An import marks the days of its file and computes them: the next figures need not."""
    first = date(2020, 5, 1)
    times = [midnight(small, first) + n * HOUR_MS for n in range(24 * 3 + 1)]
    await write(store, "electricity", "e-shop", times, [2.0 * n for n in range(len(times))])
    runner = pipeline(small, store)
    await mark(store, small, first, 1_000)
    await mark(store, small, date(2020, 5, 3), 1_000)
    await runner.backfill(first, date(2020, 5, 2), silent)
    marked = await runner.recompute_marked(date(1980, 1, 1), date(2020, 6, 1))
    assert marked == {date(2020, 5, 3)}


async def failing(_: Sequence[Point]) -> None:
    raise StoreUnavailable("away")


async def test_a_day_past_the_detail_is_corrected_by_hour_too(
    small: SiteFolder, store: Store
) -> None:
    start = midnight(small, date(2020, 5, 1))
    times = [start + n * HOUR_MS for n in range(24 * 20 + 1)]
    values = [2.0 * n for n in range(len(times))]
    runner = pipeline(small, store, detail_days=3)
    for day in range(20):
        hours = slice(24 * day, 24 * day + 25)
        await write(store, "electricity", "e-shop", times[hours], values[hours])
        await runner.backfill(date(2020, 5, 1 + day), date(2020, 5, 1 + day), silent)
    await write(store, "electricity", "e-shop", [times[24 * 4]], [values[24 * 4] - 1.5])
    await runner.backfill(date(2020, 5, 5), date(2020, 5, 5), silent)
    for interval in ("day", "hour", "15min"):
        rows = await stored(store, interval, kind="meter")
        of, amount = rows["e-shop", "electricity", "energy_kwh"]
        sums = [
            amount[(of >= since) & (of < since + DAY_MS)].sum()
            for since in (start + 3 * DAY_MS, start + 4 * DAY_MS)
        ]
        assert sums == pytest.approx([46.5, 49.5]), interval


async def test_rewriting_changes_nothing_and_forgets_what_is_not_known_any_more(
    small: SiteFolder, store: Store
) -> None:
    await write_history(small, store)
    runner = pipeline(small, store)
    await runner.backfill(FIRST, LAST, silent)
    before = await stored(store, "day")
    await runner.backfill(FIRST, LAST, silent)
    after = await stored(store, "day")
    for key, (times, values) in before.items():
        np.testing.assert_array_equal(after[key][0], times)
        np.testing.assert_array_equal(after[key][1], values)
    await store.delete(
        "water", where={"meter": "w"}, start_ms=midnight(small, date(2020, 5, 1)), end_ms=2**42
    )
    await runner.backfill(date(2020, 4, 1), LAST, silent)
    left = (await stored(store, "day", kind="meter"))["w", "water", "volume_m3"][0]
    assert left[-1] == midnight(small, date(2020, 4, 30))
    assert left[0] == midnight(small, FIRST)


async def test_scopes_are_stored_by_the_boundary_rule(small: SiteFolder, store: Store) -> None:
    await write_history(small, store)
    await pipeline(small, store).backfill(FIRST, LAST, silent)
    every = {
        kind: await stored(store, "day", kind=kind)
        for kind in ("meter", "area", "institution", "site")
    }
    main = every["meter"]["e", "electricity", "energy_kwh"][1]
    shop = dict(zip(*every["meter"]["e-shop", "electricity", "energy_kwh"], strict=True))
    assert every["site"]["centre", "electricity", "energy_kwh"][1].tolist() == main.tolist()
    assert every["area"]["block", "electricity", "energy_kwh"][1].tolist() == main.tolist()
    times, bureau = every["institution"]["bureau", "electricity", "energy_kwh"]
    assert bureau == pytest.approx(
        [whole - shop.get(time, 0.0) for time, whole in zip(times, main, strict=True)]
    )
    assert ("office", "electricity", "energy_kwh") in every["institution"]


async def test_imported_intervals_become_consumption(small: SiteFolder, store: Store) -> None:
    start = midnight(small, date(2020, 2, 1))
    tags = (("meter", "w"), ("site", "centre"))
    await store.write(
        [
            Point.of(
                schema.INTERVAL,
                tags,
                (("volume_m3", 0.25), (schema.INTERVAL_S, 3600.0)),
                start + hour * HOUR_MS,
            )
            for hour in range(48)
            if hour != 30
        ]
    )
    await pipeline(small, store).backfill(date(2020, 1, 31), date(2020, 2, 3), silent)
    found = await stored(store, "day", kind="meter")
    times, values = found["w", "water", "volume_m3"]
    assert times.tolist() == [start, start + DAY_MS]
    assert values.tolist() == [6.0, 5.75]
    assert found["w", "water", schema.COVERAGE][1].tolist() == [1.0, 23 / 24]


async def test_a_meter_in_a_zone_with_clock_changes(tmp_path: Path, store: Store) -> None:
    head = '[site]\nid = "centre"\nname = "centre"\ntimezone = "Europe/Berlin"\n'
    text = '[[area]]\nid = "a"\nname = "a"\n[[meter]]\nid = "w"\nname = "w"\nmedium = "water"\n'
    berlin = site_folder(tmp_path, text + 'area = "a"\n', head)
    first, last = date(2025, 3, 29), date(2025, 3, 31)
    start = midnight(berlin, first)
    times = [start + n * HOUR_MS for n in range(-24, 24 * 4)]
    await write(store, "water", "w", times, [float(n) for n in range(len(times))])
    await pipeline(berlin, store).backfill(first, last, silent)
    found = await stored(store, "day", kind="meter")
    assert found["w", "water", "volume_m3"][1].tolist() == [24.0, 23.0, 24.0]


async def test_catching_up_computes_what_is_missing_only(small: SiteFolder, store: Store) -> None:
    await write_history(small, store)
    runner = pipeline(small, store)
    await runner.backfill(FIRST, date(2020, 3, 31), silent)
    where = {"site": "centre", "kind": "meter", "scope": "e", "interval": "day"}
    gone = midnight(small, date(2020, 2, 5))
    await store.delete(schema.CONSUMPTION, where=where, start_ms=gone, end_ms=gone + 1)
    shares: list[float] = []
    await runner.compute_missing_days(LAST, shares.append)
    times = (await stored(store, "day", kind="meter"))["e", "electricity", "energy_kwh"][0]
    assert len(times) == 1 + 182  # and 31 December 2019, of which there are readings
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    shares.clear()
    await runner.compute_missing_days(LAST, shares.append)
    assert not shares


async def test_late_readings_are_found_by_the_gap_they_fill(
    small: SiteFolder, store: Store
) -> None:
    start = midnight(small, date(2020, 5, 1))
    times = np.array([start + n * HOUR_MS for n in range(-48, 24 * 10)])
    values = np.arange(len(times)) * 0.5 + (times - start) % 7 / 10
    late = (times > start + 20 * HOUR_MS) & (times < start + 60 * HOUR_MS)
    await write(store, "electricity", "e-shop", times[~late].tolist(), values[~late].tolist())
    runner = pipeline(small, store)
    await runner.backfill(date(2020, 5, 1), date(2020, 5, 9), silent)
    key = ("e-shop", "electricity", schema.COVERAGE)
    assert (await stored(store, "day", kind="meter"))[key][1][:3].max() < 1
    await write(store, "electricity", "e-shop", times[late].tolist(), values[late].tolist())
    await runner.recompute_gaps(date(2020, 5, 1), date(2020, 5, 9))
    assert (await stored(store, "day", kind="meter"))[key][1].tolist() == [1.0] * 9


async def five_years(small: SiteFolder, store: Store) -> Pipeline:
    """2020 to 2024, a reading a day: 26 kWh a day in 2020, 24 after."""
    start = midnight(small, date(2020, 1, 1)) - DAY_MS
    hours = np.arange(0, 366 + 365 * 5 + 2) * 24
    daily = np.where(hours < 24 * 367, 26.0, 24.0)
    times = start + hours * HOUR_MS
    await write(store, "electricity", "e-shop", times.tolist(), np.cumsum(daily).tolist())
    runner = pipeline(small, store)
    await runner.backfill(date(2020, 1, 1), date(2024, 12, 31), silent)
    return runner


async def test_figures_and_indicators(small: SiteFolder, store: Store) -> None:
    """A year of 24 kWh a day after a base year of 26: 7.9 % less, in a 366th less days."""
    runner = await five_years(small, store)
    as_of = midnight(small, date(2025, 1, 1)) + 5 * HOUR_MS
    published = await runner.publish({"2023": as_of, "2024": as_of})
    (shop,) = (
        one
        for one in published
        if (one.scope, one.indicator, one.period) == ("shop", "electricity", "2023")
    )
    assert shop.value == 24.0 * 365
    assert shop.baseline == pytest.approx(26.0 * 366, abs=2.0)
    (series,) = await store.read(
        schema.INDICATOR,
        "value",
        where={
            "site": "centre",
            "scope": "shop",
            "indicator": "electricity",
            "period": "2023",
            "series": schema.NO_SERIES,
        },
        start_ms=0,
        end_ms=2**42,
    )
    assert series.times_ms.tolist() == [midnight(small, date(2025, 1, 1))]
    assert series.values.tolist() == [24.0 * 365]
    shown = await runner.stored_periods()
    assert [one for one in shown if len(one) == 4] == ["2020", "2021", "2022", "2023", "2024"]
    assert (shown[0], shown[1], len(shown)) == ("2020", "2020-01", 5 * 13)


async def test_a_period_that_ended_is_dated_its_last_day(small: SiteFolder, store: Store) -> None:
    runner = await five_years(small, store)
    await runner.publish({"2023": midnight(small, date(2024, 1, 1))})
    [series] = await store.read(
        schema.INDICATOR,
        "value",
        where={"site": "centre", "scope": "shop", "indicator": "electricity", "period": "2023"},
        start_ms=0,
        end_ms=2**42,
    )
    assert series.times_ms.tolist() == [midnight(small, date(2023, 12, 31))]


async def test_a_day_of_which_nothing_is_known_is_computed_once(
    small: SiteFolder, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hole of days in imported consumption cost every command a backfill before."""
    days = [date(2023, 5, day) for day in range(1, 21) if not 6 <= day <= 9]
    points = [
        Point.of(
            schema.INTERVAL,
            (("meter", "e-shop"), ("site", "centre")),
            (("energy_kwh", 24.0), (schema.INTERVAL_S, 86400.0)),
            midnight(small, day),
        )
        for day in days
    ]
    await store.write(points)
    runner = pipeline(small, store)
    await runner.backfill(days[0], days[-1], silent)
    known = await stored(store, "day", kind="meter")
    assert len(known["e-shop", "electricity", "energy_kwh"][0]) == len(days)
    computed: list[tuple[date, date]] = []

    async def spy(_: object, first: date, last: date, __: object) -> tuple[date, list[object]]:
        computed.append((first, last))
        return first, []

    monkeypatch.setattr(runner, "_compute", spy)
    await runner.compute_missing_days(days[-1], silent)
    assert computed == []


@pytest.mark.parametrize(("built", "covered"), [("2021-01-01", True), ("2019-01-01", False)])
async def test_days_before_a_building_was_there_are_covered_and_others_are_not(
    tmp_path: Path, store: Store, built: str, covered: bool
) -> None:
    """A building of 2021 left the site's 2020 without a base: its meter was taken for silent.

    One that was there before its meter was is unknown in 2020, not 0.
    """
    areas = "".join(
        f'[[area]]\nid = "{one}"\nname = "{one}"\n'
        f"floor_area_m2 = [{{from = {since}, value = 100.0}}]\n"
        for one, since in (("old", "2019-01-01"), ("new", built))
    )
    meter = '[[meter]]\nid = "{0}"\nname = "{0}"\nmedium = "electricity"\narea = "{1}"\n'
    text = areas + meter.format("e", "old") + meter.format("e-new", "new")
    two = site_folder(tmp_path, text + "installed = 2021-01-01\n")
    fitted, end = midnight(two, date(2021, 1, 1)), midnight(two, date(2022, 1, 1))
    for one, since in (("e", midnight(two, date(2020, 1, 1))), ("e-new", fitted)):
        times = list(range(since, end + 1, DAY_MS))
        await write(store, "electricity", one, times, [10.0 * n for n in range(len(times))])
    runner = pipeline(two, store)
    await runner.compute_missing_days(date(2021, 12, 31), silent)
    found = await runner.figures("2021", ["centre"], end)
    (figure,) = (one for one in found if one.indicator == "electricity")
    assert figure.value == pytest.approx(7300)
    assert figure.baseline == pytest.approx(3650, abs=11)
    assert bool([one for one in figure.findings if one.subject == "e-new"]) is not covered
    (before,) = (
        one
        for one in await runner.figures("2020", ["centre"], end)
        if one.indicator == "electricity"
    )
    assert before.coverage is not None
    assert (before.coverage == pytest.approx(1.0)) is covered


async def test_an_unknown_scope_is_refused_with_the_known_ones(
    small: SiteFolder, store: Store
) -> None:
    with pytest.raises(UsageError, match=r"blok.*block"):
        await pipeline(small, store).figures("2024", ["blok"], 0)


async def test_an_empty_store_gives_figures_without_values(small: SiteFolder, store: Store) -> None:
    figures = await pipeline(small, store).figures("2024", None, midnight(small, LAST))
    assert {figure.value for figure in figures} == {None}
    assert {figure.status for figure in figures} <= {"insufficient_data", "no_target"}
    assert await pipeline(small, store).stored_periods() == []
    await pipeline(small, store).compute_missing_days(LAST, silent)


async def test_a_register_of_zeros_is_read_only_so_far(small: SiteFolder, store: Store) -> None:
    """A meter that was never used is at 0 for ever: it consumed nothing, which is known."""
    start = midnight(small, FIRST)
    times = [start + n * HOUR_MS for n in range(24 * 60)]
    await write(store, "electricity", "e-shop", times, [0.0] * len(times))
    found: list[Finding] = await pipeline(small, store, months=1).backfill(
        FIRST, date(2020, 2, 28), silent
    )
    days = (await stored(store, "day", kind="meter"))["e-shop", "electricity", "energy_kwh"][1]
    assert days.tolist() == [0.0] * 59
    assert not found
