"""Comparisons by the same areas, and with further baselines, change no verdict."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path

import pytest

from analytics.figures.area_history.area_changes import area_changes
from analytics.figures.assessment import assess
from analytics.figures.figure import Figure
from analytics.figures.roll_up import scopes
from analytics.periods import calendar_year, parse
from analytics.site_analytics import load_rules
from jieneng.metering.errors import ConfigError
from jieneng.metering.site import Site
from tests.analytics.figures.test_figures import measured
from tests.analytics.sites import site

AFTER = date(2026, 3, 1)
ANNEX = """
[[area]]
id = "annex"
name = "annex"
floor_area_m2 = [{from = 2023-07-01, value = 500.0}]
"""
ANNEX_METER = """
[[meter]]
id = "e-annex"
name = "e-annex"
medium = "electricity"
area = "annex"
installed = 2023-06-15
"""
BLOCK = """
[[area]]
id = "block"
name = "block"
institutions = ["bureau"]
floor_area_m2 = [{from = 2019-01-01, value = 1000.0}]

[[area]]
id = "shop"
name = "shop"
parent = "block"
floor_area_m2 = [{from = 2019-01-01, value = 100.0}]
END

[[meter]]
id = "e"
name = "e"
medium = "electricity"
area = "block"

[[meter]]
id = "e-shop"
name = "e-shop"
medium = "electricity"
area = "shop"
parent = "e"
"""
CLOSED = BLOCK.replace("END", "closed = 2024-12-31")
OPEN = BLOCK.replace("END", "")
#: Daily consumption in the base year and now [kWh].
THEN = {"e": 200.0, "e-shop": 20.0, "e-annex": 0.0}
NOW = {"e": 190.0, "e-shop": 0.0, "e-annex": 60.0}


def figures(
    path: Path,
    of: Site,
    plan: str = "",
    now: Mapping[str, float] = NOW,
    years: Mapping[int, Mapping[str, float]] | None = None,
    period: str = "2025",
) -> dict[tuple[str, str], Figure]:
    """Return the figures by scope and indicator, without the emission inventory."""
    (path / "plan.toml").write_text(plan, encoding="utf-8")
    rules, whole = load_rules(path), parse(period)
    a_day = {2020: THEN, **(years or {})}
    compared = {
        year.year: measured(year, a_day.get(year.year, {}), of=of)
        for year in rules.compared_years(whole)
    }
    found = assess(of, rules, scopes(of), whole, AFTER, measured(whole, now, of=of), compared)
    return {(one.scope, one.indicator): one for one in found if one.factor_series != "current"}


def test_areas_that_joined_or_left_are_deducted_on_both_sides(tmp_path: Path) -> None:
    """Then 366 days of 200 - 20 kWh, now 365 of 190 - 0; the floor area is 1000 - 100 m2."""
    of = site(CLOSED + ANNEX + ANNEX_METER)
    found = figures(tmp_path, of)
    total = found["centre", "electricity"]
    assert total.value == 250 * 365
    [alike] = total.comparisons
    assert (alike.id, alike.left_out) == ("like_for_like", ("shop", "annex"))
    assert (alike.value, alike.baseline) == (190 * 365, 180 * 366)
    assert alike.change_pct == pytest.approx(100 * (190 * 365 / (180 * 366) - 1), abs=1e-6)
    [alike] = found["centre", "energy_per_floor_area"].comparisons
    assert alike.baseline == pytest.approx(180 * 366 * 0.1229 / 900, abs=1e-6)
    assert found["block", "electricity"].comparisons[0].left_out == ("shop",)
    assert found["shop", "electricity"].comparisons == ()
    assert found["annex", "electricity"].comparisons == ()


def test_the_figure_names_what_joined_and_left_and_what_like_for_like_reads(tmp_path: Path) -> None:
    of = site(CLOSED + ANNEX + ANNEX_METER)
    figure = figures(tmp_path, of)["centre", "energy_per_floor_area"]
    found = {(one.code, one.subject): dict(one.values) for one in figure.findings}
    assert found["area_joined", "annex"] == {"day": date(2023, 6, 15)}
    assert found["area_left", "shop"] == {"day": date(2025, 1, 1)}
    assert found["like_for_like", "centre"] == {
        "indicator": "energy_per_floor_area",
        "change": figure.comparisons[0].change_pct,
    }


def test_an_area_without_a_meter_stays_in_and_is_told(tmp_path: Path) -> None:
    total = figures(tmp_path, site(OPEN + ANNEX))["centre", "electricity"]
    assert total.comparisons[0].value == 190 * 365
    found = {(one.code, one.subject): dict(one.values) for one in total.findings}
    assert found["left_out_unmetered", "annex"] == {"media": "electricity"}


def test_with_the_same_areas_there_is_no_further_comparison(tmp_path: Path) -> None:
    for figure in figures(tmp_path, site(OPEN)).values():
        assert figure.comparisons == ()
        assert not {"area_joined", "area_left"} & {one.code for one in figure.findings}


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("closed = 2019-12-31", None),
        ("closed = 2020-06-30", ("left", date(2020, 7, 1))),
        ("closed = 2024-12-31", ("left", date(2025, 1, 1))),
        ("closed = 2025-12-31", None),
        ("counts = false", None),
        ("counts = [{from = 2022-01-01, value = false}]", ("left", date(2022, 1, 1))),
        (
            "counts = [{from = 2019-01-01, value = false}, {from = 2025-03-01, value = true}]",
            ("joined", date(2025, 3, 1)),
        ),
    ],
)
def test_an_area_joins_or_leaves_within_or_between_the_periods(
    lines: str, expected: tuple[str, date] | None
) -> None:
    of = site(BLOCK.replace("END", lines))
    found = area_changes(of, [calendar_year(2020), calendar_year(2025)])
    assert [(one.area, (one.kind, one.day)) for one in found] == (
        [] if expected is None else [("shop", expected)]
    )


def test_a_meter_without_installation_has_measured_its_area_always() -> None:
    """The floor area of the annex is stated from 2023 on only, but its meter is older."""
    of = site(OPEN + ANNEX + ANNEX_METER.replace("installed = 2023-06-15", ""))
    assert area_changes(of, [calendar_year(2020), calendar_year(2025)]) == []


BASELINE = """
[[baseline]]
id = "usual"
name = "疫情前"
from = 2018
to = 2019
reason = "2020 was a year of closed offices"
"""


def test_a_further_baseline_stands_beside_and_changes_no_verdict(tmp_path: Path) -> None:
    """The mean of 365 days of 210 and of 230 kWh is 80300 kWh; now 365 days of 190."""
    of = site(OPEN)
    years = {2018: {"e": 210.0, "e-shop": 0.0}, 2019: {"e": 230.0, "e-shop": 0.0}}
    without = figures(tmp_path, of)
    found = figures(tmp_path, of, BASELINE, years=years)
    [usual] = found["centre", "electricity"].comparisons
    assert (usual.id, usual.name, usual.baseline_period) == ("usual", "疫情前", "2018..2019")
    assert (usual.value, usual.baseline) == (190 * 365, 220 * 365)
    assert usual.change_pct == pytest.approx(100 * (190 / 220 - 1), abs=1e-6)
    assert usual.decrease_pct == pytest.approx(100 * (1 - 190 / 220), abs=1e-6)
    assert {key: one.status for key, one in found.items()} == {
        key: one.status for key, one in without.items()
    }
    assert found["centre", "electricity"].findings == without["centre", "electricity"].findings


def test_a_baseline_is_unknown_while_one_of_its_years_is(tmp_path: Path) -> None:
    found = figures(tmp_path, site(OPEN), BASELINE, years={2018: {"e": 210.0, "e-shop": 0.0}})
    [usual] = found["centre", "electricity"].comparisons
    assert (usual.baseline, usual.change_pct) == (None, None)


def test_a_period_is_compared_with_earlier_years_only(tmp_path: Path) -> None:
    found = figures(tmp_path, site(OPEN), BASELINE, period="2019")
    assert found["centre", "electricity"].comparisons == ()


def test_a_baseline_that_ends_before_it_begins_is_refused(tmp_path: Path) -> None:
    (tmp_path / "plan.toml").write_text(BASELINE.replace("to = 2019", "to = 2017"))
    with pytest.raises(ConfigError, match="baseline usual ends before it begins"):
        load_rules(tmp_path)
