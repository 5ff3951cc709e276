"""Mistakes in factors, plans and targets are reported with their place."""

from datetime import date
from pathlib import Path

import numpy as np
import pytest

from analytics.figures.factors import daily_factor, factor_series
from analytics.figures.figure import Convention
from analytics.figures.rule_files import Rules
from analytics.figures.targets import (
    Cap,
    Operator,
    Plan,
    Target,
    decrease_status,
    glide_path_share,
    limit_status,
)
from analytics.periods import calendar_year, parse
from analytics.settings import AnalyticsSettings
from analytics.site_analytics import load_rules
from jieneng.metering.errors import ConfigError

FACTOR = """
[[factor]]
id = "{id}"
kind = "carbon"
medium = "electricity"
region = "32"
value = {value}
unit = "{unit}"
from = {first}
to = {last}
source = "a notice of the ministry"
confidence = "verified"
"""


def packaged(path: Path, convention: Convention = "equivalent") -> Rules:
    return load_rules(path, AnalyticsSettings(convention=convention))


def factor(
    rules: Rules, kind: str, medium: str, *days: date, division: str = "320800"
) -> tuple[list[float], list[str]]:
    series = factor_series(
        rules.factors,
        kind,  # type: ignore[arg-type]  # a kind, by its name
        medium,  # type: ignore[arg-type]  # a medium, by its name
        convention=rules.convention,
        division=division,
    )
    found = daily_factor(series, np.array([day.toordinal() for day in days]))
    return found.values.tolist(), [finding.code for finding in found.findings]


def problems(path: Path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_rules(path)
    return [str(problem) for problem in caught.value.problems]


class TestFactors:
    def test_the_two_conventions_are_never_mixed(self, tmp_path: Path) -> None:
        day = date(2023, 6, 1)
        assert factor(packaged(tmp_path), "coal", "electricity", day) == ([0.1229], [])
        other = packaged(tmp_path, "coal_consumption")
        assert factor(other, "coal", "electricity", day) == ([0.30], [])
        assert factor(other, "coal", "gas", day) == ([1.33], [])

    def test_the_grid_by_data_year(self, tmp_path: Path) -> None:
        days = [date(year, 7, 1) for year in (2020, 2021, 2022, 2023, 2025)]
        values, findings = factor(packaged(tmp_path), "carbon", "electricity", *days)
        assert values == [0.6451, 0.6451, 0.5978, 0.5827, 0.5827]
        assert findings == ["proxy_factor", "provisional_factor"]

    def test_elsewhere_it_is_the_countrys(self, tmp_path: Path) -> None:
        day = date(2023, 6, 1)
        found = factor(packaged(tmp_path), "carbon", "electricity", day, division="110000")
        assert found == ([0.5306], [])

    def test_a_sites_row_goes_before_the_packaged_one_of_its_id(self, tmp_path: Path) -> None:
        row = FACTOR.format(
            id="carbon-electricity-jiangsu-2023",
            value=0.5,
            unit="kgCO2/kWh",
            first="2023-01-01",
            last="2023-12-31",
        )
        (tmp_path / "factors.toml").write_text(row, encoding="utf-8")
        rules = packaged(tmp_path)
        days = date(2022, 6, 1), date(2023, 6, 1)
        assert factor(rules, "carbon", "electricity", *days) == ([0.5978, 0.5], [])

    def test_rows_that_hold_on_the_same_days_are_refused_with_file_and_line(
        self, tmp_path: Path
    ) -> None:
        row = FACTOR.format(
            id="ours", value=0.5, unit="kgCO2/kWh", first="2023-12-31", last="2024-12-31"
        )
        (tmp_path / "factors.toml").write_text(row, encoding="utf-8")
        (found,) = problems(tmp_path)
        assert found.startswith("factors.toml:9: factors ours and carbon-electricity-jiangsu-2023")

    def test_a_wrong_unit_and_a_wrong_order_are_both_told(self, tmp_path: Path) -> None:
        row = FACTOR.format(
            id="ours", value=0.5, unit="tCO2/MWh", first="2026-01-01", last="2025-01-01"
        )
        (tmp_path / "factors.toml").write_text(row, encoding="utf-8")
        unit, order = problems(tmp_path)
        assert "factors.toml:8" in unit
        assert "kgCO2/kWh" in unit
        assert "factors.toml:10" in order

    def test_a_coal_equivalent_of_electricity_names_its_convention_and_no_other_factor_does(
        self, tmp_path: Path
    ) -> None:
        """Without one it would overlap with both, unseen, and its days would mix with theirs."""
        row = FACTOR.format(
            id="ours", value=0.3, unit="kgCO2/kWh", first="2026-01-01", last="2026-12-31"
        )
        coal = row.replace('"carbon"', '"coal"').replace("kgCO2", "kgce")
        (tmp_path / "factors.toml").write_text(coal, encoding="utf-8")
        assert "without a convention" in problems(tmp_path)[0]
        carbon = row.replace('"electricity"', '"electricity"\nconvention = "equivalent"')
        (tmp_path / "factors.toml").write_text(carbon, encoding="utf-8")
        assert "which only coal equivalents of electricity may have" in problems(tmp_path)[0]

    def test_water_has_no_factor(self, tmp_path: Path) -> None:
        row = FACTOR.format(id="w", value=1, unit="kgCO2/m3", first="2023-01-01", last="2023-01-02")
        text = row.replace('"electricity"', '"water"')
        (tmp_path / "factors.toml").write_text(text, encoding="utf-8")
        assert "water" in problems(tmp_path)[0]


class TestPlan:
    def test_the_published_glide_path(self, tmp_path: Path) -> None:
        """domain.md section 3: shares of 2020 by year, geometric."""
        plan, _ = packaged(tmp_path).plans
        years = range(2021, 2026)
        by_7 = [round(100 * glide_path_share(plan, 7, year), 2) for year in years]
        by_8 = [round(100 * glide_path_share(plan, 8, year), 2) for year in years]
        assert by_7 == [98.56, 97.14, 95.74, 94.36, 93.00]
        assert by_8 == [98.35, 96.72, 95.12, 93.55, 92.00]

    def test_the_glide_path_of_2026_to_2030(self, tmp_path: Path) -> None:
        """domain.md section 3: shares of 2025 by year, geometric."""
        _, plan = packaged(tmp_path).plans
        assert (plan.base, plan.from_, plan.to, plan.confidence) == (2025, 2026, 2030, "reported")
        shares = {
            decrease: [
                round(100 * glide_path_share(plan, decrease, y), 2) for y in range(2026, 2031)
            ]
            for decrease in (8.5, 5, 3)
        }
        assert shares == {
            8.5: [98.24, 96.51, 94.81, 93.14, 91.50],
            5: [98.98, 97.97, 96.97, 95.98, 95.00],
            3: [99.39, 98.79, 98.19, 97.59, 97.00],
        }

    def test_a_linear_path_on_request(self) -> None:
        plan = Plan(id="p", base=2020, from_=2021, to=2025, path="linear", source="the file")
        assert [round(glide_path_share(plan, 7, year), 4) for year in (2021, 2023, 2025)] == [
            0.986,
            0.958,
            0.93,
        ]

    def test_the_packaged_targets(self, tmp_path: Path) -> None:
        rules = packaged(tmp_path)
        assert {(t.indicator, t.operator, t.decrease_pct, t.class_) for t in rules.targets} == {
            ("energy_per_floor_area", ">", 7.0, "binding"),
            ("energy_per_capita", ">", 8.0, "binding"),
            ("water_per_capita", ">", 8.0, "binding"),
            ("carbon_per_floor_area", ">", 7.0, "binding"),
            ("carbon_per_floor_area", ">=", 8.5, "binding"),
            ("energy_per_floor_area", ">=", 5.0, "binding"),
            ("water_per_capita", ">=", 3.0, "binding"),
        }
        assert {(cap.indicator, cap.value, cap.scope, cap.class_) for cap in rules.caps} == {
            ("energy_total", 80_000.0, "division", "expected"),
            ("water_total", 13_000_000.0, "division", "expected"),
        }

    def test_a_site_replaces_a_plan_by_its_id(self, tmp_path: Path) -> None:
        (tmp_path / "plan.toml").write_text(
            '[[plan]]\nid = "2026-2030"\nbase = 2025\nfrom = 2026\nto = 2030\nsource = "next"\n',
            encoding="utf-8",
        )
        rules = packaged(tmp_path)
        found = {year: rules.plan_for(year) for year in (2020, 2021, 2025, 2026, 2031)}
        assert {year: plan.id if plan else None for year, plan in found.items()} == {
            2020: None,
            2021: "2021-2025",
            2025: "2021-2025",
            2026: "2026-2030",
            2031: "2026-2030",
        }
        assert [plan.source for plan in rules.plans][1] == "next"
        assert rules.base_year(parse("2027-03")) == calendar_year(2025)
        assert rules.base_year(parse("2020")) is None

    def test_what_refers_to_nothing_is_refused_with_its_line(self, tmp_path: Path) -> None:
        (tmp_path / "plan.toml").write_text(
            """
[[plan]]
id = "again"
base = 2023
from = 2024
to = 2025
source = "it overlaps"

[[cap]]
id = "ours"
plan = "2021-2026"
indicator = "energy_total"
scope = "site"
operator = "<="
value = 800000.0
unit = "kgce"
class = "expected"
clause = "letter of the bureau"
""",
            encoding="utf-8",
        )
        overlap, plan, unit = problems(tmp_path)
        assert overlap.startswith("plan.toml:5: plans again and 2021-2025")
        assert plan.startswith("plan.toml:11: plan = 2021-2026")
        assert unit.startswith("plan.toml:16: cap ours is in kgce")


PLAN = Plan(id="p", base=2020, from_=2021, to=2025, source="the file")


def target(operator: Operator = ">") -> Target:
    return Target(
        id="t", plan="p", indicator="i", operator=operator, decrease_pct=7, class_="binding",
        clause="c",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("operator", "base", "value", "status"),
    [
        (">", 100.0, 92.99, "met"),
        (">", 100.0, 93.0, "missed"),  # exactly 7 % is not more than 7 %
        (">=", 100.0, 93.0, "met"),
        (">", 0.3, 0.279, "missed"),  # 7 % exactly, whatever binary fractions say
        (">=", 0.3, 0.279, "met"),
        (">", 100.0, 93.01, "missed"),
        (">", 100.0, 120.0, "missed"),
    ],
)
def test_the_end_year_is_judged_by_the_operator_as_it_stands(
    operator: Operator, base: float, value: float, status: str
) -> None:
    change = 100 * (value / base - 1)
    assert decrease_status(PLAN, target(operator), 2025, change, is_final=True) == status


@pytest.mark.parametrize(
    ("year", "change", "status"),
    [
        (2021, -1.4409, "at_risk"),
        (2021, -1.4410, "on_track"),  # 1 - 0.93 ** 0.2 = 1.44093 %
        (2023, -4.261, "on_track"),
        (2023, -4.2, "at_risk"),
        (2025, -7.0, "on_track"),  # going on
        (2025, -6.9, "at_risk"),
    ],
)
def test_until_then_the_path_decides(year: int, change: float, status: str) -> None:
    assert decrease_status(PLAN, target(), year, change, is_final=False) == status


def test_a_cap_is_kept_up_to_its_value() -> None:
    cap = Cap(
        id="c", plan="p", indicator="i", scope="site", operator="<=", value=100, unit="tce",
        class_="expected", clause="c",
    )  # fmt: skip
    assert limit_status(cap.operator, 100.0, 100.0, is_final=True) == "met"
    assert limit_status(cap.operator, 100.1, 100.0, is_final=True) == "missed"
    assert limit_status(cap.operator, 40.0, 41.0, is_final=False) == "on_track"
    assert limit_status(cap.operator, 42.0, 41.0, is_final=False) == "at_risk"
