"""Costs from imported data and commands agree with numbers worked by hand."""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.cases.case_site import HOUR, CaseSite, hours, meter

DAY = timedelta(days=1)
METERS = meter("e-a", "rated_max = 4000.0") + meter("g-a", "rated_max = 400.0", 'account = "G"')
TARIFFS = """
[[account]]
id = "E"
meters = ["e-a"]
tariff = [{from = 2025-06-01, value = "jiangsu-industry"}]

[[account]]
id = "G"
tariff = [{from = 2025-01-01, value = "gas-stepped"}]

[[tariff]]
id = "gas-stepped"
medium = "gas"
unit = "yuan/m3"
resets = "yearly"
source = "notice of the supplier"

[[price]]
tariff = "jiangsu-industry"
from = 2025-07-01
to = 2025-12-31
flat = 0.64
purchase = 0.3957

[[price]]
tariff = "gas-stepped"
from = 2025-01-01
steps = [{above = 0.0, price = 3.0}, {above = 100.0, price = 4.0}]
"""


@pytest.fixture
def site(tmp_path: Path) -> CaseSite:
    (tmp_path / "tariffs.toml").write_text(TARIFFS, encoding="utf-8")
    return CaseSite(tmp_path, METERS)


def cost(site: CaseSite, period: str, account: str) -> Mapping[str, Any]:
    done = site.run("cost", "--period", period, "--scope", account, "--format", "json")
    assert done.code == 0, done.err
    found: list[Mapping[str, Any]] = json.loads(done.out)
    return found[0]


def load(site: CaseSite, meter_id: str, start: datetime, end: datetime, step: timedelta) -> None:
    """Import 1 kWh for each hour, or 10 m3 for each day."""
    value = 1.0 if meter_id == "e-a" else 10.0
    rows = [(time, value) for time in hours(start, end, step)]
    site.load(
        site.readings(rows, meter_id), "--kind", "interval", "--interval-s", step.total_seconds()
    )


def test_hours_that_are_measured_have_a_price_though_it_changes_at_half_hours(
    site: CaseSite,
) -> None:
    """In July 19:30 to 21:30 is sharp: two hours have two prices, and their halves are unknown.

    Sharp 1.1479, peak 0.9566, flat 0.64, valley 0.3828: 3, 5, 8 and 8 h, or 2 to 4 h of sharp.
    """
    load(site, "e-a", datetime(2025, 7, 1), datetime(2025, 7, 3), HOUR)
    day = cost(site, "2025-07-01", "E")
    assert day["cost"] == pytest.approx(16.4091)
    assert (day["least"], day["greatest"]) == pytest.approx((16.2178, 16.6004))


def test_a_meter_that_is_read_once_a_month_has_the_hours_of_the_month_open(
    site: CaseSite,
) -> None:
    rows = [(datetime(2025, 7, 1), 0.0), (datetime(2025, 8, 1), 744.0)]
    site.load(site.readings(rows))
    july = cost(site, "2025-07", "E")
    assert (july["least"], july["greatest"]) == pytest.approx((744 * 0.3828, 744 * 1.1479))


def test_a_meter_that_is_read_each_morning_has_the_hours_of_a_day_open(site: CaseSite) -> None:
    """Only prices between two readings are possible: August has sharp hours, September has none.

    From 0:00 to 8:00 the highest price is that of flat hours, 0.64; later that of peak hours.
    """
    rows = [(datetime(2025, 8, 20, 8) + number * DAY, 24.0 * number) for number in range(20)]
    site.load(site.readings(rows))
    september = cost(site, "2025-09", "E")
    last = cost(site, "2025-09-05", "E")
    assert last["greatest"] == pytest.approx(8 * 0.64 + 16 * 0.9566)
    assert september["amount"] == pytest.approx(176)
    assert september["greatest"] == pytest.approx(8 * 0.64 + 168 * 0.9566)


def test_a_bill_over_the_new_year_has_the_steps_of_both_years(site: CaseSite) -> None:
    """70 m3 in December at 4 yuan; in January 100 m3 at 3 yuan and 140 m3 at 4 yuan."""
    load(site, "g-a", datetime(2025, 1, 1), datetime(2026, 3, 1), DAY)
    lines = ["户号,起始日期,截止日期,用气量,金额", "G,2025-12-25,2026-01-24,310,1140.00"]
    assert site.run("import", "bills", site.file("bills.csv", lines)).code == 0
    january = cost(site, "2026-01", "G")
    assert january["billed"]["computed_cost"] == pytest.approx(1140)
    days = [cost(site, f"2026-01-{day:02}", "G")["cost"] for day in (9, 10, 11)]
    assert days == pytest.approx([30, 30, 40])
