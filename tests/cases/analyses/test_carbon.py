"""`jieneng carbon`: digits that add up, doubts beside the causes, and what is missing by name."""

import re
from datetime import datetime
from decimal import Decimal
from pathlib import Path

from tests.cases.analyses.made_analyses import figure_on, loaded, monthly, today
from tests.cases.case_site import CaseSite, meter

SPAN = (datetime(2020, 1, 1), datetime(2026, 1, 1))


def table(site: CaseSite, *options: object) -> str:
    with today(2026, 2, 1):
        done = site.run("carbon", "--period", 2025, "--scope", "house", *options)
    assert done.code == 0, done.err
    return done.out


def test_the_shown_effects_add_up_to_the_shown_change(tmp_path: Path) -> None:
    """-7.026 t = -0.184 t (activity) - 6.842 t (factor); rounded one by one they add to -7.02 t."""
    site = loaded(tmp_path, {"e-a": monthly(*SPAN, 300.0)})
    rows = re.findall(r"([−+][\d.]+)(?: %)? +([−+]?[\d.]+)(?: %)? +([−+]?[\d.]+)(?: %)? "
                      r"+([−+]?[\d.]+)(?: %)?", table(site))  # fmt: skip
    assert len(rows) == 4
    for row in rows:
        change, *effects = (Decimal(cell.replace("−", "-")) for cell in row)
        assert sum(effects) == change


def test_missing_consumption_is_told_beside_the_effect_of_activity(tmp_path: Path) -> None:
    """18 days of December are unknown: coverage 0.951, just enough for a split."""
    site = loaded(tmp_path, {"e-a": monthly(datetime(2020, 1, 1), datetime(2025, 12, 14), 300.0)})
    with today(2026, 2, 1):
        site.run("analytics", "once")
    found = table(site)
    assert "数据不足" not in found
    assert "95.0 %" in found


def test_a_base_year_with_half_its_data_says_why_there_is_no_split(tmp_path: Path) -> None:
    before = monthly(datetime(2020, 7, 1), datetime(2021, 1, 1), 300.0)
    now = monthly(datetime(2025, 1, 1), datetime(2026, 1, 1), 300.0, 55_200.0)
    site = loaded(tmp_path, {"e-a": [*before, (datetime(2024, 12, 31), 55_200.0), *now]})
    found = table(site)
    assert "数据不足" in found
    assert "50.2 %" in found


def test_another_base_is_answered_with_the_year_to_write(tmp_path: Path) -> None:
    site = loaded(tmp_path, {"e-a": monthly(*SPAN, 300.0)})
    with today(2026, 2, 1):
        done = site.run("carbon", "--period", "2025-06", "--base", "2021-06")
    assert (done.code, "2021" in done.err, "2020" in done.err) == (2, True, False)


def test_a_factor_that_is_locked_at_the_base_year_names_the_year(tmp_path: Path) -> None:
    site = loaded(tmp_path, {"e-a": monthly(*SPAN, 300.0)})
    figure = figure_on(site, (2026, 2, 1), "carbon_per_floor_area", 2025)
    (text,) = (one["text"] for one in figure["findings"] if one["code"] == "proxy_factor")
    assert "2020-12-31" in text


def test_green_power_below_a_meter_of_the_grid_is_told_by_check(tmp_path: Path) -> None:
    """Carbon is counted by the upper meter, so the class of the lower one has no effect."""
    of_line = meter("e-g", 'parent = "e-a"', 'supply = "direct_green"')
    done = CaseSite(tmp_path, meter("e-a") + of_line).run("check")
    assert "e-g" in done.out + done.err
    assert "direct_green" in done.out + done.err
    alone = CaseSite(tmp_path, meter("e-a") + meter("e-g", 'supply = "direct_green"')).run("check")
    assert "direct_green" not in alone.out + alone.err
