"""Meters and areas come and go, are let out, or are parts of others."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.cases.case_site import CaseSite, codes, meter

TWO_AREAS = """
[[area]]
id = "house"
name = "1号楼"
floor_area_m2 = [{from = 2018-01-01, value = 5000.0}]
headcount = [{from = 2018-01-01, value = 100}]

[[area]]
id = "old"
name = "旧楼"
%s
floor_area_m2 = [{from = 2018-01-01, value = 1000.0}]
headcount = [{from = 2018-01-01, value = 20}]
"""
#: First day of each quarter, 2020 to the start of 2026.
QUARTERS = [datetime(2020 + n // 4, 3 * (n % 4) + 1, 1) for n in range(25)]


def rows(
    a_day: float, until: datetime = datetime(2026, 1, 1), since: datetime = datetime(2020, 1, 1)
) -> list[tuple[datetime, float | str]]:
    """Return quarterly registers of a meter with a steady consumption a day."""
    times = sorted({since, until, *(time for time in QUARTERS if since <= time <= until)})
    return [(time, (time - since).days * a_day) for time in times]


def case(
    folder: Path,
    meters: str,
    registers: Mapping[str, list[tuple[datetime, float | str]]],
    area: str,
) -> CaseSite:
    site = CaseSite(folder, meters, TWO_AREAS % area)
    for meter_id, of_meter in registers.items():
        site.load(site.readings(of_meter, meter_id, f"{meter_id}.csv"), "--no-backfill")
    return site


def find(
    figures: list[Mapping[str, Any]], indicator: str, scope: str = "huaian"
) -> Mapping[str, Any]:
    return next(one for one in figures if (one["scope"], one["indicator"]) == (scope, indicator))


def test_a_building_that_closed_is_no_gap_afterwards(tmp_path: Path) -> None:
    """Its meter was read until it closed, in the middle of 2023."""
    site = case(
        tmp_path,
        meter("e-a") + meter("e-old", 'area = "old"'),
        {"e-a": rows(300.0), "e-old": rows(50.0, datetime(2023, 6, 30, 12))},
        "closed = 2023-06-30",
    )
    figures = site.figures(2025)
    whole = find(figures, "electricity")
    assert (whole["value"], whole["coverage"]) == (pytest.approx(365 * 300.0), 1.0)
    assert codes(whole) == {"baseline_spread_gap", "spread_gap", "area_left"}
    intensity = find(figures, "energy_per_floor_area")
    assert {"area_left", "like_for_like"} <= codes(intensity)
    assert intensity["value"] == pytest.approx(365 * 300.0 * 0.1229 / 5000)
    assert intensity["baseline"] == pytest.approx(366 * 350.0 * 0.1229 / 6000)
    closed = find(figures, "electricity", "old")
    assert (closed["value"], closed["coverage"]) == (0.0, 1.0)
    assert find(figures, "energy_per_floor_area", "old")["status"] == "not_applicable"
    then = find(site.figures(2023), "electricity", "old")
    assert then["value"] == pytest.approx(180 * 50.0)
    assert then["coverage"] == 1.0


def test_a_meter_that_was_removed_is_0_and_a_reading_after_it_is_told(tmp_path: Path) -> None:
    site = case(
        tmp_path,
        meter("e-a") + meter("e-b", "removed = 2024-12-31"),
        {"e-a": rows(300.0), "e-b": rows(50.0)},
        "",
    )
    found = find(site.figures(2025), "electricity")
    assert found["value"] == pytest.approx(365 * 300.0)
    assert found["baseline"] == pytest.approx(366 * 350.0)
    assert found["coverage"] == 1.0
    assert "after_removal" in codes(found)


def test_what_hung_below_a_removed_meter_goes_on(tmp_path: Path) -> None:
    """The old main is removed; its two sub-meters are mains from then on."""
    site = case(
        tmp_path,
        meter("e-a", "removed = 2022-12-31")
        + meter("e-b", 'parent = "e-a"')
        + meter("e-c", 'parent = "e-a"'),
        {"e-a": rows(300.0, datetime(2023, 1, 1)), "e-b": rows(120.0), "e-c": rows(80.0)},
        "",
    )
    found = find(site.figures(2025), "electricity", "house")
    assert found["value"] == pytest.approx(365 * 200.0)
    assert found["baseline"] == pytest.approx(366 * 300.0)
    warned = site.run("check")
    assert "e-b" in warned.out + warned.err


def test_a_meter_that_moved_counts_where_it_was(tmp_path: Path) -> None:
    moved = 'area = [{from = 2018-01-01, value = "house"}, {from = 2025-07-01, value = "old"}]'
    site = case(tmp_path, meter("e-a", moved), {"e-a": rows(300.0)}, "")
    figures = site.figures(2025)
    assert find(figures, "electricity", "house")["value"] == pytest.approx(181 * 300.0)
    assert find(figures, "electricity", "old")["value"] == pytest.approx(184 * 300.0)
    assert find(figures, "electricity")["value"] == pytest.approx(365 * 300.0)
    assert find(figures, "electricity", "house")["coverage"] == 1.0


def test_space_that_is_let_out_is_deducted_from_its_day_on(tmp_path: Path) -> None:
    """The old building is let out in the middle of 2025, behind the meter of the house."""
    site = case(
        tmp_path,
        meter("e-a") + meter("e-old", 'area = "old"', 'parent = "e-a"'),
        {"e-a": rows(300.0), "e-old": rows(50.0)},
        "counts = [{from = 2025-07-01, value = false}]",
    )
    figures = site.figures(2025)
    assert find(figures, "electricity")["value"] == pytest.approx(365 * 300.0 - 184 * 50.0)
    area = (181 * 6000 + 184 * 5000) / 365
    energy = (365 * 300.0 - 184 * 50.0) * 0.1229
    assert find(figures, "energy_per_floor_area")["value"] == pytest.approx(energy / area)
    assert find(figures, "electricity", "old")["value"] == pytest.approx(365 * 50.0)


def test_a_shop_behind_a_meter_of_its_own_is_deducted(tmp_path: Path) -> None:
    """In the same area, resold from 2023 on; the meters below it do not count either."""
    site = case(
        tmp_path,
        meter("e-a")
        + meter("e-shop", 'parent = "e-a"', "counts = [{from = 2023-01-01, value = false}]")
        + meter("e-fridge", 'parent = "e-shop"'),
        {"e-a": rows(300.0), "e-shop": rows(40.0), "e-fridge": rows(10.0)},
        "",
    )
    found = find(site.figures(2025), "electricity", "house")
    assert found["value"] == pytest.approx(365 * 260.0)
    assert found["baseline"] == pytest.approx(366 * 300.0)


@pytest.mark.parametrize(
    ("keys", "expected"),
    [((), 10_000.0), (("counts = true",), 14_000.0), (("counts = false",), 6_000.0)],
)
def test_a_sub_item_without_a_parent_is_not_added_to_the_main(
    tmp_path: Path, keys: tuple[str, ...], expected: float
) -> None:
    site = case(
        tmp_path,
        meter("e-a") + meter("e-light", 'item = "lighting"', *keys),
        {
            "e-a": [(datetime(2025, 1, 1), 0.0), (datetime(2026, 1, 1), 10_000.0)],
            "e-light": [(datetime(2025, 1, 1), 0.0), (datetime(2026, 1, 1), 4_000.0)],
        },
        "",
    )
    found = find(site.figures(2025), "electricity", "house")
    assert found["value"] == pytest.approx(expected)
    assert ("sub_item_not_added" in codes(found)) is (keys != ("counts = true",))


def test_sub_items_of_an_area_without_a_main_are_added(tmp_path: Path) -> None:
    site = case(
        tmp_path,
        meter("e-light", 'item = "lighting"') + meter("e-air", 'item = "hvac"'),
        {"e-light": rows(40.0), "e-air": rows(60.0)},
        "",
    )
    found = find(site.figures(2025), "electricity", "house")
    assert found["value"] == pytest.approx(365 * 100.0)
    assert "sub_item_not_added" not in codes(found)


@pytest.mark.parametrize(
    ("area", "keys", "named"),
    [
        ("", ("installed = 2020-01-01", "removed = 2019-01-01"), "2019-01-01"),
        ("closed = 2017-01-01", (), "2017-01-01"),
        ("", ('area = [{from = 2020-01-01, value = "nowhere"}]',), "nowhere"),
        ("", ("area = []",), "area"),
        ("", ('area = [{from = 2020-01-01, valeu = "house"}]',), "valeu"),
        (
            "closed = 2023-01-01",
            ('area = [{from = 2018-01-01, value = "house"}, {from = 2024-01-01, value = "old"}]',),
            "2023-01-01",
        ),
        (
            "",
            ("counts = [{from = 2024-01-01, value = true}, {from = 2023-01-01, value = false}]",),
            "counts",
        ),
        ("counts = 3", (), "counts"),
    ],
)
def test_impossible_dates_and_references_are_refused(
    tmp_path: Path, area: str, keys: tuple[str, ...], named: str
) -> None:

    done = CaseSite(tmp_path, meter("e-a", "rated_max = 400.0", *keys), TWO_AREAS % area).run(
        "check"
    )
    assert done.code == 1
    assert named in done.out + done.err
