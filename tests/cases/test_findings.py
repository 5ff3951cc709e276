"""Faults of a register are findings of the figure, and can make its verdict doubtful."""

import asyncio
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from jieneng.metering.schema import Point
from jieneng.storage import StoreSettings, open_store
from tests.cases.case_site import AREA, HOUR, USUAL_METERS, CaseSite, codes, meter, year_hours
from tests.cases.stored_points import ZONE

DAY = timedelta(days=1)
#: Sub-areas of the building, in which nobody is counted.
BESIDE = """
[[area]]
id = "canteen"
name = "食堂"
kind = "canteen"
parent = "house"
floor_area_m2 = [{from = 2018-01-01, value = 300.0}]

[[area]]
id = "servers"
name = "数据机房"
kind = "data_room"
parent = "house"
"""
CONFIRMED = """
[[confirmed]]
meter = "e-a"
finding = "counter_reset"
at = 2020-06-01
by = "张三"
reason = "停电检修，期间无用电"
"""


def shown(
    rate_2025: float, step: timedelta = DAY, rate_2020: float = 20.0
) -> dict[datetime, float]:
    """Return a register over 2020 and 2025, with a rate [kW] in each of the years."""
    rows, counted = {}, 1000.0
    for year, rate in ((2020, rate_2020), (2025, rate_2025)):
        for time in year_hours(year, step):
            rows[time] = counted
            counted += rate * (step / HOUR)
        rows[datetime(year + 1, 1, 1)] = counted
    return rows


def restart(rows: dict[datetime, float], moments: Iterable[datetime]) -> None:
    """Let the register begin again from 0 at some of its readings."""
    begun, origin = set(moments), 0.0
    for time, value in rows.items():
        if time in begun:
            origin = value
        rows[time] = value - origin


def loaded(site: CaseSite, rows: Mapping[datetime, float]) -> CaseSite:
    site.load(site.readings(rows.items()), "--no-backfill")
    return site


def finding(figure: Mapping[str, Any], code: str) -> Mapping[str, Any]:
    found: list[Mapping[str, Any]] = [one for one in figure["findings"] if one["code"] == code]
    assert len(found) == 1
    return found[0]


def polled(site: CaseSite, rows: Mapping[datetime, float]) -> CaseSite:
    """Store readings as the ingest writes what agents polled; an import refuses such registers."""

    async def write() -> None:
        store = open_store(StoreSettings(), site.folder)
        await store.prepare()
        tags = (("meter", "e-a"), ("site", "huaian"))
        await store.write(
            [
                Point.of(
                    "electricity",
                    tags,
                    (("energy_kwh", value), ("quality", 0.0)),
                    round(time.replace(tzinfo=ZONE).timestamp() * 1000),
                )
                for time, value in rows.items()
            ]
        )
        await store.close()

    asyncio.run(write())
    return site


@pytest.mark.parametrize("step", [HOUR, DAY], ids=["each midnight", "each month"])
def test_a_register_that_restarts_has_a_finding_and_no_verdict(
    tmp_path: Path, step: timedelta
) -> None:
    """Each reset loses what flowed since the last reading: it read as -4.43 %, with a verdict."""
    rows = shown(20.0, step)
    days = [time for time in rows if time.year == 2025 and time.hour == 0]
    restart(rows, days if step == HOUR else [day for day in days if day.day == 1])
    figure = polled(CaseSite(tmp_path), rows).figure()
    assert figure["status"] == "doubtful"
    assert figure["coverage"] == pytest.approx(23 / 24 if step == HOUR else 354 / 365, abs=1e-3)
    found = finding(figure, "counter_reset")
    assert found["subject"] == "e-a"
    assert found["weight"] > 0.5
    assert f"{364 if step == HOUR else 11} 次" in found["text"]


def test_an_hourly_register_that_restarts_each_month_has_no_verdict_either(tmp_path: Path) -> None:
    """The doubt of eleven hours turns no verdict, but the meter is not as `site.toml` says."""
    rows = shown(20.0, HOUR)
    restart(rows, [datetime(2025, month, 1) for month in range(2, 13)])
    figure = polled(CaseSite(tmp_path), rows).figure()
    assert figure["status"] == "doubtful"
    assert finding(figure, "counter_reset")["weight"] < 0.05


def test_a_register_that_restarts_now_and_then_has_one_too(tmp_path: Path) -> None:
    """Four times in the year, with the doubt of four days by the nameplate: 38,400 kWh."""
    rows = shown(20.0)
    restart(rows, [datetime(2025, month, 3 * month) for month in (2, 5, 6, 9)])
    figure = loaded(CaseSite(tmp_path), rows).figure()
    assert figure["status"] == "doubtful"
    found = finding(figure, "counter_reset")
    assert "4 次" in found["text"]
    assert found["text"].endswith("用量误差至多 38,400 kWh")
    assert found["weight"] == pytest.approx(38_400 / (20 * 24 * 361), abs=1e-4)


class TestAResetInTheBaseYear:
    """A day without a register in June 2020: 480 kWh as usual, at most 9,600 by the nameplate."""

    def site(self, folder: Path, decrease: float, more: str = "") -> CaseSite:
        rows = shown(20.0 * (1 - decrease))
        restart(rows, [datetime(2020, 6, 2)])
        return loaded(CaseSite(folder, USUAL_METERS + more), rows)

    @pytest.mark.parametrize(
        ("decrease", "status"),
        [(0.15, "met"), (0.10, "doubtful"), (0.05, "doubtful"), (0.0, "missed")],
    )
    def test_makes_a_verdict_doubtful_that_it_could_turn(
        self, tmp_path: Path, decrease: float, status: str
    ) -> None:
        figure = self.site(tmp_path, decrease).figure()
        assert figure["status"] == status
        found = finding(figure, "baseline_counter_reset")
        assert found["severity"] == "warning"
        assert found["weight"] == pytest.approx(9600 / (20 * 24 * 365), abs=1e-4)

    def test_is_confirmed_by_a_person_and_stays_listed(self, tmp_path: Path) -> None:
        figure = self.site(tmp_path, 0.10, CONFIRMED).figure()
        assert figure["status"] == "met"
        found = finding(figure, "baseline_counter_reset")
        assert found["severity"] == "info"
        assert found["text"].endswith("张三已确认：停电检修，期间无用电")

    def test_is_confirmed_with_the_lines_that_the_command_prints(self, tmp_path: Path) -> None:
        site = self.site(tmp_path, 0.10)
        lines = site.run("indicators", "--period", 2025).out.splitlines()
        begin = lines.index("[[confirmed]]")
        told = "\n".join(lines[begin : begin + 6])
        file = site.folder / "site.toml"
        file.write_text(f"{file.read_text()}\n{told}\n", encoding="utf-8")
        assert site.run("check").code == 0
        assert site.figure()["status"] == "met"

    def test_leaves_a_year_without_it_in_order(self, tmp_path: Path) -> None:
        figure = self.site(tmp_path, 0.10).figure("electricity")
        assert codes(figure) == {"baseline_counter_reset"}
        assert figure["value"] == pytest.approx(18 * 24 * 365)


@pytest.mark.parametrize("wrong", [9e6, 0.0])
def test_a_reading_that_fits_nothing_costs_nothing_and_is_told(
    tmp_path: Path, wrong: float
) -> None:
    rows = shown(18.0)
    rows[datetime(2025, 3, 5)] = wrong
    figure = loaded(CaseSite(tmp_path), rows).figure()
    assert figure["status"] == "met"
    assert figure["change_pct"] == pytest.approx(100 * (0.9 * 365 / 366 - 1), abs=1e-3)
    assert finding(figure, "set_aside")["weight"] == 0.0


def test_what_nobody_is_counted_in_has_no_figure_per_capita(tmp_path: Path) -> None:
    """食堂 and 数据机房 read "insufficient data", beside a coverage of 100 %."""
    meters = USUAL_METERS + meter("e-canteen", 'area = "canteen"', 'parent = "e-a"')
    site = CaseSite(tmp_path, meters, AREA + BESIDE)
    rows = shown(18.0)
    site.load(site.readings(rows.items(), "e-canteen"), "--no-backfill")
    for scope, value in (("canteen", 1.0), ("servers", None)):
        figure = site.figure("energy_per_capita", scope=scope)
        assert (figure["status"], figure["value"]) == ("not_applicable", None)
        assert figure["coverage"] == value
        assert "no_headcount" not in codes(figure)
    assert site.figure("energy_per_floor_area", scope="canteen")["status"] == "met"
    assert "/ 不适用" in site.run("indicators", "--period", 2025).out
