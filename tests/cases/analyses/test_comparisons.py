"""Comparisons of a figure: with the base year, parts of it, and further baselines."""

from datetime import datetime
from pathlib import Path

import pytest

from tests.cases.analyses.made_analyses import NEW_AREA, Readings, figure_on, loaded, monthly
from tests.cases.case_site import AREA, codes

COAL = 0.1229  # kgce/kWh
USUAL = '[[baseline]]\nid = "usual"\nfrom = 2018\nto = 2019\nreason = "2020 was unusual"\n'
YEAR_2025 = (datetime(2025, 1, 1), datetime(2026, 1, 1))
SPAN = (datetime(2020, 1, 1), datetime(2026, 1, 1))
AFTER = (2026, 2, 1)


def months_of(year: int, first: int, last: int, a_month: float) -> list[str]:
    return [f"{year}-{month:02},{a_month}" for month in range(first, last + 1)]


def test_a_february_of_28_days_saves_nothing_against_one_of_29(tmp_path: Path) -> None:
    """300 kWh a day in both years."""
    site = loaded(tmp_path, {"e-a": monthly(*SPAN, 300.0)})
    found = figure_on(site, AFTER, "energy_per_floor_area", "2025-02")
    assert (found["change_pct"], found["status"]) == (0.0, "at_risk")
    assert "leap_day" in codes(found)
    to_date = figure_on(site, (2025, 4, 1), "electricity", 2025)
    assert to_date["baseline"] == pytest.approx(90 * 300.0)
    whole = figure_on(site, AFTER, "electricity", 2025)
    assert whole["baseline"] == pytest.approx(366 * 300.0)


def test_half_a_base_year_gives_no_change(tmp_path: Path) -> None:
    """Six months of 2020 are known: 2025 is not 100 % more, but unknown against 2020."""
    site = loaded(tmp_path, {"e-a": monthly(*YEAR_2025, 300.0)})
    rows = ["time,E-A(kWh)", *months_of(2020, 1, 6, 9000.0)]
    site.load(site.file("half.csv", rows), "--kind", "interval")
    found = figure_on(site, AFTER, "energy_per_floor_area", 2025)
    assert (found["change_pct"], found["status"]) == (None, "insufficient_data")
    assert "baseline_gap" in codes(found)


def test_a_further_baseline_with_half_a_year_is_unknown_and_says_so(tmp_path: Path) -> None:
    """2018 and the first half of 2019 are known: the mean of the two years is not."""
    site = loaded(tmp_path, {"e-a": monthly(*SPAN, 300.0)})
    site.file("plan.toml", [USUAL])
    rows = ["time,E-A(kWh)", *months_of(2018, 1, 12, 9000.0), *months_of(2019, 1, 6, 9000.0)]
    site.load(site.file("usual.csv", rows), "--kind", "interval")
    found = figure_on(site, AFTER, "energy_per_floor_area", 2025)
    (usual,) = found["comparisons"]
    assert (usual["baseline"], usual["change_pct"]) == (None, None)
    assert "no_comparison" in codes(found)


def test_a_building_in_use_since_july_has_no_verdict_against_half_a_year(tmp_path: Path) -> None:
    """50 kWh a day on 1,000 m2: 504 m2 on average in 2025, so its intensity is unchanged."""
    end = datetime(2027, 1, 1)
    site = loaded(
        tmp_path,
        {
            "e-a": monthly(datetime(2025, 1, 1), end, 300.0),
            "e-n": monthly(datetime(2025, 7, 1), end, 50.0),
        },
        AREA + NEW_AREA % ("2025-07-01", "2025-07-01"),
        {"e-n": ('area = "new"', "installed = 2025-07-01")},
    )
    found = figure_on(site, (2027, 2, 1), "energy_per_floor_area", 2026, "new")
    assert found["baseline"] == pytest.approx(184 * 50 * COAL / (1000 * 184 / 365), abs=1e-5)
    assert found["status"] == "insufficient_data"
    assert "area_joined" in codes(found)
    total = figure_on(site, (2027, 2, 1), "electricity", 2026, "new")
    assert "area_joined" in codes(total)


def test_half_a_year_of_headcount_gives_no_verdict(tmp_path: Path) -> None:
    people = AREA.replace("headcount = [{from = 2018-01-01", "headcount = [{from = 2020-07-01")
    site = loaded(tmp_path, {"e-a": monthly(*SPAN, 300.0)}, people)
    found = figure_on(site, AFTER, "energy_per_capita", 2025)
    assert found["status"] == "insufficient_data"
    assert "baseline_no_headcount" in codes(found)


def test_a_medium_without_data_in_the_base_year_is_named(tmp_path: Path) -> None:
    """Electricity of 2020 is known, heat is not: there are data for 2020."""
    heat = monthly(*YEAR_2025, 1.0)
    site = loaded(tmp_path, {"e-a": monthly(*SPAN, 300.0)}, keys={"e-a": ()})
    with_heat = (site.folder / "site.toml").read_text(encoding="utf-8")
    with_heat += '\n[[meter]]\nid = "h-a"\nname = "H-A"\nmedium = "heat"\narea = "house"\n'
    (site.folder / "site.toml").write_text(with_heat, encoding="utf-8")
    lines = [f"{time:%Y-%m-%dT%H:%M:%S},h-a,heat_gj,{value}" for time, value in heat]
    site.load(site.file("heat.csv", ["time,meter,quantity,value", *lines]))
    found = figure_on(site, AFTER, "energy_per_floor_area", 2025)
    assert found["status"] == "insufficient_data"
    assert codes(found) >= {"baseline_no_readings"}
    assert "no_baseline" not in codes(found)


def test_a_negative_consumption_meets_no_target(tmp_path: Path) -> None:
    """In 2025 more was exported than purchased and generated, which is impossible."""

    def growing(before: float, after: float) -> Readings:
        return monthly(*SPAN, {**dict.fromkeys(range(2020, 2025), before), 2025: after})

    site = loaded(
        tmp_path,
        {"e-a": growing(14.0, 14.0), "e-p": growing(270.0, 270.0), "e-x": growing(240.0, 300.0)},
        keys={
            "e-p": ('role = "generation"', 'parent = "e-a"'),
            "e-x": ('role = "export"', 'parent = "e-a"'),
        },
    )
    found = figure_on(site, AFTER, "energy_per_floor_area", 2025)
    assert found["value"] < 0
    assert found["status"] == "doubtful"
