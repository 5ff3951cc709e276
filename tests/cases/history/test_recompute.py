"""After an import, every day that an interval touches has its share of the amount."""

from datetime import date, datetime, timedelta
from pathlib import Path

import pytest

from tests.cases.case_site import CaseSite, steady, year_hours

DAY = timedelta(days=1)


@pytest.fixture
def site(tmp_path: Path) -> CaseSite:
    return CaseSite(tmp_path)


def electricity(site: CaseSite, period: object) -> float:
    value = site.figure("electricity", period)["value"]
    assert value is not None
    return float(value)


def week_starts(first: date, count: int) -> list[datetime]:
    return [
        datetime(first.year, first.month, first.day) + 7 * number * DAY for number in range(count)
    ]


def test_a_file_of_weeks_keeps_its_last_week(site: CaseSite) -> None:
    rows = steady(week_starts(date(2025, 6, 2), 4), 1750.0)
    site.load(site.readings(rows), "--kind", "interval")
    assert electricity(site, "2025-06") == pytest.approx(7000.0)


def test_one_week_alone_is_whole(site: CaseSite) -> None:
    rows = [(datetime(2025, 6, 9), 7000.0)]
    site.load(site.readings(rows), "--kind", "interval", "--interval-s", 7 * 86400)
    assert electricity(site, "2025-06") == pytest.approx(7000.0)


def test_a_year_typed_as_one_amount_is_the_year(site: CaseSite) -> None:
    rows = [(datetime(2020, 1, 1), 36600.0)]
    site.load(site.readings(rows), "--kind", "interval", "--interval-s", 366 * 86400)
    assert electricity(site, 2020) == pytest.approx(36600.0)


@pytest.mark.parametrize("days", [28, 92])
def test_the_end_of_an_interval_counts_however_long_it_is(site: CaseSite, days: int) -> None:
    rows = [(datetime(2023, 1, 1), 100.0 * days)]
    site.load(site.readings(rows), "--kind", "interval", "--interval-s", days * 86400)
    assert electricity(site, 2023) == pytest.approx(100.0 * days)


def test_an_interval_over_new_year_counts_in_both_years(site: CaseSite) -> None:
    rows = [(datetime(2024, 12, 22), 2000.0)]
    site.load(site.readings(rows), "--kind", "interval", "--interval-s", 20 * 86400)
    assert electricity(site, 2024) == pytest.approx(1000.0)
    assert electricity(site, 2025) == pytest.approx(1000.0)


def test_days_that_are_computed_later_find_the_end_of_an_interval(site: CaseSite) -> None:
    """Also without the backfill of the import: as a service beside it does."""
    rows = [(datetime(2020, 1, 1), 36600.0)]
    options = ("--kind", "interval", "--interval-s", 366 * 86400, "--no-backfill")
    site.load(site.readings(rows), *options)
    assert electricity(site, 2020) == pytest.approx(36600.0)


def test_days_that_were_computed_before_are_computed_anew(site: CaseSite) -> None:
    """The hours of two days are there, and then the amount of the year comes."""
    hourly = steady(year_hours(2020)[: 24 * 2], 1.0)
    site.load(site.readings(hourly, name="first.csv"), "--kind", "interval")
    month = [(datetime(2020, 1, 3), 36400.0)]
    options = ("--kind", "interval", "--interval-s", 364 * 86400, "--no-backfill")
    site.load(site.readings(month), *options)
    assert electricity(site, 2020) == pytest.approx(36448.0)
