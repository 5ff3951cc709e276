"""The forecast of a running year, and what the plan allows for it."""

from datetime import datetime
from pathlib import Path

import pytest

from tests.cases.analyses.made_analyses import NEW_AREA, figure_on, loaded, monthly, today
from tests.cases.case_site import AREA

COAL = 0.1229  # kgce/kWh
LAST_YEAR = datetime(2025, 1, 1)


def test_the_forecast_of_a_share_has_the_headcount_of_the_whole_year(tmp_path: Path) -> None:
    """100 persons until the end of August 2026, then 200: on average 133.4, until September 110."""
    people = "value = 100}, {from = 2026-09-01, value = 200}]"
    with today(2026, 10, 1):
        site = loaded(
            tmp_path,
            {"e-a": monthly(LAST_YEAR, datetime(2026, 10, 1), 300.0)},
            AREA.replace("value = 100}]", people),
        )
    found = figure_on(site, (2026, 10, 1), "energy_per_capita", 2026)
    mean = (243 * 100 + 122 * 200) / 365
    assert found["forecast"] == pytest.approx(365 * 300 * COAL / mean, rel=1e-6)


def test_the_forecast_contains_an_area_that_joined(tmp_path: Path) -> None:
    """The new area has no last year, so it goes on with its 50 kWh a day; others as last year."""
    end = datetime(2026, 12, 1)
    with today(2026, 12, 1):
        site = loaded(
            tmp_path,
            {
                "e-a": monthly(LAST_YEAR, end, 300.0),
                "e-n": monthly(datetime(2026, 7, 1), end, 50.0),
            },
            AREA + NEW_AREA % ("2026-07-01", "2026-07-01"),
            {"e-n": ('area = "new"', "installed = 2026-07-01")},
        )
    amount = 365 * 300 + 184 * 50
    found = figure_on(site, (2026, 12, 1), "electricity", 2026, "huaian")
    assert found["forecast"] == pytest.approx(amount, rel=1e-6)
    area = 5000 + 1000 * 184 / 365
    share = figure_on(site, (2026, 12, 1), "energy_per_floor_area", 2026, "huaian")
    assert share["forecast"] == pytest.approx(amount * COAL / area, rel=1e-6)
    alone = figure_on(site, (2026, 12, 1), "electricity", 2026, "new")
    assert alone["forecast"] is None


def test_an_area_that_closed_adds_nothing_to_the_forecast(tmp_path: Path) -> None:
    """The area used 50 kWh a day until the end of June 2026; the others go on as last year."""
    end = datetime(2026, 12, 1)
    area = NEW_AREA.replace("floor_area", "closed = 2026-06-30\nfloor_area", 1)
    with today(2026, 12, 1):
        site = loaded(
            tmp_path,
            {
                "e-a": monthly(LAST_YEAR, end, 300.0),
                "e-n": monthly(LAST_YEAR, datetime(2026, 7, 1), 50.0),
            },
            AREA + area % ("2018-01-01", "2018-01-01"),
            {"e-n": ('area = "new"',)},
        )
    found = figure_on(site, (2026, 12, 1), "electricity", 2026, "huaian")
    assert found["forecast"] == pytest.approx(365 * 300 + 181 * 50, rel=1e-6)


def test_a_silent_meter_lowers_no_forecast(tmp_path: Path) -> None:
    """The meter was last read on 10 November; 21 days are estimated at its own rate, not as 0."""
    with today(2026, 12, 1):
        site = loaded(tmp_path, {"e-a": monthly(LAST_YEAR, datetime(2026, 11, 10), 300.0)})
    found = figure_on(site, (2026, 12, 1), "electricity", 2026)
    assert found["value"] == pytest.approx(313 * 300.0)
    assert found["forecast"] == pytest.approx(365 * 300.0, rel=1e-6)


def test_half_a_base_year_allows_nothing(tmp_path: Path) -> None:
    """The readings begin in July of the base year: what the plan allows for a year is unknown."""
    with today(2026, 12, 1):
        site = loaded(
            tmp_path, {"e-a": monthly(datetime(2025, 7, 1), datetime(2026, 12, 1), 300.0)}
        )
    found = figure_on(site, (2026, 12, 1), "energy_per_floor_area", 2026)
    assert found["status"] == "insufficient_data"
    assert found["to_save"] is None
    assert found["year_limit"] is None


def test_a_last_year_within_one_gap_of_years_gives_no_forecast(tmp_path: Path) -> None:
    """No reading from the beginning of 2021 to that of 2025: all of 2024 is an estimate."""
    before = monthly(datetime(2020, 1, 1), datetime(2021, 1, 1), 300.0)
    now = monthly(datetime(2025, 1, 1), datetime(2025, 6, 1), 300.0, 200_000.0)
    with today(2025, 6, 1):
        site = loaded(tmp_path, {"e-a": before + now})
    found = figure_on(site, (2025, 6, 1), "electricity", 2025)
    assert found["forecast"] is None
