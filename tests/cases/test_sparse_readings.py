"""Readings that are far apart: the consumption between two readings is known as a whole."""

import asyncio
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from jieneng.metering import schema
from jieneng.metering.schema import Point
from jieneng.site_folder import load
from jieneng.storage import open_store
from jieneng.storage.settings import StoreSettings
from tests.cases.case_site import HOUR, CaseSite, codes, hours, meter

#: Daily consumption until the end of 2024, and from 2025 on [kWh].
EARLY, LATE = 300.0, 270.0
DAY = timedelta(days=1)
NEW_YEAR = datetime(2025, 1, 1)


def registers(times: Iterable[datetime]) -> list[tuple[datetime, float | str]]:
    """Return what the register shows at these times."""
    begin = datetime(2019, 1, 1)
    return [
        (time, (min(time, NEW_YEAR) - begin) / DAY * EARLY + max((time - NEW_YEAR) / DAY, 0) * LATE)
        for time in times
    ]


def electricity_and_verdict(
    folder: Path, times: Iterable[datetime]
) -> tuple[Mapping[str, Any], str]:
    """Return the electricity of 2025, and the verdict on the energy per floor area."""
    site = CaseSite(folder, meter("e-a"))
    site.load(site.readings(registers(times)), "--no-backfill")
    found = {figure["indicator"]: figure for figure in site.figures() if figure["scope"] == "house"}
    return found["electricity"], found["energy_per_floor_area"]["status"]


def month_starts(months: int) -> list[datetime]:
    """Return the starts of months at a fixed distance, from 2020 to 2026."""
    return [datetime(2020 + n // 12, n % 12 + 1, 1) for n in range(0, 73, months)]


@pytest.mark.parametrize("months", [2, 12])
def test_a_year_between_two_readings_is_known_to_the_kwh(tmp_path: Path, months: int) -> None:
    figure, verdict = electricity_and_verdict(tmp_path, month_starts(months))
    assert figure["value"] == pytest.approx(365 * LATE)
    assert figure["baseline"] == pytest.approx(366 * EARLY)
    assert (figure["coverage"], figure["estimated"], verdict) == (1.0, 0.0, "met")
    assert not codes(figure) & {"gap", "no_readings", "spread_edge"}


def test_readings_39_days_apart_leave_only_the_edges_to_an_estimate(tmp_path: Path) -> None:
    """Of the 39 days around an edge, the smaller side: at most 19.5 days at each end."""
    times = [datetime(2019, 12, 10) + 39 * DAY * number for number in range(60)]
    figure, verdict = electricity_and_verdict(tmp_path, times)
    before = max(time for time in times if time <= NEW_YEAR)
    after = max(time for time in times if time <= datetime(2026, 1, 1))
    sides = [(NEW_YEAR - before) / DAY, (datetime(2026, 1, 1) - after) / DAY]
    expected = sum(min(days, 39 - days) for days in sides) / 365
    assert figure["value"] == pytest.approx(365 * LATE, rel=0.02)
    assert figure["coverage"] == 1.0
    assert figure["estimated"] == pytest.approx(expected, rel=0.1)
    assert verdict not in {"insufficient_data", "missed"}


def test_a_year_between_two_readings_that_lie_years_apart_has_no_verdict(tmp_path: Path) -> None:
    """The sum of four years is known, and of none of them how much of it was used then."""
    times = [datetime(2020, 1, 1), datetime(2021, 1, 1), datetime(2025, 1, 1)]
    site = CaseSite(tmp_path)
    site.load(site.readings([(time, 300.0 * time.toordinal()) for time in times], "e-a"))
    figure = site.figure("energy_per_floor_area", 2022)
    assert (figure["coverage"], figure["estimated"]) == (1.0, 1.0)
    assert figure["status"] == "insufficient_data"


def test_a_reading_at_the_end_of_the_last_working_day_leaves_a_few_hours_to_an_estimate(
    tmp_path: Path,
) -> None:
    times = [begin - 7 * HOUR for begin in month_starts(1)] + [datetime(2026, 1, 20)]
    figure, verdict = electricity_and_verdict(tmp_path, times)
    assert figure["value"] == pytest.approx(365 * LATE, rel=1e-3)
    assert figure["estimated"] == pytest.approx(2 * 7 / 8760, rel=0.1)
    assert (figure["coverage"], verdict) == (1.0, "met")


def test_an_outage_inside_the_year_costs_no_coverage_and_a_register_that_ends_does(
    tmp_path: Path,
) -> None:
    """Ten days without readings in June; the readings end with November."""
    site = CaseSite(tmp_path, meter("e-a"))
    read = hours(datetime(2025, 1, 1), datetime(2025, 12, 1), 6 * HOUR)
    outage = [time for time in read if not datetime(2025, 6, 3) < time < datetime(2025, 6, 13)]
    site.load(site.readings(registers([*outage, datetime(2025, 12, 1)])))
    june = site.figure("electricity", "2025-06")
    assert june["value"] == pytest.approx(30 * LATE)
    assert (june["coverage"], june["estimated"]) == (1.0, 0.0)
    assert codes(june) >= {"spread_gap"}
    day = site.figure("electricity", "2025-06-08")
    assert (day["coverage"], day["estimated"]) == (1.0, 1.0)
    year = site.figure("electricity")
    assert year["coverage"] == pytest.approx(334 / 365, abs=1e-3)
    assert "gap" in codes(year)


def store_intervals(site: CaseSite, rows: Iterable[tuple[datetime, datetime, float]]) -> None:
    """Write imported intervals (start, end, amount) of `e-a` into the store, and compute."""
    folder = load(site.folder)
    points = [
        Point.of(
            schema.INTERVAL,
            (("meter", "e-a"), ("site", folder.site.id)),
            (("energy_kwh", amount), (schema.INTERVAL_S, (end - start).total_seconds())),
            round(start.replace(tzinfo=folder.site.zone).timestamp() * 1000),
        )
        for start, end, amount in rows
    ]

    async def write() -> None:
        store = open_store(StoreSettings(), folder.path)
        await store.prepare()
        await store.write(points)
        await store.close()

    asyncio.run(write())
    done = site.run("analytics", "backfill", "--from", "2024-12-01", "--to", "2026-01-31")
    assert done.code == 0, done.err


@pytest.mark.parametrize("months", [1, 3, 12])
def test_imported_intervals_of_any_length_are_known(tmp_path: Path, months: int) -> None:
    site = CaseSite(tmp_path, meter("e-a"))
    edges = [begin for begin in month_starts(months) if begin >= NEW_YEAR]
    store_intervals(site, [(a, b, (b - a) / DAY * LATE) for a, b in pairwise(edges)])
    figure = site.figure("electricity")
    assert figure["value"] == pytest.approx(365 * LATE)
    assert (figure["coverage"], figure["estimated"]) == (1.0, 0.0)


def test_an_imported_interval_over_the_edge_is_spread_and_estimated(tmp_path: Path) -> None:
    """A bill of 31 days from 22 December: ten days lie before the year."""
    site = CaseSite(tmp_path, meter("e-a"))
    begin = datetime(2024, 12, 22)
    bill = (begin, begin + 31 * DAY, 31 * LATE)
    rest = (begin + 31 * DAY, datetime(2026, 1, 1), (365 - 21) * LATE)
    store_intervals(site, [bill, rest])
    figure = site.figure("electricity")
    assert figure["value"] == pytest.approx(365 * LATE)
    assert figure["coverage"] == 1.0
    assert figure["estimated"] == pytest.approx(10 / 365, abs=1e-6)
    assert "spread_edge" in codes(figure)


def test_mixed_steps_and_a_logger_that_drifts_by_seconds_are_covered(tmp_path: Path) -> None:
    """Hourly until July, then every 15 min with starts that are up to 5 s early."""
    site = CaseSite(tmp_path, meter("e-a"))
    july = datetime(2025, 7, 1)
    hourly = [(start, start + HOUR, 10.0) for start in hours(NEW_YEAR, july)]
    quarters = hours(july + HOUR / 4, datetime(2026, 1, 1), HOUR / 4)
    early = [start - timedelta(seconds=n % 6) for n, start in enumerate(quarters)]
    fine = [(start, start + HOUR / 4, 2.5) for start in [july, *early]]
    store_intervals(site, [*hourly, *fine])
    figure = site.figure("electricity")
    assert figure["value"] == pytest.approx(87_600.0, abs=0.1)
    assert figure["coverage"] == pytest.approx(1.0, abs=0.004)
