"""Hours that are computed for a replay are those that the analytics stored."""

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from analytics import periods
from analytics.calendar.hour_grid import FULL, hour_grid
from analytics.calendar.working_calendar import WorkingCalendar
from analytics.calendar.working_hours import Hours
from analytics.pipeline.pipeline import Pipeline
from analytics.pipeline.signals.register_hours import RegisterHours
from analytics.pipeline.signals.stored_series import StoredSeries
from analytics.site_analytics import load_rules
from jieneng.storage import Store
from tests.analytics.alerts.signals.made_hours import SHANGHAI
from tests.analytics.pipeline.signals.stored_messages import (
    BEGIN_MS,
    meter_row,
    readings,
    site_folder,
)

FIRST = date(2025, 6, 4)
METERS = ("main", "branch", "roof")


@pytest.mark.parametrize(
    ("is_area", "ids"), [(False, (*METERS, "silent")), (True, ("block", "nowhere"))]
)
async def test_hours_from_registers_are_the_stored_ones(
    tmp_path: Path, store: Store, is_area: bool, ids: tuple[str, ...]
) -> None:
    """A main with a branch, and a roof that generates; for an hour the branch was not read."""
    folder = site_folder(
        tmp_path,
        meter_row("main"),
        meter_row("branch", parent="main"),
        meter_row("roof", role="generation", parent="main"),
        *(() if is_area else (meter_row("silent"),)),
    )
    noise = np.random.default_rng(7)
    for meter in METERS:
        steps = noise.uniform(0.0, 3.0, 3 * 96 + 1)
        quarters = [
            (900.0 * number - 8 * 3600, float(total))
            for number, total in enumerate(np.cumsum(steps))
            if meter != "branch" or not 50 < number < 55
        ]
        await store.write(readings(meter, quarters, "energy_kwh"))
    assert periods.midnight_ms(FIRST, SHANGHAI) == BEGIN_MS - 8 * 3_600_000
    runner = Pipeline(folder, load_rules(folder.path), store, detail_days=10)
    last = FIRST + timedelta(days=2)
    await runner.backfill(FIRST, last, lambda _: None)
    grid = hour_grid(FIRST, last + timedelta(days=1), SHANGHAI, WorkingCalendar(Hours(), SHANGHAI))
    rows = [(one, folder.site.meters[one].medium if not is_area else "electricity") for one in ids]
    stored = await StoredSeries(folder.site, store).hours(
        grid, "area" if is_area else "meter", rows
    )
    computed = await RegisterHours(folder, store, ids, is_area=is_area).hours(grid)
    assert np.isfinite(stored.amounts[0]).all()
    np.testing.assert_allclose(computed.amounts, stored.amounts, rtol=1e-12)
    is_full = stored.coverage >= FULL
    assert is_full.any()
    np.testing.assert_array_equal(computed.coverage >= FULL, is_full)
