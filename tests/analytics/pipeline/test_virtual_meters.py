"""A virtual meter is stored like others, and follows the readings of the meters in its formula."""

from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from analytics import periods
from analytics.pipeline.intervals.interval_reader import IntervalReader
from analytics.pipeline.pipeline import Pipeline
from analytics.site_analytics import load_rules
from jieneng.metering import schema
from jieneng.metering.schema import Point
from jieneng.site_folder import load
from jieneng.storage import Store
from tests.analytics.sites import folder as site_folder

HOUR_MS = 3_600_000
FIRST, LAST = date(2025, 3, 1), date(2025, 3, 4)
START_MS = periods.midnight_ms(FIRST, ZoneInfo("Asia/Shanghai"))
NOW_MS = START_MS + 40 * 24 * HOUR_MS


def meter(name: str, *lines: str) -> str:
    head = f'\n[[meter]]\nid = "{name}"\nname = "{name}"\nmedium = "electricity"\narea = "block"\n'
    return head + "".join(f"{line}\n" for line in lines)


METERS = (
    '\n[[area]]\nid = "block"\nname = "block"\n'
    + meter("main")
    + meter("canteen", 'parent = "main"')
)
NET = meter("net", 'formula = "main - canteen"', 'parent = "main"', 'item = "special"')


def silent(_: float) -> None:
    """Discard the progress."""


def pipeline(folder: Path, text: str, store: Store) -> Pipeline:
    site = site_folder(folder, text)
    return Pipeline(site, load_rules(folder), store, detail_days=2)


async def write(
    store: Store,
    name: str,
    hours: Sequence[int],
    kwh_an_hour: float,
    quantity: str = "energy_kwh",
) -> None:
    """Write a register that counts evenly, read at these hours."""
    tags = (("meter", name), ("site", "centre"))
    points = [
        Point.of(
            "electricity",
            tags,
            ((quantity, 1000.0 + kwh_an_hour * hour), (schema.QUALITY, 0.0)),
            START_MS + hour * HOUR_MS,
        )
        for hour in hours
    ]
    await store.write(points)


async def stored(
    store: Store, scope: str, interval: str = "day", kind: str = "meter"
) -> list[float]:
    found = await store.read(
        schema.CONSUMPTION,
        "energy_kwh",
        where={"scope": scope, "kind": kind, "interval": interval},
        start_ms=0,
        end_ms=2**42,
    )
    return [round(value, 6) for series in found for value in series.values.tolist()]


async def test_it_is_stored_by_day_and_hour_and_is_a_sub_item(tmp_path: Path, store: Store) -> None:
    """10 kWh an hour less 4: 6 kWh an hour, 144 a day; no rest: 240 - 96 - 144 = 0."""
    await write(store, "main", range(97), 10.0)
    await write(store, "canteen", range(97), 4.0)
    await pipeline(tmp_path, METERS + NET, store).backfill(FIRST, LAST, silent)
    assert await stored(store, "net") == [144.0] * 4
    assert await stored(store, "net", "hour") == [6.0] * 24
    assert await stored(store, "special", kind="item") == [144.0] * 4
    assert await stored(store, "main", kind="rest") == [0.0] * 4
    assert await stored(store, "block", kind="area") == [240.0] * 4, "its parent counts it"


async def test_a_bidirectional_meter_counts_with_its_net_energy(
    tmp_path: Path, store: Store
) -> None:
    """10 kWh an hour come in, 3 go out, and the canteen has 4: 3 kWh an hour, 72 a day."""
    await write(store, "main", range(97), 10.0)
    await write(store, "main", range(97), 3.0, "energy_export_kwh")
    await write(store, "canteen", range(97), 4.0)
    await pipeline(tmp_path, METERS + NET, store).backfill(FIRST, LAST, silent)
    assert await stored(store, "net") == [72.0] * 4
    assert await stored(store, "net", "hour") == [3.0] * 24
    assert await stored(store, "main", kind="rest") == [0.0] * 4
    reader = IntervalReader(load(tmp_path), store)
    windows = [one async for one in reader.windows("electricity", "hour", FIRST, LAST, ["net"])]
    computed = [one.of_flow(one.flows[0]).amount for one in windows]
    assert np.allclose(np.concatenate(computed), 3.0)


async def test_it_is_unknown_while_the_exported_energy_is(tmp_path: Path, store: Store) -> None:
    await write(store, "main", range(97), 10.0)
    await write(store, "main", range(49), 3.0, "energy_export_kwh")
    await write(store, "canteen", range(97), 4.0)
    analytics = pipeline(tmp_path, METERS + NET, store)
    await analytics.compute_missing_days(LAST, silent)
    assert await stored(store, "net") == [72.0] * 2
    await write(store, "main", range(49, 97), 3.0, "energy_export_kwh")
    for day in (date(2025, 3, 3), LAST):
        midnight_ms = periods.midnight_ms(day, ZoneInfo("Asia/Shanghai"))
        await store.write([schema.late_day_point("centre", "main", midnight_ms, NOW_MS)])
    await analytics.recompute_marked(FIRST, LAST)
    assert await stored(store, "net") == [72.0] * 4


async def test_its_hours_are_the_same_stored_or_computed(tmp_path: Path, store: Store) -> None:
    """Of four days, the latest is stored by hour; the others are computed from the readings."""
    await write(store, "main", range(97), 10.0)
    await write(store, "canteen", [*range(40), *range(44, 97)], 4.0)
    await pipeline(tmp_path, METERS + NET, store).backfill(FIRST, LAST, silent)
    reader = IntervalReader(load(tmp_path), store)
    end = LAST + timedelta(days=1)
    windows = [one async for one in reader.windows("electricity", "hour", FIRST, end, ["net"])]
    assert [[flow.meter.id for flow in one.flows] for one in windows] == [["net"], ["net"]]
    hours = [one.of_flow(one.flows[0]) for one in windows]
    assert np.allclose(np.concatenate([one.amount for one in hours]), 6.0)
    measured = np.concatenate([one.is_measured for one in hours])
    assert np.flatnonzero(~measured).tolist() == [39, 40, 41, 42, 43], "not read from 39 to 44"


async def test_late_readings_of_a_meter_reach_it(tmp_path: Path, store: Store) -> None:
    await write(store, "main", range(97), 10.0)
    await write(store, "canteen", range(25), 4.0)
    analytics = pipeline(tmp_path, METERS + NET, store)
    await analytics.compute_missing_days(LAST, silent)
    assert await stored(store, "net") == [144.0], "unknown while a meter of the formula is"
    await write(store, "canteen", range(25, 97), 4.0)
    await analytics.compute_missing_days(LAST, silent)
    assert await stored(store, "net") == [144.0] * 4


async def test_a_marked_late_day_gives_what_computing_everything_gives(
    tmp_path: Path, store: Store
) -> None:
    """A late reading of the canteen moves its consumption from 2 to 3 March."""
    await write(store, "main", range(97), 10.0)
    await write(store, "canteen", [*range(25), *range(60, 97)], 4.0)
    analytics = pipeline(tmp_path, METERS + NET, store)
    await analytics.compute_missing_days(LAST, silent)
    await write(store, "canteen", [40], 2.5)
    midnight_ms = periods.midnight_ms(date(2025, 3, 2), ZoneInfo("Asia/Shanghai"))
    await store.write([schema.late_day_point("centre", "canteen", midnight_ms, NOW_MS)])
    await analytics.recompute_marked(FIRST, LAST)
    series = [("net", "meter"), ("canteen", "meter"), ("special", "item"), ("main", "rest")]
    series += [("block", "area"), ("block", "special"), ("block", "no_item")]
    found = [await stored(store, name, kind=kind) for name, kind in series]
    await analytics.backfill(FIRST, LAST, silent)
    assert found == [await stored(store, name, kind=kind) for name, kind in series]
    assert found[0] != [144.0] * 4


async def test_a_new_virtual_meter_gets_its_past_by_itself(tmp_path: Path, store: Store) -> None:
    await write(store, "main", range(97), 10.0)
    await write(store, "canteen", range(97), 4.0)
    await pipeline(tmp_path, METERS, store).compute_missing_days(LAST, silent)
    analytics = pipeline(tmp_path, METERS + NET, store)
    await analytics.compute_missing_days(LAST, silent)
    assert await stored(store, "net") == [144.0] * 4


@pytest.mark.parametrize(("out", "is_told"), [(7.0, False), (5.0, True)])
async def test_exported_energy_explains_a_day_below_0(
    tmp_path: Path, store: Store, out: float, is_told: bool
) -> None:
    """10 kWh an hour come in, and 12 are deducted or go out: 5 of them, or 7."""
    net = meter("inner", 'formula = "main - canteen"') + meter(
        "net", 'formula = "inner"', "counts = true"
    )
    below = METERS.replace('name = "main"\n', 'name = "main"\nparent = "net"\n')
    await write(store, "main", range(97), 10.0)
    await write(store, "main", range(97), out, "energy_export_kwh")
    await write(store, "canteen", range(97), 10.5 if is_told else 5.0)
    analytics = pipeline(tmp_path, below + net, store)
    await analytics.compute_missing_days(LAST, silent)
    figures = await analytics.figures("2025-03", ["block"], NOW_MS)
    [total] = [one for one in figures if one.indicator == "electricity"]
    assert ("negative_formula" in {one.code for one in total.findings}) == is_told
    assert total.value == (-528.0 if is_told else -192.0)


@pytest.mark.parametrize("counts", [True, False])
async def test_days_below_0_and_gaps_are_findings_of_the_figure(
    tmp_path: Path, store: Store, counts: bool
) -> None:
    """The meter of the canteen counts 12 kWh an hour below a main with 10: a wrong ratio."""
    net = meter("net", 'formula = "main - canteen"', "counts = true" if counts else "")
    below = METERS.replace('name = "main"\n', 'name = "main"\n' + 'parent = "net"\n' * counts)
    await write(store, "main", range(97), 10.0)
    await write(store, "canteen", range(97), 12.0)
    analytics = pipeline(tmp_path, below + net, store)
    await analytics.compute_missing_days(LAST, silent)
    figures = await analytics.figures("2025-03", ["block"], NOW_MS)
    [total] = [one for one in figures if one.indicator == "electricity"]
    found = {one.code: dict(one.values) for one in total.findings}
    assert ("negative_formula" in found) == counts
    if counts:
        assert (total.value, found["negative_formula"]["count"]) == (-192.0, 4)
        assert found["negative_formula"]["doubt"] == 192.0
