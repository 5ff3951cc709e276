"""A gap is not a saving: if it could change a verdict, the verdict is doubtful, with the reason."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from tests.cases.case_site import HOUR, CaseSite, codes, meter, steady, year_hours

#: 10 kW in 2020.
USUAL = 10.0
#: Length of the intervals: days begin with one.
STEP = 6 * HOUR
MAIN = meter("e-a", "rated_max = 400.0")
CONFIRMED = """
[[confirmed]]
meter = "e-a"
finding = "counter_reset"
at = 2025-07-01
by = "张三"
reason = "停电检修，期间无用电"
"""


def in_july(time: datetime, year: int) -> bool:
    return (time.year, time.month) == (year, 7) and time.day <= 14


def site_with(
    folder: Path, rate: float, is_missing: Callable[[datetime], bool], meters: str = MAIN
) -> CaseSite:
    site = CaseSite(folder, meters)
    rows = {
        time: power * (STEP / HOUR)
        for year, power in ((2020, USUAL), (2025, rate))
        for time in year_hours(year, STEP)
    }
    known = [(time, value) for time, value in rows.items() if not is_missing(time)]
    site.load(site.readings(known), "--kind", "interval", "--no-backfill")
    return site


@pytest.mark.parametrize(
    ("rate", "status"), [(0.96, "doubtful"), (0.85, "met"), (1.0, "missed")], ids=str
)
def test_two_weeks_without_data_are_no_saving(tmp_path: Path, rate: float, status: str) -> None:
    """A decrease of 4 % read as 7.9 %, and met."""
    figure = site_with(tmp_path, rate * USUAL, lambda time: in_july(time, 2025)).figure()
    assert figure["status"] == status
    assert figure["value"] == pytest.approx(rate * USUAL * 351 * 24 * 0.1229 / 5000, abs=1e-6)
    assert figure["coverage"] == pytest.approx(351 / 365, abs=1e-6)
    assert "gap" in codes(figure)


def test_a_gap_in_the_base_year_is_none_either(tmp_path: Path) -> None:
    """A decrease of 9 % read as 5.6 %, and missed."""
    figure = site_with(tmp_path, 0.91 * USUAL, lambda time: in_july(time, 2020)).figure()
    assert figure["status"] == "doubtful"
    assert "baseline_gap" in codes(figure)


@pytest.mark.parametrize("is_read", [True, False])
def test_an_unread_deduction_is_no_consumption(tmp_path: Path, is_read: bool) -> None:
    """The shop takes 3 of 10 kW; two weeks without it read as 5.5 % for 7.4 %, and missed."""
    meters = MAIN + meter("e-shop", 'parent = "e-a"', "counts = false")
    site = site_with(tmp_path, 0.95 * USUAL, lambda _: False, meters)
    times = [*year_hours(2020, STEP), *year_hours(2025, STEP)]
    rows = steady(times, 3.0 * (STEP / HOUR))
    known = [row for row in rows if is_read or not in_july(row[0], 2025)]
    site.load(site.readings(known, "e-shop"), "--kind", "interval", "--no-backfill")
    figure = site.figure()
    assert figure["status"] == ("met" if is_read else "doubtful")
    assert ("gap" in codes(figure)) is not is_read


@pytest.mark.parametrize(("more", "status"), [("", "doubtful"), (CONFIRMED, "met")])
def test_days_that_a_person_confirmed_lack_nothing(tmp_path: Path, more: str, status: str) -> None:
    """The register began again at 0 after two weeks without current."""
    site = CaseSite(tmp_path, MAIN + more)
    restart = datetime(2025, 7, 15)
    rows: dict[datetime, float | str] = {}
    for year, begun, rate in ((2020, 5_000.0, USUAL), (2025, 95_000.0, 0.96 * USUAL)):
        for time in [*year_hours(year, STEP), datetime(year + 1, 1, 1)]:
            since, origin = (restart, 0.0) if time >= restart else (datetime(year, 1, 1), begun)
            rows[time] = round(origin + rate * ((time - since) / HOUR), 2)
    known = [
        (time, value)
        for time, value in rows.items()
        if time <= datetime(2025, 7, 1) or time >= restart
    ]
    site.load(site.readings(known), "--no-backfill")
    figure = site.figure()
    assert figure["coverage"] == pytest.approx(351 / 365, abs=1e-3)
    assert figure["status"] == status


def test_a_register_in_another_unit_is_told(tmp_path: Path) -> None:
    """In MWh since 2024: the result was -99.9 %, and met, without a warning."""
    site = site_with(tmp_path, USUAL / 1000, lambda _: False)
    [told] = [one for one in site.figure()["findings"] if one["code"] == "far_below_base"]
    assert "仅为基期的 0.0 %" in told["text"]
