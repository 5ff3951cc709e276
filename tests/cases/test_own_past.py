"""Amounts that the nameplate allows, but that contradict the meter's own past."""

from datetime import datetime
from pathlib import Path

import pytest

from tests.cases.case_site import HOUR, CaseSite, codes, hours, meter, steady, year_hours

Rows = list[tuple[datetime, float | str]]


@pytest.fixture
def site(tmp_path: Path) -> CaseSite:
    return CaseSite(tmp_path)


def months(first: float, step: float, *years: int) -> Rows:
    """Return readings on the first day of each month, and on 31 December."""
    rows: Rows = []
    for number, year in enumerate(years):
        start = first + 12 * step * number
        rows += [(datetime(year, month, 1), start + step * (month - 1)) for month in range(1, 13)]
        rows.append((datetime(year, 12, 31), start + step * (12 - 1 / 31)))
    return rows


def test_a_wrong_digit_in_the_last_reading_of_the_year(site: CaseSite) -> None:
    """220,000 keyed as 242,000 in the base year: -15.5 % was "met"."""
    base = months(100_000.0, 10_000.0, 2020)
    base[-1] = (datetime(2020, 12, 31), 242_000.0)
    site.load(site.readings([*base, *months(800_000.0, 10_000.0, 2025)]))
    figure = site.figure()
    assert figure["change_pct"] < -10
    assert figure["status"] == "doubtful"
    assert "baseline_unusual_step" in codes(figure)


def test_a_wrong_digit_is_not_signed_where_the_verdict_would_hold_too(site: CaseSite) -> None:
    """242,000 for 220,000 in the plan's last year: "missed" either way, by 0 % or by 18 %."""
    last = months(800_000.0, 10_000.0, 2025)
    last[-1] = (datetime(2025, 12, 31), 800_000.0 + 142_000.0)
    site.load(site.readings([*months(100_000.0, 10_000.0, 2020), *last]))
    assert site.figure()["status"] == "doubtful"
    row = '[[confirmed]]\nmeter = "e-a"\nfinding = "unusual_step"\nat = 2025-12-31\n'
    with (site.folder / "site.toml").open("a", encoding="utf-8") as text:
        text.write(row + 'by = "张三"\nreason = "新增充电桩"\n')
    assert site.figure()["status"] == "missed"


def test_a_swap_without_a_record(site: CaseSite) -> None:
    """The new register was 102,500 higher: 207,000 for 104,500 kWh."""
    rows = months(100_000.0, 8_708.33, 2025)
    rows = [(time, float(value) + 102_500 * (time.month > 6)) for time, value in rows]
    site.load(site.readings(rows))
    figure = site.figure("electricity")
    assert figure["value"] == pytest.approx(207_000, rel=0.01)
    [finding] = [each for each in figure["findings"] if each["code"] == "unusual_step"]
    assert finding["subject"] == "e-a"


def test_electricity_that_stood_still(site: CaseSite) -> None:
    """1,355 hours, and none in the year before: coverage 1.0, and no finding."""
    rows = dict(steady([*year_hours(2024), *year_hours(2025)], 20.0))
    start = datetime(2025, 5, 3, 7)
    rows |= dict(steady(hours(start, start + 1355 * HOUR), 0.0))
    site.load(site.readings(rows.items()), "--kind", "interval")
    figure = site.figure("electricity")
    assert "stood_still" in codes(figure)
    assert figure["value"] == pytest.approx(20.0 * (8760 - 1355))


def test_a_register_that_was_imported_as_consumption(site: CaseSite) -> None:
    rows = [(time, 200.0 + number / 500) for number, time in enumerate(year_hours(2025))]
    site.load(site.readings(rows), "--kind", "interval", "--sure")
    assert "looks_like_register" in codes(site.figure("electricity"))


@pytest.mark.parametrize("factor", [1e-3, 1e-4])
def test_months_in_another_unit_are_in_doubt(site: CaseSite, factor: float) -> None:
    """2025 stated in MWh or 10,000 kWh below a header of kWh: -99.9 % was "met"."""
    base = [12_000.0 + 300 * (month * 7 % 12) for month in range(1, 13)]
    for year, of_year in ((2020, 1.0), (2025, factor)):
        lines = [f"{year}-{month:02d},{base[month - 1] * of_year:.4f}" for month in range(1, 13)]
        site.load(site.file(f"{year}.csv", ["月份,E-A用电量(kWh)", *lines]))
    figure = site.figure()
    assert figure["status"] == "doubtful"
    assert "other_unit" in codes(figure)


def test_a_month_in_another_unit_is_in_doubt(site: CaseSite) -> None:
    """June stated in MWh: the year lost a month without a finding."""
    amounts = [12_000.0 + 300 * (month * 7 % 12) for month in range(1, 13)]
    amounts[5] /= 1000
    lines = [f"2025-{month:02d},{amounts[month - 1]:.1f}" for month in range(1, 13)]
    site.load(site.file("2025.csv", ["月份,E-A用电量(kWh)", *lines]))
    [slip] = [one for one in site.figure()["findings"] if one["code"] == "other_unit"]
    assert slip["weight"] == pytest.approx(1 / 11, rel=0.1)


def test_a_summer_without_heating_is_in_no_other_unit(tmp_path: Path) -> None:
    """A boiler uses a thousandth of January's gas in July, every year."""
    site = CaseSite(tmp_path, meter("g-a", "rated_max = 400.0"))
    by_month = [9000, 8000, 5000, 900, 20, 9, 9, 9, 12, 700, 5000, 8500]
    for year in (2020, 2025):
        lines = [f"{year}-{month:02d},{by_month[month - 1]}" for month in range(1, 13)]
        site.load(site.file(f"{year}.csv", ["月份,G-A用气量(m3)", *lines]))
    assert "other_unit" not in codes(site.figure())
