"""Live signals of stored consumption and indicators: read as often as they change."""

from collections.abc import AsyncIterator, Iterable
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from analytics import periods
from analytics.alerts.alert import SignalValues
from analytics.alerts.alert_rule import AlertRule
from analytics.pipeline.signals.signal_reader import SignalReader
from jieneng.metering import schema
from jieneng.metering.quantities import CONSUMPTION, Medium
from jieneng.metering.schema import Point
from tests.analytics.alerts.signals.made_hours import SHANGHAI
from tests.analytics.pipeline.signals.stored_messages import (
    CountingStore,
    meter_row,
    reader,
    site_folder,
)

#: A Wednesday without holidays in the four weeks before.
TODAY = date(2025, 3, 26)


@pytest.fixture
async def counted(tmp_path: Path) -> AsyncIterator[CountingStore]:
    store = CountingStore(tmp_path)
    await store.prepare()
    yield store
    await store.close()


def midnight(day: date) -> int:
    return periods.midnight_ms(day, SHANGHAI)


def hour(day: date, clock: int) -> int:
    return midnight(day) + clock * 3_600_000


def consumption(
    scope: str,
    amounts: Iterable[tuple[int, float]],
    *,
    kind: str = "meter",
    medium: Medium = "electricity",
    interval: str = "hour",
    coverage: float = 1.0,
) -> list[Point]:
    """Return the points of consumption (start [UTC, ms], amount) as the analytics writes them."""
    tags = {"site": "centre", "kind": kind, "scope": scope, "medium": medium, "interval": interval}
    shares = {schema.COVERAGE: coverage}
    if interval == "day":
        shares |= {schema.BOUNDED: coverage, schema.SPREAD_START: 0.1, schema.SPREAD_END: 0.1}
    made = [
        schema.point(schema.CONSUMPTION, tags, {CONSUMPTION[medium]: amount, **shares}, start)
        for start, amount in amounts
    ]
    return [point for point in made if point is not None]


def month_of_hours(amount: float = 10.0) -> list[tuple[int, float]]:
    """Return the hours of the 31 days that end yesterday, and of today up to 10:00."""
    start, end = midnight(TODAY - timedelta(days=31)), hour(TODAY, 10)
    return [(time, amount) for time in range(start, end, 3_600_000)]


def known(values: SignalValues, subject: str) -> dict[int, float]:
    row = values.values[values.subjects.index(subject)].tolist()
    pairs = zip(values.times_ms.tolist(), row, strict=True)
    return {time: value for time, value in pairs if not np.isnan(value)}


async def settled(live: SignalReader, now_ms: int) -> dict[str, SignalValues]:
    """Return the values of as many rounds as the hours of the past take."""
    found = await live.read(now_ms)
    while live.is_behind:
        found |= await live.read(now_ms)
    return found


DEVIATION = AlertRule(id="unusual", signal="deviation", above=2.5)


async def test_an_hour_is_compared_with_the_stored_hours_of_four_weeks(
    tmp_path: Path, counted: CountingStore
) -> None:
    folder = site_folder(tmp_path, meter_row("a"), meter_row("b"))
    usual = month_of_hours()
    await counted.write(consumption("a", [*usual[:-1], (usual[-1][0], 40.0)]))
    await counted.write(consumption("b", usual[-50:]))  # two days: no profile yet
    found = (await settled(reader(folder, counted, DEVIATION), hour(TODAY, 10) + 60_000))["unusual"]
    assert found.is_replacement
    assert found.subjects == ("a",)
    of_a = known(found, "a")
    assert of_a[hour(TODAY, 10)] == 4.0
    assert set(of_a.values()) == {1.0, 4.0}
    assert len(of_a) == 24 + 24 + 10


async def test_values_come_once_until_late_data_changes_them(
    tmp_path: Path, counted: CountingStore
) -> None:
    folder = site_folder(tmp_path, meter_row("a"))
    usual = month_of_hours()
    await counted.write(consumption("a", [*usual[:-1], (usual[-1][0], 40.0)]))
    live = reader(folder, counted, DEVIATION)
    now_ms = hour(TODAY, 10) + 60_000
    assert "unusual" in await settled(live, now_ms)
    counted.queries.clear()
    for later_s in (10, 20, 290):
        assert await live.read(now_ms + later_s * 1000) == {}
    assert counted.queries == []
    assert await live.read(now_ms + 300_000) == {}
    assert counted.queries != []
    await counted.write(consumption("a", [(usual[-1][0], 10.0)]))
    changed = (await live.read(now_ms + 600_000))["unusual"]
    assert set(known(changed, "a").values()) == {1.0}
    counted.queries.clear()
    await live.read(hour(TODAY, 11) + 59_000)
    await live.read(hour(TODAY, 11) + 60_000)
    assert len(counted.queries) in (1, 2)  # one more of the five minutes may lie before


async def test_the_next_day_needs_only_the_newest_hours_and_knows_the_others(
    tmp_path: Path, counted: CountingStore
) -> None:
    folder = site_folder(tmp_path, meter_row("a"))
    tomorrow = TODAY + timedelta(days=1)
    later = [(time, 10.0) for time in range(hour(TODAY, 10), hour(tomorrow, 2), 3_600_000)]
    await counted.write(consumption("a", month_of_hours()))
    live = reader(folder, counted, DEVIATION)
    await settled(live, hour(TODAY, 10))
    await counted.write(consumption("a", [*later[:-1], (later[-1][0], 50.0)]))
    counted.queries.clear()
    found = (await live.read(hour(tomorrow, 2) + 60_000))["unusual"]
    assert len(counted.queries) == 1
    fresh = await settled(reader(folder, counted, DEVIATION), hour(tomorrow, 2) + 60_000)
    assert known(found, "a") == known(fresh["unusual"], "a")
    assert known(found, "a")[hour(tomorrow, 2)] == 5.0


async def test_a_rule_for_working_hours_watches_whole_hours(
    tmp_path: Path, counted: CountingStore
) -> None:
    folder = site_folder(tmp_path, meter_row("a"))
    await counted.write(consumption("a", month_of_hours()))
    rule = AlertRule(id="work", signal="deviation", above=2.5, when="working")
    found = (await settled(reader(folder, counted, rule), hour(TODAY, 10) + 60_000))["work"]
    clocks = [(time - midnight(TODAY)) // 3_600_000 % 24 for time in known(found, "a")]
    assert clocks == [*range(9, 19), *range(9, 19), 9, 10]  # ends of the hours


async def test_the_nights_of_two_weeks_have_their_least_flow(
    tmp_path: Path, counted: CountingStore
) -> None:
    folder = site_folder(
        tmp_path, meter_row("w", medium="water", model="tuf-2000m-water"), meter_row("e")
    )
    flows = [(time, 0.5 if time < midnight(TODAY) else 0.2) for time, _ in month_of_hours()]
    await counted.write(consumption("w", flows, medium="water"))
    rule = AlertRule(id="leak", signal="night_flow", above=0.3)
    live = reader(folder, counted, rule)
    early = (await settled(live, hour(TODAY, 4)))["leak"]
    assert set(known(early, "w").values()) == {0.5}
    found = (await live.read(hour(TODAY, 10)))["leak"]
    nights = known(found, "w")
    assert nights.pop(hour(TODAY, 5)) == 0.2
    assert list(nights) == [hour(TODAY - timedelta(days=back), 5) for back in range(13, 0, -1)]


async def test_the_balance_of_a_meter_is_that_of_the_stored_rest(
    tmp_path: Path, counted: CountingStore
) -> None:
    below = meter_row("below").replace('area = "block"', 'area = "block"\nparent = "main"')
    folder = site_folder(tmp_path, meter_row("main"), below)
    days = [midnight(TODAY - timedelta(days=back)) for back in range(20, 0, -1)]
    main = consumption("main", [(day, 100.0) for day in days], interval="day")
    rest = consumption("main", [(day, -6.0) for day in days], kind="rest", interval="day")
    await counted.write(main + rest)
    rule = AlertRule(id="sum", signal="imbalance", below=-5.0)
    found = (await settled(reader(folder, counted, rule), hour(TODAY, 10)))["sum"]
    assert found.subjects == ("main",)
    assert set(known(found, "main").values()) == {-6.0}
    assert list(known(found, "main"))[-1] == midnight(TODAY)
    assert len(known(found, "main")) == 13


async def test_the_idle_load_of_an_area_is_that_of_its_stored_hours(
    tmp_path: Path, counted: CountingStore
) -> None:
    folder = site_folder(tmp_path, meter_row("a"))
    await counted.write(consumption("block", month_of_hours(), kind="area"))
    rule = AlertRule(id="idle", signal="idle_load", above=70.0)
    found = (await settled(reader(folder, counted, rule), hour(TODAY, 10)))["idle"]
    assert found.subjects == ("block",)
    assert set(known(found, "block").values()) == {100.0}


def indicator(day: date, status: str, value: float, *, coverage: float = 0.9, **tags: str) -> Point:
    point = schema.point(
        schema.INDICATOR,
        {
            "site": "centre",
            "scope": "block",
            "indicator": "energy_per_capita",
            "period": f"{day:%Y}",
            "series": "-",
            **tags,
        },
        {"value": value, "path": 100.0, schema.COVERAGE: coverage, "status": status},
        midnight(day),
    )
    assert point is not None
    return point


async def test_an_indicator_above_its_path_is_one_with_a_verdict(
    tmp_path: Path, counted: CountingStore
) -> None:
    folder = site_folder(tmp_path, meter_row("a"))
    yesterday = TODAY - timedelta(days=1)
    await counted.write(
        [
            indicator(yesterday, "insufficient_data", 150.0),
            indicator(TODAY, "at_risk", 104.0),
            indicator(yesterday, "missed", 200.0, period=f"{yesterday:%Y-%m}", coverage=0.8),
            indicator(TODAY, "missed", 200.0, period=f"{TODAY:%Y-%m}", coverage=0.85),
            indicator(TODAY, "at_risk", 108.0, indicator="carbon_per_floor_area", series="fixed"),
            indicator(TODAY, "at_risk", 300.0, indicator="carbon_per_floor_area", series="current"),
        ]
    )
    rules = (
        AlertRule(id="path", signal="path_excess", above=3.0),
        AlertRule(id="cover", signal="coverage", below=95.0),
    )
    found = await reader(folder, counted, *rules).read(hour(TODAY, 10))
    assert known(found["path"], "block/energy_per_capita") == {midnight(TODAY): pytest.approx(4.0)}
    carbon = known(found["path"], "block/carbon_per_floor_area")
    assert carbon == {midnight(TODAY): pytest.approx(8.0)}
    assert known(found["cover"], "block") == {
        midnight(yesterday): 80.0,
        midnight(TODAY): 85.0,
    }, "of the month: a site that begins in November is not short of the whole year"


async def test_the_year_of_an_indicator_is_that_of_its_day(
    tmp_path: Path, counted: CountingStore
) -> None:
    folder = site_folder(tmp_path, meter_row("a"))
    last, first = date(2024, 12, 31), date(2025, 1, 1)
    await counted.write([indicator(last, "missed", 110.0), indicator(first, "at_risk", 105.0)])
    rule = AlertRule(id="path", signal="path_excess", above=3.0)
    found = (await reader(folder, counted, rule).read(hour(first, 10)))["path"]
    assert known(found, "block/energy_per_capita") == {
        midnight(last): pytest.approx(10.0),
        midnight(first): pytest.approx(5.0),
    }


def annual_quota(day: date, quota: str, used_pct: float, short_days: float | None) -> Point:
    point = schema.point(
        schema.ANNUAL_QUOTA,
        {
            "site": "centre",
            "scope": "block",
            "indicator": "electricity",
            "quota": quota,
            "period": f"{day:%Y}",
        },
        {"least_used_pct": used_pct, "used_pct": used_pct + 1, "short_days": short_days},
        midnight(day),
    )
    assert point is not None
    return point


async def test_the_use_of_a_quota_is_that_of_its_year_and_the_worst_of_several(
    tmp_path: Path, counted: CountingStore
) -> None:
    folder = site_folder(tmp_path, meter_row("a"))
    last, first = date(2024, 12, 31), date(2025, 1, 2)
    await counted.write(
        [
            annual_quota(last, "own", 97.0, 0.0),
            annual_quota(last, "cap", 103.0, 12.0),
            annual_quota(first, "own", 0.3, None),
        ]
    )
    rules = (
        AlertRule(id="used", signal="quota_used", above=80.0),
        AlertRule(id="short", signal="quota_short_days", above=14.0),
    )
    found = await reader(folder, counted, *rules).read(hour(first, 10))
    subject = "block/electricity"
    assert known(found["used"], subject) == {midnight(last): 103.0, midnight(first): 0.3}
    assert known(found["short"], subject) == {midnight(last): 12.0}
