"""Generated and exported energy: photovoltaics, export, classes of supply."""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from itertools import accumulate
from pathlib import Path
from typing import Any

import pytest

from tests.cases.case_site import CaseSite, codes, meter

GRID = 0.6451  # kgCO2/kWh, Jiangsu 2021, which is used for 2020
#: The first days of the months of 2020 and of 2025, and of the months after them.
MONTHS = {
    year: [datetime(year + n // 12, n % 12 + 1, 1) for n in range(13)] for year in (2020, 2025)
}


def shown(a_month: Mapping[int, float]) -> list[tuple[datetime, float | str]]:
    """Return monthly registers that grow by a fixed amount in each month of some years, and not in
    between.
    """
    years = sorted(a_month)
    times = [time for year in years for time in MONTHS[year]]
    steps = [0.0, *(step for year in years for step in [*[a_month[year]] * 12, 0.0])][: len(times)]
    return list(zip(times, accumulate(steps), strict=True))


def load(
    site: CaseSite,
    rows: Iterable[tuple[datetime, float | str]],
    meter_id: str,
    quantity: str = "energy_kwh",
) -> None:
    lines = [f"{time:%Y-%m-%dT%H:%M:%S},{meter_id},{quantity},{value}" for time, value in rows]
    file = site.file(f"{meter_id}-{quantity}.csv", ["time,meter,quantity,value", *lines])
    site.load(file, "--no-backfill")


def find(figures: list[Mapping[str, Any]], indicator: str, series: str | None = None) -> Any:
    return next(
        one
        for one in figures
        if (one["scope"], one["indicator"], one["factor_series"]) == ("huaian", indicator, series)
    )


PV = meter("e-pv", 'role = "generation"')


def with_photovoltaics(folder: Path, pv: str = PV) -> CaseSite:
    """Return the site of the issue: 11,000 a month in 2020; 8,000 - 1,500 + 3,500 in 2025."""
    site = CaseSite(folder, meter("e-a") + pv)
    load(site, shown({2020: 11_000.0, 2025: 8_000.0}), "e-a")
    load(site, shown({2025: 1_500.0}), "e-a", "energy_export_kwh")
    load(site, shown({2025: 3_500.0}), "e-pv")
    return site


def test_export_is_deducted_and_self_use_is_energy_but_no_carbon(tmp_path: Path) -> None:
    figures = with_photovoltaics(tmp_path).figures(2025)
    found = find(figures, "electricity")
    assert found["value"] == pytest.approx(120_000.0)
    assert found["baseline"] == pytest.approx(132_000.0)
    assert found["change_pct"] == pytest.approx(-9.0909, abs=1e-4)
    energy = find(figures, "energy_per_floor_area")
    assert energy["value"] == pytest.approx(120_000 * 0.1229 / 5000)
    assert energy["status"] == "met"
    carbon = find(figures, "carbon_total", "fixed")
    assert carbon["value"] == pytest.approx(96_000 * GRID / 1000)
    assert carbon["baseline"] == pytest.approx(132_000 * GRID / 1000)


@pytest.mark.parametrize("formula", ["e-a", "e-a - 0.5 * e-a + 0.5 * e-inner"])
def test_a_virtual_main_of_a_bidirectional_meter_is_the_same(tmp_path: Path, formula: str) -> None:
    """The exported energy is deducted from the energy, and not from the carbon."""
    main = meter("e-main", f'formula = "{formula}"', "counts = true")
    inner = meter("e-inner", 'formula = "e-a"')
    site = CaseSite(tmp_path, main + inner + meter("e-a", 'parent = "e-main"') + PV)
    load(site, shown({2020: 11_000.0, 2025: 8_000.0}), "e-a")
    load(site, shown({2025: 1_500.0}), "e-a", "energy_export_kwh")
    load(site, shown({2025: 3_500.0}), "e-pv")
    figures = site.figures(2025)
    assert find(figures, "electricity")["value"] == pytest.approx(120_000.0)
    carbon = find(figures, "carbon_total", "fixed")
    assert carbon["value"] == pytest.approx(96_000 * GRID / 1000)


def test_the_balance_names_exported_energy(tmp_path: Path) -> None:
    """8,000 come in and 3,500 from the roof a month; 1,500 go out, and the lights have 9,000."""
    below = ('parent = "e-a"',)
    pv = meter("e-pv", 'role = "generation"', *below)
    site = CaseSite(tmp_path, meter("e-a") + pv + meter("e-light", *below))
    load(site, shown({2025: 8_000.0}), "e-a")
    load(site, shown({2025: 1_500.0}), "e-a", "energy_export_kwh")
    load(site, shown({2025: 3_500.0}), "e-pv")
    load(site, shown({2025: 9_000.0}), "e-light")
    done = site.run("balance", "--period", 2025, "--format", "json")
    assert done.code == 0, done.err
    [balance] = json.loads(done.out)
    names = ("amount", "exported", "measured", "rest")
    amounts = [balance[name] for name in names]
    assert amounts == pytest.approx([138_000.0, 18_000.0, 108_000.0, 12_000.0])
    shown_table = site.run("balance", "--period", 2025).out
    assert "外送" in shown_table
    assert "18,000" in shown_table


def test_an_export_meter_of_its_own_is_the_same(tmp_path: Path) -> None:
    site = CaseSite(tmp_path, meter("e-a") + PV + meter("e-out", 'role = "export"'))
    load(site, shown({2020: 11_000.0, 2025: 8_000.0}), "e-a")
    load(site, shown({2025: 1_500.0}), "e-out")
    load(site, shown({2025: 3_500.0}), "e-pv")
    figures = site.figures(2025)
    assert find(figures, "electricity")["value"] == pytest.approx(120_000.0)
    assert find(figures, "carbon_total", "fixed")["value"] == pytest.approx(96_000 * GRID / 1000)


@pytest.mark.parametrize(
    ("keys", "energy", "carbon"),
    [
        ("export_deducted = false", 138_000.0, 96_000.0),
        ("export_carbon_deducted = true", 120_000.0, 78_000.0),
    ],
)
def test_the_plan_says_what_is_deducted(
    tmp_path: Path, keys: str, energy: float, carbon: float
) -> None:
    site = with_photovoltaics(tmp_path)
    site.file(
        "plan.toml",
        [
            "[[plan]]",
            'id = "2021-2025"',
            "base = 2020",
            "from = 2021",
            "to = 2025",
            'source = "the plan"',
            keys,
        ],
    )
    figures = site.figures(2025)
    assert find(figures, "electricity")["value"] == pytest.approx(energy)
    assert find(figures, "carbon_total", "fixed")["value"] == pytest.approx(carbon * GRID / 1000)


def test_exported_intervals_count_like_registers(tmp_path: Path) -> None:
    site = CaseSite(tmp_path, meter("e-a") + PV)
    load(site, shown({2025: 8_000.0}), "e-a")
    load(site, shown({2025: 3_500.0}), "e-pv")
    hours = 31 * 24
    lines = [f"{day:%Y-%m-%dT%H:00:00},2.0" for day in _hours(hours)]
    file = site.file("out.csv", ["time,e-a", *lines])
    site.load(file, "--kind", "interval", "--quantity", "energy_export_kwh")
    found = find(site.figures(2025), "electricity")
    assert found["value"] == pytest.approx(12 * 11_500.0 - 2.0 * hours)
    assert found["coverage"] > 0.95


def _hours(count: int) -> list[datetime]:
    return [datetime(2025, 7, 1 + hour // 24, hour % 24) for hour in range(count)]


def test_export_that_is_taken_back_is_deducted_no_more(tmp_path: Path) -> None:
    site = with_photovoltaics(tmp_path)
    assert find(site.figures(2025), "electricity")["value"] == pytest.approx(120_000.0)
    undone = site.run("import", "undo", "2")  # the second file has the export
    assert undone.code == 0, undone.err
    assert find(site.figures(2025), "electricity")["value"] == pytest.approx(138_000.0)


def test_an_export_register_that_stands_still_changes_nothing(tmp_path: Path) -> None:
    site = CaseSite(tmp_path, meter("e-a"))
    load(site, shown({2025: 8_000.0}), "e-a")
    load(site, [(time, 417.5) for time in MONTHS[2025]], "e-a", "energy_export_kwh")
    found = find(site.figures(2025), "electricity")
    assert (found["value"], found["coverage"]) == (pytest.approx(96_000.0), 1.0)


def test_the_classes_of_purchased_electricity_have_factors_of_their_own(tmp_path: Path) -> None:
    """A line of one's own from a wind park has no carbon; traded power has the grid's factor."""
    site = CaseSite(
        tmp_path,
        meter("e-a")
        + meter("e-wind", 'supply = "direct_green"')
        + meter("e-market", 'supply = "traded"')
        + meter("e-shop", 'parent = "e-wind"', "counts = false"),
    )
    for meter_id, a_month in (
        ("e-a", 5_000.0),
        ("e-wind", 2_000.0),
        ("e-market", 1_000.0),
        ("e-shop", 500.0),
    ):
        load(site, shown({2025: a_month}), meter_id)
    figures = site.figures(2025)
    assert find(figures, "electricity")["value"] == pytest.approx(12 * 7_500.0)
    carbon = find(figures, "carbon_total", "fixed")
    assert carbon["value"] == pytest.approx(12 * 6_000 * GRID / 1000)
    assert "supply_class" in codes(carbon)
    assert "supply_class" not in codes(find(figures, "electricity"))


def test_generation_counts_where_it_feeds_in(tmp_path: Path) -> None:
    """On the roof of the old building, behind the meter of the house."""
    areas = """
[[area]]
id = "house"
name = "1号楼"
floor_area_m2 = [{from = 2018-01-01, value = 5000.0}]

[[area]]
id = "old"
name = "旧楼"
floor_area_m2 = [{from = 2018-01-01, value = 1000.0}]
"""
    pv = meter("e-pv", 'role = "generation"', 'area = "old"', 'parent = "e-a"')
    site = CaseSite(tmp_path, meter("e-a") + meter("e-old", 'area = "old"') + pv, areas)
    for meter_id, a_month in (("e-a", 5_000.0), ("e-old", 2_000.0), ("e-pv", 1_000.0)):
        load(site, shown({2025: a_month}), meter_id)
    figures = {
        one["scope"]: one["value"]
        for one in site.figures(2025)
        if one["indicator"] == "electricity"
    }
    assert figures["house"] == pytest.approx(72_000.0)
    assert figures["old"] == pytest.approx(24_000.0)
    assert figures["huaian"] == pytest.approx(96_000.0)


@pytest.mark.parametrize(
    ("meters", "named"),
    [
        (meter("w-a", "rated_max = 16.0", 'role = "generation"'), "generation"),
        (meter("w-a", "rated_max = 16.0", 'supply = "traded"'), "w-a"),
        (meter("e-a", "rated_max = 16.0", 'role = "export"', 'supply = "traded"'), "e-a"),
        (meter("e-a", "rated_max = 16.0", 'role = "producer"'), "producer"),
    ],
)
def test_a_role_or_a_class_that_cannot_be_is_refused(
    tmp_path: Path, meters: str, named: str
) -> None:
    done = CaseSite(tmp_path, meters).run("check")
    assert done.code == 1
    assert named in done.out + done.err


@pytest.mark.parametrize("is_of_its_own", [True, False])
@pytest.mark.parametrize(("began_at", "status"), [(0.0, "met"), (54_321.0, "doubtful")])
def test_what_an_export_register_counted_before_it_was_read_is_doubted(
    tmp_path: Path, is_of_its_own: bool, began_at: float, status: str
) -> None:
    """Exported since 2019, and read from 2025 on: without a change it read as -10 %, and met."""
    out = meter("e-out", 'role = "export"') if is_of_its_own else ""
    site = CaseSite(tmp_path, meter("e-a") + out)
    load(site, shown({2020: 9_000.0, 2025: 9_000.0}), "e-a")
    rows = [(time, began_at + 900.0 * at) for at, time in enumerate(MONTHS[2025])]
    load(site, rows, *(["e-out"] if is_of_its_own else ["e-a", "energy_export_kwh"]))
    figure = find(site.figures(2025), "energy_per_floor_area")
    assert figure["change_pct"] == pytest.approx(-10.0)
    assert figure["status"] == status
    assert ("baseline_counted_before" in codes(figure)) is (began_at > 0)
