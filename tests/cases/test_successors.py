"""A meter that was replaced under a new id: its successor goes on in its place."""

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.cases.case_site import HOUR, CaseSite, codes, hours, meter

TARIFFS = """
[[account]]
id = "E"
meters = ["e-old", "e-new"]
tariff = [{from = 2024-01-01, value = "one-price"}]

[[tariff]]
id = "one-price"
medium = "electricity"
unit = "yuan/kWh"
source = "contract of 2024"

[[price]]
tariff = "one-price"
from = 2024-01-01
flat = 0.5
"""
NEW_YEAR, MAY, END = datetime(2024, 1, 1), datetime(2024, 5, 1), datetime(2025, 1, 1)


def old(*keys: str) -> str:
    return meter("e-old", "rated_max = 400.0", "removed = 2024-04-30", *keys)


def new(*keys: str, installed: str = "2024-05-01") -> str:
    return meter("e-new", "rated_max = 400.0", f"installed = {installed}", *keys)


def case(folder: Path, meters: str, new_from: datetime = MAY, sub: str = "") -> CaseSite:
    """Return a site with 1 kWh each hour at the old and the new meter, and 0.25 kWh at `sub`."""
    (folder / "tariffs.toml").write_text(TARIFFS, encoding="utf-8")
    site = CaseSite(folder, meters)
    loads = {"e-old": (NEW_YEAR, MAY, 1.0), "e-new": (new_from, END, 1.0)}
    if sub:
        loads[sub] = (NEW_YEAR, END, 0.25)
    for meter_id, (start, end, amount) in loads.items():
        rows = [(time, amount) for time in hours(start, end, HOUR)]
        site.load(site.readings(rows, meter_id), "--kind", "interval", "--interval-s", 3600)
    return site


def account_cost(site: CaseSite) -> Mapping[str, Any]:
    done = site.run("cost", "--period", "2024", "--scope", "E", "--format", "json")
    assert done.code == 0, done.err
    found: list[Mapping[str, Any]] = json.loads(done.out)
    return found[0]


@pytest.mark.parametrize("meters", [old() + new(), new() + old()])
def test_coverage_asks_each_meter_only_for_the_time_in_which_it_was_there(
    tmp_path: Path, meters: str
) -> None:
    """121 days of the old meter and 245 days of the new one: 366 x 24 kWh, at 0.5 yuan."""
    site = case(tmp_path, meters)
    figure = site.figure("electricity", 2024)
    assert (figure["value"], figure["coverage"]) == (pytest.approx(8784.0), 1.0)
    assert "gap" not in codes(figure)
    cost = account_cost(site)
    assert (cost["cost"], cost["coverage"]) == (pytest.approx(4392.0), 1.0)
    assert cost["findings"] == []


def test_what_neither_meter_measured_stays_unknown(tmp_path: Path) -> None:
    """The new meter came on 11 May: 10 of 366 days are unknown."""
    site = case(tmp_path, old() + new(installed="2024-05-11"), datetime(2024, 5, 11))
    figure = site.figure("electricity", 2024)
    assert figure["value"] == pytest.approx(356 * 24.0)
    assert figure["coverage"] == pytest.approx(356 / 366, abs=1e-3)
    assert account_cost(site)["coverage"] == pytest.approx(356 / 366, abs=1e-3)


def test_a_year_without_readings_of_either_meter_is_not_0(tmp_path: Path) -> None:
    site = case(tmp_path, old() + new())
    assert site.figure("electricity", 2024)["baseline"] is None


@pytest.mark.parametrize("parent", ["e-old", "e-new"])
def test_a_sub_meter_is_below_the_meter_that_is_there(tmp_path: Path, parent: str) -> None:
    """Its kilowatt-hours are part of the main's, before and after the replacement."""
    sub = meter("e-sub", "rated_max = 400.0", f'parent = "{parent}"')
    site = case(tmp_path, old() + new() + sub, sub="e-sub")
    figure = site.figure("electricity", 2024)
    assert (figure["value"], figure["coverage"]) == (pytest.approx(8784.0), 1.0)
    assert "negative_rest" not in codes(figure)
    cost = account_cost(site)
    assert cost["unmetered_amount"] == pytest.approx(8784.0 * 0.75)
    checked = site.run("check")
    assert "e-sub" not in checked.out + checked.err


def test_sub_meters_that_are_replaced_with_their_main_go_on_too(tmp_path: Path) -> None:
    site = case(
        tmp_path,
        meter("e-main-1", "rated_max = 400.0", "removed = 2024-04-30")
        + meter("e-main-2", "rated_max = 400.0", "installed = 2024-05-01")
        + old('parent = "e-main-1"', 'item = "lighting"')
        + new('parent = "e-main-2"', 'item = "lighting"'),
    )
    rows = [(time, 2.0) for time in hours(NEW_YEAR, END, HOUR)]
    for meter_id, part in (("e-main-1", rows[:2904]), ("e-main-2", rows[2904:])):
        site.load(site.readings(part, meter_id), "--kind", "interval", "--interval-s", 3600)
    assert site.figure("electricity", 2024)["value"] == pytest.approx(2 * 8784.0)
    assert site.figure("electricity", 2024)["coverage"] == 1.0
    assert account_cost(site)["coverage"] == 1.0
