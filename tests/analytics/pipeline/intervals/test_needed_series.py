"""An indicator that needs more than daily sums states what it needs, and is given it."""

from collections.abc import AsyncIterator, Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analytics import periods
from analytics.figures import indicator_values
from analytics.figures.figure import Figure
from analytics.figures.indicator_values import IndicatorFunction, IndicatorInputs
from analytics.figures.interval_series import SeriesNeed
from analytics.pipeline.pipeline import Pipeline
from analytics.site_analytics import load_rules
from jieneng.metering import indicators, schema
from jieneng.metering.indicators import Indicator
from jieneng.metering.schema import Point
from jieneng.site_folder import SiteFolder
from jieneng.storage import Store, StoreSettings, open_store
from tests.analytics.sites import folder as site_folder

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
floor_area_m2 = [{from = 2020-01-01, value = 100.0}]

[[meter]]
id = "e"
name = "e"
medium = "electricity"
area = "block"

[[meter]]
id = "e-shop"
name = "e-shop"
medium = "electricity"
area = "shop"
parent = "e"

[[meter]]
id = "w"
name = "w"
medium = "water"
area = "block"
"""

QUARTER_MS = 900_000
FIRST, DAYS = date(2025, 6, 1), 2
QUARTERS = 96 * DAYS
PERIOD = "2025-06-01"

POWER = SeriesNeed("electricity", "15min")


def peak_demand_per_floor_area(inputs: IndicatorInputs) -> float:
    """Highest mean power of a quarter of an hour [W/m2]."""
    series = inputs.series.get(POWER)
    if series is None or not np.isfinite(series.amount).any():
        return float("nan")
    return 1000 * float(np.nanmax(series.amount)) / POWER.hours / inputs.floor_area_m2


ROW = Indicator(
    id="peak_demand_per_floor_area",
    unit="W/m2",
    en="Peak demand per floor area",
    zh="单位建筑面积最大需量",
    definition_en="Highest mean power of a quarter of an hour, divided by the floor area.",
    definition_zh="15 分钟平均功率的最大值，除以建筑面积。",
    inputs=("electricity",),
    denominator="floor_area_m2",
)


def register(monkeypatch: pytest.MonkeyPatch) -> None:
    """Add the row and its function, as a change of the two tables would."""
    monkeypatch.setattr(indicators, "INDICATORS", {**indicators.INDICATORS, ROW.id: ROW})
    function = IndicatorFunction(peak_demand_per_floor_area, (POWER,))
    monkeypatch.setattr(indicator_values, "FUNCTIONS", {ROW.id: function})


@pytest.fixture
def small(tmp_path: Path) -> SiteFolder:
    return site_folder(tmp_path, SITE)


@pytest.fixture
async def store(small: SiteFolder, tmp_path: Path) -> AsyncIterator[Store]:
    """Two days of registers by quarter of an hour.

    The block counts 5 kWh a quarter, and 12.5 kWh from 10:00 to 10:15 of the first day; the shop 1
    kWh, and 4 kWh in the same quarter and 6 kWh from 20:00 to 20:15.
    """
    opened = open_store(StoreSettings(), tmp_path)
    await opened.prepare()
    block, shop = np.full(QUARTERS, 5.0), np.full(QUARTERS, 1.0)
    block[40], shop[40], shop[80] = 12.5, 4.0, 6.0
    start_ms = periods.midnight_ms(FIRST, small.site.zone)
    for meter, amounts in (("e", block), ("e-shop", shop)):
        register = 100.0 + np.append(0.0, np.cumsum(amounts))
        await opened.write(
            [
                Point.of(
                    "electricity",
                    (("meter", meter), ("site", "centre")),
                    (("energy_kwh", value), ("quality", 0.0)),
                    start_ms + number * QUARTER_MS,
                )
                for number, value in enumerate(register.tolist())
            ]
        )
    yield opened
    await opened.close()


async def figures(small: SiteFolder, store: Store) -> dict[tuple[str, str], Figure]:
    runner = Pipeline(small, load_rules(small.path), store, detail_days=3)
    await runner.backfill(FIRST, FIRST + timedelta(days=DAYS - 1), lambda _: None)
    as_of = periods.midnight_ms(FIRST + timedelta(days=DAYS), small.site.zone)
    found = await runner.figures(PERIOD, None, as_of)
    return {(figure.scope, figure.indicator): figure for figure in found}


async def test_peak_demand_is_one_row_and_one_function(
    small: SiteFolder, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By hand: 12.5 kWh in a quarter of an hour are 50 kW, on 1000 m2 50 W/m2.

    The shop's peak is at another time: 6 kWh, 24 kW on 100 m2. The bureau has the block without
    the shop: 12.5 - 4 = 8.5 kWh, 34 kW on 900 m2.
    """
    register(monkeypatch)
    found = await figures(small, store)
    values = {scope: found[scope, ROW.id].value for scope in ("block", "centre", "shop", "bureau")}
    assert values == {
        "block": pytest.approx(50.0),
        "centre": pytest.approx(50.0),
        "shop": pytest.approx(240.0),
        "bureau": pytest.approx(34_000 / 900),
    }
    block = found["block", ROW.id]
    assert (block.coverage, block.estimated, block.unit) == (1.0, 0.0, "W/m2")
    assert block.baseline is None  # nothing is stored of the base year


async def test_the_other_indicators_are_unchanged_and_nothing_is_read_for_them(
    small: SiteFolder, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Mapping[str, str]] = []
    before = await figures(small, store)
    original = store.read_columns

    async def recorded(*arguments: Any, where: Mapping[str, str], **rest: Any) -> Any:
        if "interval" in where:
            read.append(where)
        return await original(*arguments, where=where, **rest)

    runner = Pipeline(small, load_rules(small.path), store, detail_days=3)
    as_of = periods.midnight_ms(FIRST + timedelta(days=DAYS), small.site.zone)
    monkeypatch.setattr(store, "read_columns", recorded)
    await runner.figures(PERIOD, None, as_of)
    assert {where["interval"] for where in read} == {"day"}
    read.clear()
    register(monkeypatch)
    after = {(one.scope, one.indicator): one for one in await runner.figures(PERIOD, None, as_of)}
    assert {(where["interval"], where.get("medium")) for where in read} == {
        ("day", None),
        ("15min", "electricity"),
    }
    assert {key: after[key] for key in before} == before


async def test_a_quarter_without_readings_lowers_the_coverage(
    small: SiteFolder, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twelve of 96 quarters are gone from the store: a peak may have been among them."""
    register(monkeypatch)
    await figures(small, store)
    start_ms = periods.midnight_ms(FIRST, small.site.zone)
    await store.delete(
        schema.CONSUMPTION,
        where={"site": "centre", "interval": "15min", "scope": "e-shop"},
        start_ms=start_ms,
        end_ms=start_ms + 12 * QUARTER_MS,
    )
    runner = Pipeline(small, load_rules(small.path), store, detail_days=3)
    as_of = periods.midnight_ms(FIRST + timedelta(days=DAYS), small.site.zone)
    (shop,) = (
        figure
        for figure in await runner.figures(PERIOD, ["shop"], as_of)
        if figure.indicator == ROW.id
    )
    assert shop.coverage == pytest.approx(84 / 96)
    assert shop.value == pytest.approx(240.0)
