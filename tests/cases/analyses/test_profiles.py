"""`jieneng profile`: values that were not measured, or are impossible, are not shown."""

import json
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.cases.case_site import AREA, CaseSite, codes, hours, meter

QUARTER = timedelta(minutes=15)
JUNE = (datetime(2025, 6, 1), datetime(2025, 7, 1))
ROOM = """
[[area]]
id = "room"
name = "机房"
kind = "data_room"
parent = "house"
"""


def registers(
    growth: Callable[[datetime], float],
    start: datetime,
    end: datetime,
    is_read: Callable[[datetime], bool] = lambda _: True,
) -> list[tuple[datetime, float | str]]:
    """Return the register of each quarter of an hour, including that at `end`."""
    rows: list[tuple[datetime, float | str]] = []
    value = 0.0
    for time in hours(start, end + QUARTER, QUARTER):
        if is_read(time):
            rows.append((time, round(value, 4)))
        value += growth(time)
    return rows


def profile(site: CaseSite, scope: str = "house", period: str = "2025-06") -> Mapping[str, Any]:
    done = site.run("profile", "--period", period, "--scope", scope, "--format", "json")
    assert done.code == 0, done.err
    found, *_ = json.loads(done.out)  # electricity comes first
    return {**found, "figures": {one["figure"]: one for one in found["figures"]}}


def test_a_peak_in_a_time_that_was_not_measured_is_not_given(tmp_path: Path) -> None:
    """Between 10:00 and 11:00, 300 kWh flowed unread: the peak is at least 300 kW, not 20 kW."""
    gap = (datetime(2025, 6, 11, 10), datetime(2025, 6, 11, 11))
    site = CaseSite(tmp_path)
    site.load(
        site.readings(
            registers(
                lambda time: 75.0 if gap[0] <= time < gap[1] else 5.0,
                *JUNE,
                lambda time: not gap[0] < time < gap[1],
            )
        )
    )
    found = profile(site)
    assert found["figures"]["peak_demand"]["value"] is None
    assert found["figures"]["load_factor"]["value"] is None
    assert found["peaks"][0]["value"] is None
    assert codes(found) == {"peak_not_measured"}
    assert "300" in found["findings"][0]["text"]


def test_an_unmeasured_time_of_usual_load_hides_no_peak(tmp_path: Path) -> None:
    gap = (datetime(2025, 6, 11, 10), datetime(2025, 6, 11, 11))
    site = CaseSite(tmp_path)
    site.load(site.readings(registers(lambda _: 5.0, *JUNE, lambda t: not gap[0] < t < gap[1])))
    found = profile(site)
    assert found["figures"]["peak_demand"]["value"] == pytest.approx(20.0)
    assert found["findings"] == []


def test_a_pue_below_1_is_not_given(tmp_path: Path) -> None:
    """The IT meter measured 120 kWh a day, the room 100."""
    site = CaseSite(
        tmp_path,
        meter("e-a")
        + meter("e-r", 'area = "room"', 'parent = "e-a"')
        + meter("e-it", 'area = "room"', 'parent = "e-r"', 'item = "special"'),
        AREA + ROOM,
    )
    for meter_id, a_day in (("e-a", 480.0), ("e-r", 100.0), ("e-it", 120.0)):
        rows = registers(lambda _, a_day=a_day: a_day / 96, *JUNE)  # type: ignore[misc]
        site.load(site.readings(rows, meter_id, f"{meter_id}.csv"), "--no-backfill")
    site.run("analytics", "backfill", "--from", "2025-06-01")
    found = profile(site, "room")
    assert found["figures"]["pue"]["value"] is None
    assert codes(found) == {"pue_below_one"}


def test_a_leak_level_of_too_few_nights_says_so(tmp_path: Path) -> None:
    """Three of the last seven nights were not read."""
    site = CaseSite(tmp_path, meter("w-a"))
    site.load(
        site.readings(
            registers(
                lambda _: 0.5,
                *JUNE,
                lambda time: not (time.day in (26, 28, 30) and 0 < time.hour < 7),
            ),
            "w-a",
        )
    )
    found = profile(site)
    assert found["figures"]["leak_level"]["value"] is None
    assert codes(found) == {"nights_not_measured"}


def test_the_weekend_of_a_public_holiday_is_not_in_the_usual_week(tmp_path: Path) -> None:
    """1 to 8 October 2025 are holidays, with Saturday the 4th; Saturday the 11th is a workday.

    Two Saturdays remain, which are too few for an hour of the week. Three Sundays have 20 kW.
    """
    site = CaseSite(tmp_path)
    october = (datetime(2025, 10, 1), datetime(2025, 11, 1))
    site.load(site.readings(registers(lambda time: 1.0 if time.day <= 8 else 5.0, *october)))
    week = {
        one["weekday"]: (one["low"], one["count"])
        for one in profile(site, period="2025-10")["week"]
        if one["hour"] == 10
    }
    assert week[6] == (None, 2)
    assert week[7] == (pytest.approx(20.0), 3)


def test_shares_in_the_table_are_rounded(tmp_path: Path) -> None:
    """2,880 quarters of an hour of 5 kWh, but one of 25: 10 days off have 33.29 %, shown 33.3 %."""
    site = CaseSite(tmp_path)
    peak = datetime(2025, 6, 11, 10, 15)
    site.load(site.readings(registers(lambda time: 25.0 if time == peak else 5.0, *JUNE)))
    share = profile(site)["figures"]["days_off_share"]["value"]
    assert share == pytest.approx(10 * 480 / 14420, abs=1e-6)
    table = site.run("profile", "--period", "2025-06", "--scope", "house").out
    assert "33.3 %" in table
    assert "20.0 %" in table  # load factor: 14,420 kWh / 720 h / 100 kW
