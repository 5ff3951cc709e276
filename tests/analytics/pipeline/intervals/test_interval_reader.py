"""Quarters of an hour are the same, read from the store or computed from the readings."""

from datetime import date, timedelta
from pathlib import Path

import numpy as np

from analytics import periods
from analytics.figures.boundary.flows import CountedFlows
from analytics.figures.interval_series import IntervalSeries, joined
from analytics.figures.roll_up import scopes
from analytics.pipeline.intervals.interval_reader import IntervalReader
from analytics.pipeline.pipeline import Pipeline
from analytics.site_analytics import load_rules
from jieneng.metering import schema
from jieneng.site_folder import SiteFolder
from jieneng.storage import Store
from tests.analytics.alerts.signals.made_hours import SHANGHAI
from tests.analytics.pipeline.signals.stored_messages import meter_row, readings, site_folder

FIRST, DAYS = date(2025, 6, 4), 4
END = FIRST + timedelta(days=DAYS)
COUNTED = CountedFlows.of(export_deducted=True, export_carbon_deducted=False).energy


async def made_site(tmp_path: Path, store: Store) -> SiteFolder:
    """A main with a roof that generates, read each quarter, and a branch read each morning."""
    folder = site_folder(
        tmp_path,
        meter_row("main"),
        meter_row("branch", parent="main").replace('bus = "bus-a"', ""),
        meter_row("roof", role="generation", parent="main"),
    )
    noise = np.random.default_rng(7)
    for meter, step_s in (("main", 900), ("roof", 900), ("branch", 86_400)):
        total = np.cumsum(noise.uniform(0.0, 3.0, DAYS * 86_400 // step_s + 1))
        times = -8.0 * 3600 + step_s * np.arange(len(total))
        stored = list(zip(times.tolist(), total.tolist(), strict=True))
        await store.write(readings(meter, stored, "energy_kwh"))
    return folder


async def series(folder: SiteFolder, store: Store, subject: str) -> IntervalSeries:
    """Return the quarters of an hour of a meter or a scope on all days."""
    by_id = {scope.id: scope for scope in scopes(folder.site)}
    parts = []
    async for window in IntervalReader(folder, store).windows("electricity", "15min", FIRST, END):
        if subject in by_id:
            parts.append(window.of_scope(by_id[subject], COUNTED, SHANGHAI))
        else:
            [flow] = [one for one in window.flows if one.meter.id == subject]
            parts.append(window.of_flow(flow))
    return joined(parts)


async def test_stored_and_computed_days_are_alike(tmp_path: Path, store: Store) -> None:
    """Of the first two days nothing is stored, then of the last two nothing either."""
    folder = await made_site(tmp_path, store)
    runner = Pipeline(folder, load_rules(folder.path), store, detail_days=2)
    await runner.backfill(FIRST, END - timedelta(days=1), lambda _: None)
    found = [await series(folder, store, one) for one in ("main", "roof", "branch", "block")]
    start_ms, end_ms = (periods.midnight_ms(day, SHANGHAI) for day in (FIRST, END))
    where = {"site": "centre", "interval": "15min"}
    await store.delete(schema.CONSUMPTION, where=where, start_ms=start_ms, end_ms=end_ms)
    for one, subject in zip(found, ("main", "roof", "branch", "block"), strict=True):
        computed = await series(folder, store, subject)
        assert len(one.amount) == DAYS * 96
        np.testing.assert_array_equal(computed.starts_ms, one.starts_ms)
        np.testing.assert_allclose(computed.amount, one.amount, rtol=1e-12)
        np.testing.assert_array_equal(computed.is_measured, one.is_measured)
    main, roof, _, block = found
    np.testing.assert_allclose(block.amount, main.amount + roof.amount)


async def test_quarters_of_a_meter_that_is_read_each_morning_are_not_measured(
    tmp_path: Path, store: Store
) -> None:
    folder = await made_site(tmp_path, store)
    branch = await series(folder, store, "branch")
    assert np.isfinite(branch.amount).any()
    assert not branch.is_measured.any()
    assert (await series(folder, store, "block")).is_measured.all()


async def test_meters_are_in_the_order_of_the_site(tmp_path: Path, store: Store) -> None:
    """Sums over rows in another order have other last digits, and so have published costs."""
    names = [f"meter-{number}" for number in range(8)]
    folder = site_folder(tmp_path, *map(meter_row, names))
    reader = IntervalReader(folder, store)
    async for window in reader.windows("electricity", "15min", FIRST, END, set(names)):
        assert [flow.meter.id for flow in window.flows] == names
