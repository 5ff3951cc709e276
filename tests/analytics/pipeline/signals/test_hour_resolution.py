"""The mean of a day or a month is not the consumption of an hour, even if no reading is missing."""

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from analytics import periods
from analytics.calendar.hour_grid import HourGrid, hour_grid
from analytics.calendar.working_calendar import WorkingCalendar
from analytics.calendar.working_hours import Hours
from analytics.pipeline.signals.hour_resolution import HourResolution
from jieneng.metering import schema
from jieneng.metering.schema import Point
from jieneng.site_folder import SiteFolder
from jieneng.storage import Store
from tests.analytics.alerts.signals.made_hours import SHANGHAI
from tests.analytics.pipeline.signals.stored_messages import (
    BEGIN_MS,
    meter_row,
    readings,
    site_folder,
)

FIRST = date(2025, 6, 4)
MIDNIGHT_MS = periods.midnight_ms(FIRST, SHANGHAI)
HOUR_S = 3600.0
BEGIN_S = (MIDNIGHT_MS - BEGIN_MS) / 1000


@pytest.fixture
def grid() -> HourGrid:
    """The hours of two days."""
    calendar = WorkingCalendar(Hours(), SHANGHAI)
    return hour_grid(FIRST, FIRST + timedelta(days=2), SHANGHAI, calendar)


def by_hand(name: str) -> str:
    return meter_row(name).replace('bus = "bus-a"', "")


def registers(meter: str, *hours: float) -> list[Point]:
    """Return readings of a register, hours after the first midnight."""
    values = [(BEGIN_S + hour * HOUR_S, 10.0 * hour) for hour in hours]
    return readings(meter, values, "energy_kwh")


def imports(meter: str, length_h: float, *hours: float) -> list[Point]:
    """Return imported intervals that begin some hours after the first midnight."""
    tags = (("meter", meter), ("site", "centre"))
    names, values = ("energy_kwh", schema.INTERVAL_S), (1.0, length_h * HOUR_S)
    times = [MIDNIGHT_MS + round(hour * HOUR_S * 1000) for hour in hours]
    return [Point(schema.INTERVAL, tags, names, values, time) for time in times]


async def measured(
    folder: SiteFolder, store: Store, grid: HourGrid, *ids: str, trusts_polls: bool = True
) -> "list[list[int]]":
    """Return the numbers of the measured hours of each subject, of hours that are all covered."""
    resolution = HourResolution(folder.site, store, trusts_polls=trusts_polls)
    covered: NDArray[np.bool_] = np.ones((len(ids), len(grid.ends_ms)), dtype=np.bool_)
    found = await resolution.measured(grid, ids, covered)
    return [np.flatnonzero(row).tolist() for row in found]


async def test_a_meter_that_is_read_by_hand_every_morning_measures_no_hour(
    tmp_path: Path, store: Store, grid: HourGrid
) -> None:
    folder = site_folder(tmp_path, by_hand("daily"), by_hand("hourly"), meter_row("polled"))
    await store.write(registers("daily", -16, 8, 32, 56))
    await store.write(registers("hourly", *range(-1, 50)))
    found = await measured(folder, store, grid, "daily", "hourly", "polled")
    assert found == [[], list(range(48)), list(range(48))]


async def test_the_time_around_a_gap_is_not_measured(
    tmp_path: Path, store: Store, grid: HourGrid
) -> None:
    """Hourly until 10:00 of the first day, and again from 13:30 on."""
    folder = site_folder(tmp_path, by_hand("a"))
    await store.write(registers("a", *range(-1, 11), *(hour + 0.5 for hour in range(13, 49))))
    (found,) = await measured(folder, store, grid, "a")
    assert found == [*range(10), *range(14, 48)]


async def test_an_imported_day_takes_its_hours_from_the_register(
    tmp_path: Path, store: Store, grid: HourGrid
) -> None:
    """A day's amount was imported for the outage of the second day."""
    folder = site_folder(tmp_path, meter_row("a"))
    await store.write(imports("a", 24, 24))
    assert await measured(folder, store, grid, "a") == [list(range(24))]


async def test_a_bill_of_a_month_that_began_before_measures_no_hour(
    tmp_path: Path, store: Store, grid: HourGrid
) -> None:
    folder = site_folder(tmp_path, by_hand("a"))
    await store.write(imports("a", 30 * 24, -10 * 24))
    assert await measured(folder, store, grid, "a") == [[]]


async def test_imported_quarters_measure_their_hours(
    tmp_path: Path, store: Store, grid: HourGrid
) -> None:
    folder = site_folder(tmp_path, by_hand("a"))
    await store.write(imports("a", 0.25, *np.arange(4, 30, 0.25).tolist()))
    assert await measured(folder, store, grid, "a") == [list(range(4, 30))]


async def test_an_area_is_measured_if_the_meters_are_that_enter_into_it(
    tmp_path: Path, store: Store, grid: HourGrid
) -> None:
    """A branch behind a polled main may be read by hand; a second main may not."""
    branch = by_hand("branch") + 'parent = "main"\n'
    folder = site_folder(tmp_path, meter_row("main"), branch)
    await store.write(registers("branch", -16, 8, 32, 56))
    assert await measured(folder, store, grid, "block") == [list(range(48))]
    two = site_folder(tmp_path, meter_row("main"), by_hand("branch"))
    assert await measured(two, store, grid, "block") == [[]]


async def test_history_of_a_polled_meter_is_looked_at(
    tmp_path: Path, store: Store, grid: HourGrid
) -> None:
    """An agent reads it today; it was read by hand until the second day."""
    folder = site_folder(tmp_path, meter_row("a"))
    await store.write(registers("a", -16, 8, 24, *np.arange(24.25, 50, 0.25).tolist()))
    assert await measured(folder, store, grid, "a", trusts_polls=False) == [list(range(24, 48))]


async def test_of_a_subject_without_a_covered_hour_nothing_is_read(
    tmp_path: Path, store: Store, grid: HourGrid
) -> None:
    folder = site_folder(tmp_path, meter_row("a"))
    nothing = np.zeros((1, 48), dtype=np.bool_)
    resolution = HourResolution(folder.site, store, trusts_polls=True)
    assert not (await resolution.measured(grid, ("a",), nothing)).any()
