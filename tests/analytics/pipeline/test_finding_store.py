"""Findings about registers are stored once, at their time, and removed with their cause."""

import math
from collections.abc import Mapping
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from analytics import periods
from analytics.counters.register_finding import RegisterFinding
from analytics.pipeline.finding_store import FindingStore
from analytics.pipeline.pipeline import Pipeline
from analytics.site_analytics import load_rules
from jieneng.metering import schema
from jieneng.metering.findings import Finding
from jieneng.metering.schema import Point
from jieneng.site_folder import SiteFolder
from jieneng.storage import Store, StoreSettings, open_store
from tests.analytics.sites import folder as site_folder
from tests.servers import Influx, Influx2

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
FIRST, DAYS = date(2024, 3, 1), 24
SITE = """
[[area]]
id = "block"
name = "block"
institutions = ["bureau"]
floor_area_m2 = [{from = 2020-01-01, value = 1000.0}]

[[meter]]
id = "e"
name = "e"
medium = "electricity"
area = "block"
rated_max = 100.0

[[meter]]
id = "e-plain"
name = "e-plain"
medium = "electricity"
area = "block"
"""


@pytest.fixture
def small(tmp_path: Path) -> SiteFolder:
    return site_folder(tmp_path, SITE)


def start_ms(small: SiteFolder) -> int:
    return periods.midnight_ms(FIRST, small.site.zone)


def history() -> NDArray[np.float64]:
    """Return three weeks by the hour, in which much goes wrong, at midnights above all."""
    rng = np.random.default_rng(3)
    shown = 1000 + np.cumsum(rng.uniform(0, 9, 24 * DAYS))
    shown[24 * 5 :] -= shown[24 * 5] - 3  # restarts at midnight
    shown[24 * 11 - 6 : 24 * 11 + 7] = np.nan  # ... and during an outage
    shown[24 * 11 :] -= shown[24 * 11 + 7] - 1
    shown[24 * 14 - 5 : 24 * 16 + 3] = 0.0  # no answer for days
    shown[24 * 18 - 1 : 24 * 18 + 1] = 9e6
    shown[24 * 20 + 3] = shown[24 * 20 + 9] = 0.0
    return shown


async def write(
    small: SiteFolder, store: Store, values: NDArray[np.float64], first: int = 0
) -> None:
    for meter in ("e", "e-plain"):
        await store.write(
            [
                Point.of(
                    "electricity",
                    (("meter", meter), ("site", "centre")),
                    (("energy_kwh", value),),
                    start_ms(small) + (first + hour) * HOUR_MS,
                )
                for hour, value in enumerate(values.tolist())
                if math.isfinite(value)
            ]
        )


async def backfill(small: SiteFolder, store: Store, first: int, end: int) -> None:
    runner = Pipeline(small, load_rules(small.path), store, detail_days=1)
    days = FIRST + timedelta(days=first), FIRST + timedelta(days=end - 1)
    await runner.backfill(*days, lambda _: None)


async def stored(
    small: SiteFolder, store: Store
) -> Mapping[tuple[str, str, int], Mapping[str, float]]:
    return await FindingStore(small.site, store).stored(0, 2**42)


async def test_the_findings_of_a_day_and_code_are_one_point(
    small: SiteFolder, store: Store
) -> None:
    await write(small, store, history())
    await backfill(small, store, 0, DAYS)
    points = {
        (code, (time_ms - start_ms(small)) // HOUR_MS): fields
        for (meter, code, time_ms), fields in (await stored(small, store)).items()
        if meter == "e"
    }
    assert {key: fields["count"] for key, fields in points.items()} == {
        ("counter_reset", 24 * 5 - 1): 1,
        ("counter_reset", 24 * 11 - 7): 1,
        ("set_aside", 24 * 14 - 5): 1,
        ("set_aside", 24 * 18 - 1): 1,
        ("set_aside", 24 * 20 + 3): 2,
    }
    assert points["counter_reset", 24 * 5 - 1]["doubt"] == 100.0
    assert points["counter_reset", 24 * 11 - 7]["doubt"] == 100.0 * 14
    zeros = points["set_aside", 24 * 14 - 5]
    assert zeros["until_ms"] == start_ms(small) + (24 * 16 + 2) * HOUR_MS
    assert zeros["doubt"] == 0.0


@pytest.mark.parametrize("seed", range(5))
async def test_the_same_findings_however_the_days_are_cut(
    small: SiteFolder, store: Store, seed: int
) -> None:
    """Computed in any windows, in any order: none doubles at an edge, and none is lost."""
    await write(small, store, history())
    await backfill(small, store, 0, DAYS)
    whole = await stored(small, store)
    await store.delete(schema.FINDING, where={}, start_ms=0, end_ms=2**42)
    rng = np.random.default_rng(seed)
    inner = np.sort(rng.choice(np.arange(1, DAYS), seed + 2, replace=False))
    cuts = [0, *inner.tolist(), DAYS]
    windows = list(pairwise(cuts))
    for number in rng.permutation(len(windows)).tolist():
        await backfill(small, store, *windows[number])
    assert await stored(small, store) == whole


async def test_readings_that_come_later_change_the_findings_of_earlier_days(
    small: SiteFolder, store: Store
) -> None:
    """The service computes each day with what it has by then: zeros go on, resets are believed."""
    values = history()
    for day in range(DAYS):
        await write(small, store, values[24 * day : 24 * day + 24], 24 * day)
        await backfill(small, store, max(day - 1, 0), day + 1)
    found = await stored(small, store)
    await store.delete(schema.FINDING, where={}, start_ms=0, end_ms=2**42)
    await backfill(small, store, 0, DAYS)
    assert found == await stored(small, store)


async def test_what_is_found_no_longer_is_deleted(small: SiteFolder, store: Store) -> None:
    values = history()
    await write(small, store, values)
    await backfill(small, store, 0, DAYS)
    at_ms = start_ms(small) + 18 * DAY_MS
    await store.delete("electricity", where={}, start_ms=at_ms - HOUR_MS, end_ms=at_ms + HOUR_MS)
    await backfill(small, store, 17, 18)
    found = {(key[1], key[2]) for key in await stored(small, store)}
    assert ("set_aside", at_ms - HOUR_MS) not in found
    assert len(found) == 4


async def test_a_doubt_that_is_bounded_no_longer_is_no_field_that_stays(
    small: SiteFolder, store: Store
) -> None:
    findings = FindingStore(small.site, store)
    window = start_ms(small), start_ms(small) + DAY_MS
    one = RegisterFinding(Finding.of("counter_reset", "e", before=7.0), *window, 12.0)
    await findings.rewrite({"e": [one]}, window, await findings.stored(*window))
    (known,) = await findings.overlapping(*window)
    assert known == one
    unbounded = RegisterFinding(Finding.of("counter_reset", "e"), *window)
    await findings.rewrite({"e": [unbounded]}, window, await findings.stored(*window))
    (known,) = await findings.overlapping(*window)
    assert math.isnan(known.doubt)
    assert known.finding.values == ()
    await findings.rewrite({"e-plain": []}, window, await findings.stored(*window))
    assert len(await findings.overlapping(*window)) == 1


async def test_a_finding_concerns_every_period_that_it_reaches(
    small: SiteFolder, store: Store
) -> None:
    findings = FindingStore(small.site, store)
    midnight = start_ms(small)
    one = RegisterFinding(Finding.of("set_aside", "e"), midnight - 9 * DAY_MS, midnight + 5, 0.0)
    window = midnight - 10 * DAY_MS, midnight
    await findings.rewrite({"e": [one]}, window, {})
    assert len(await findings.overlapping(midnight, midnight + DAY_MS)) == 1
    assert await findings.overlapping(midnight + 5, midnight + DAY_MS) == ()
    assert await findings.overlapping(midnight - 20 * DAY_MS, midnight - 9 * DAY_MS) == ()


async def _rewritten(small: SiteFolder, store: Store) -> list[RegisterFinding]:
    """Write findings thrice: new ones, other ones, fewer; return what is stored in the end."""
    findings = FindingStore(small.site, store)
    window = start_ms(small), start_ms(small) + 30 * DAY_MS

    def reset(day: int, doubt: float) -> RegisterFinding:
        at_ms = window[0] + day * DAY_MS
        return RegisterFinding(
            Finding.of("counter_reset", "e", before=day + 0.5), at_ms, at_ms + HOUR_MS, doubt
        )

    spike = RegisterFinding(Finding.of("set_aside", "e"), window[0] + 5, window[0] + 9, 0.0)
    for found in (
        [spike, *(reset(day, 8.0) for day in range(20))],
        [spike, *(reset(day, math.nan) for day in range(0, 20, 3))],
        [reset(day, 2.0) for day in (3, 4)],
    ):
        await findings.rewrite({"e": found}, window, await findings.stored(*window))
    return list(await findings.overlapping(*window))


async def test_an_influx_keeps_the_same_findings(
    small: SiteFolder, store: Store, influx: Influx
) -> None:
    settings = StoreSettings(kind="influx", url=influx.url, database="findings")
    other = open_store(settings, small.path)
    await other.prepare()
    try:
        assert await _rewritten(small, other) == await _rewritten(small, store)
    finally:
        await other.close()


async def test_an_influx_2_keeps_the_same_findings(
    small: SiteFolder, store: Store, influx2: Influx2, tmp_path: Path
) -> None:
    influx2.make_bucket("findings")
    token = tmp_path / "token"
    token.write_text(influx2.token)
    settings = StoreSettings(
        kind="influx", url=influx2.url, database="findings", token_file=str(token)
    )
    other = open_store(settings, small.path)
    try:
        assert await _rewritten(small, other) == await _rewritten(small, store)
    finally:
        await other.close()
