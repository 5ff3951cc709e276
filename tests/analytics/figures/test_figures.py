"""Each indicator and each verdict, against numbers computed by hand."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from analytics import periods
from analytics.figures.assessment import assess
from analytics.figures.figure import Figure
from analytics.figures.roll_up import scopes
from analytics.figures.rule_files import Rules
from analytics.figures.site_consumption import MeterConsumption, SiteConsumption
from analytics.periods import calendar_year
from analytics.settings import AnalyticsSettings
from analytics.site_analytics import load_rules
from jieneng.metering.quantities import Medium
from jieneng.metering.site import Site
from tests.analytics.sites import site

CENTRE = site("""
[[area]]
id = "block"
name = "block"
institutions = ["bureau"]
floor_area_m2 = [{from = 2019-01-01, value = 1000.0}]
headcount = [{from = 2019-01-01, value = 100}, {from = 2025-07-02, value = 120}]

[[area]]
id = "canteen"
name = "canteen"
institutions = ["office"]
floor_area_m2 = [{from = 2019-01-01, value = 200.0}]

[[meter]]
id = "e"
name = "e"
medium = "electricity"
area = "block"

[[meter]]
id = "g"
name = "g"
medium = "gas"
area = "block"

[[meter]]
id = "h"
name = "h"
medium = "heat"
area = "block"

[[meter]]
id = "w"
name = "w"
medium = "water"
area = "block"

[[meter]]
id = "e-canteen"
name = "e-canteen"
medium = "electricity"
area = "canteen"
parent = "e"
""")
#: Consumption a day, all year.
A_DAY: dict[str, float] = {"e": 200.0, "g": 10.0, "h": 0.1, "w": 5.0, "e-canteen": 40.0}
AFTER = date(2026, 3, 1)


def measured(
    period: periods.Period,
    a_day: Mapping[str, float] = A_DAY,
    coverage: Mapping[str, float] | None = None,
    of: Site = CENTRE,
) -> SiteConsumption:
    """The same every day; a meter that is not named is unknown."""
    covered = {**dict.fromkeys(a_day, 1.0), **(coverage or {})}
    media: dict[Medium, MeterConsumption] = {}
    for medium in sorted({meter.medium for meter in of.meter}):
        meters = tuple(meter.id for meter in of.meter if meter.medium == medium)
        amount = np.array([[a_day.get(one, np.nan)] * period.days for one in meters])
        share = np.array([[covered.get(one, 0.0)] * period.days for one in meters])
        nothing = np.zeros_like(share)
        media[medium] = MeterConsumption(
            meters, amount, share, nothing, share, nothing, nothing, nothing
        )
    return SiteConsumption(period.start, media)


def rules(path: Path, plan: str = "") -> Rules:
    (path / "plan.toml").write_text(plan, encoding="utf-8")
    return load_rules(path, AnalyticsSettings())


def figures(
    by: Rules,
    period: str = "2025",
    now: Mapping[str, float] = A_DAY,
    base: Mapping[str, float] = A_DAY,
    *,
    today: date = AFTER,
    coverage: Mapping[str, float] | None = None,
    base_coverage: Mapping[str, float] | None = None,
    history: Mapping[int, Mapping[str, float]] | None = None,
) -> dict[tuple[str, ...], Figure]:
    """By scope, indicator and, for carbon, series."""
    whole = periods.parse(period)
    year = by.base_year(whole)
    found = assess(
        CENTRE,
        by,
        scopes(CENTRE),
        whole,
        today,
        measured(whole.until(today), now, coverage),
        {} if year is None else {year.year: measured(year, base, base_coverage)},
        [measured(calendar_year(one), a_day) for one, a_day in (history or {}).items()],
    )
    return {
        (one.scope, one.indicator, *([one.factor_series] if one.factor_series else [])): one
        for one in found
    }


def less(factor: float) -> dict[str, float]:
    return {meter: amount * factor for meter, amount in A_DAY.items()}


class TestValues:
    """365 days of 2025, as of 2026."""

    @pytest.mark.parametrize(
        ("indicator", "value"),
        [
            (("electricity",), 200 * 365),
            (("gas",), 10 * 365),
            (("water",), 5 * 365),
            (("water_total",), 5 * 365),
            (("energy_total",), 365 * (200 * 0.1229 + 10 * 1.33 + 0.1 * 34.12) / 1000),
            (("carbon_total", "fixed"), 365 * (200 * 0.6451 + 10 * 2.184 + 0.1 * 110) / 1000),
            (("carbon_total", "current"), 365 * (200 * 0.5827 + 10 * 2.184 + 0.1 * 110) / 1000),
        ],
    )
    def test_totals(self, tmp_path: Path, indicator: tuple[str, ...], value: float) -> None:
        found = figures(rules(tmp_path))["centre", *indicator]
        assert found.value == pytest.approx(value, abs=1e-6)
        assert found.coverage == 1.0
        assert found.estimated == 0.0

    def test_intensities_divide_by_means_of_dated_values(self, tmp_path: Path) -> None:
        """The block's headcount: 100 on 182 days, 120 on 183; the canteen has no headcount."""
        found = figures(rules(tmp_path))
        energy = 365 * (200 * 0.1229 + 10 * 1.33 + 0.1 * 34.12)
        persons = (182 * 100 + 183 * 120) / 365
        assert found["centre", "energy_per_floor_area"].value == pytest.approx(energy / 1200)
        assert found["centre", "energy_per_capita"].value == pytest.approx(energy / persons)
        assert found["centre", "water_per_capita"].value == pytest.approx(5 * 365 / persons)
        carbon = 365 * (200 * 0.6451 + 10 * 2.184 + 0.1 * 110)
        fixed = found["centre", "carbon_per_floor_area", "fixed"]
        assert fixed.value == pytest.approx(carbon / 1200)

    def test_a_scope_is_what_crosses_its_boundary(self, tmp_path: Path) -> None:
        found = figures(rules(tmp_path))
        assert found["block", "electricity"].value == 160 * 365
        assert found["canteen", "electricity"].value == 40 * 365
        assert found["bureau", "electricity"].value == 160 * 365

    def test_a_canteen_without_headcount_has_no_value_per_capita(self, tmp_path: Path) -> None:
        found = figures(rules(tmp_path))["canteen", "energy_per_capita"]
        assert found.value is None
        assert found.status == "insufficient_data"
        assert "no_headcount" in [finding.code for finding in found.findings]

    def test_a_medium_that_nobody_measures_is_null_not_0(self, tmp_path: Path) -> None:
        found = figures(rules(tmp_path))["canteen", "gas"]
        assert found.value is None
        assert found.coverage is None
        assert [f.code for f in found.findings] == ["no_meter"], "said once, not of both periods"

    def test_labels(self, tmp_path: Path) -> None:
        found = figures(rules(tmp_path))
        assert found["centre", "energy_total"].convention == "equivalent"
        assert found["centre", "water_total"].convention is None
        fixed = found["centre", "carbon_total", "fixed"]
        assert [f.code for f in fixed.findings] == ["proxy_factor", "baseline_proxy_factor"]
        current = found["centre", "carbon_total", "current"]
        assert [f.code for f in current.findings] == [
            "provisional_factor",
            "baseline_proxy_factor",
        ]

    def test_the_grids_drift_alone_does_not_move_the_fixed_series(self, tmp_path: Path) -> None:
        """2020 had 366 days, 2025 has 365; nothing else changed but the factor."""
        found = figures(rules(tmp_path))
        fixed = found["centre", "carbon_per_floor_area", "fixed"]
        current = found["centre", "carbon_per_floor_area", "current"]
        assert fixed.change_pct == pytest.approx(100 * (365 / 366 - 1), abs=1e-6)
        assert current.change_pct is not None
        assert current.change_pct < -7
        assert (fixed.status, current.status) == ("missed", "no_target"), "one verdict"


class TestBaseline:
    def test_a_leap_base_year_has_366_days(self, tmp_path: Path) -> None:
        found = figures(rules(tmp_path))["centre", "electricity"]
        assert (found.baseline, found.baseline_period) == (200 * 366, "2020")
        assert found.change_pct == pytest.approx(-0.273224, abs=1e-6)

    def test_a_year_that_goes_on_is_compared_with_the_same_days(self, tmp_path: Path) -> None:
        found = figures(rules(tmp_path), today=date(2025, 3, 11))["centre", "electricity"]
        assert found.value == 200 * 69  # 1 January to 10 March
        assert found.baseline == 200 * 69  # without 29 February 2020
        assert "leap_day" in [finding.code for finding in found.findings]

    def test_a_month_is_compared_with_as_many_days_of_that_month(self, tmp_path: Path) -> None:
        """29 days in 2020 and 28 in 2025: nothing was saved, so the glide path is not kept."""
        found = figures(rules(tmp_path), "2025-02")
        electricity = found["centre", "electricity"]
        assert (electricity.value, electricity.baseline) == (200 * 28, 200 * 28)
        assert electricity.baseline_period == "2020-02"
        assert found["centre", "energy_per_floor_area"].status == "at_risk"

    def test_there_is_none_before_a_plan(self, tmp_path: Path) -> None:
        found = figures(rules(tmp_path), "2019")["centre", "energy_per_floor_area"]
        assert (found.baseline, found.baseline_period, found.status) == (None, None, "no_target")

    def test_after_the_plan_the_baseline_stays_but_there_is_no_target(self, tmp_path: Path) -> None:
        found = figures(rules(tmp_path), "2031", today=date(2032, 2, 1))
        figure = found["centre", "energy_per_floor_area"]
        assert figure.baseline_period == "2025"
        assert (figure.status, figure.target_pct, figure.path) == ("no_target", None, None)

    def test_a_year_that_goes_on_says_its_last_day(self, tmp_path: Path) -> None:
        running = figures(rules(tmp_path), today=date(2025, 3, 11))["centre", "electricity"]
        assert running.until == date(2025, 3, 10)
        over = figures(rules(tmp_path))["centre", "electricity"]
        not_begun = figures(rules(tmp_path), today=date(2024, 5, 1))["centre", "electricity"]
        assert (over.until, not_begun.until) == (None, None)

    def test_the_next_plan_compares_with_2025(self, tmp_path: Path) -> None:
        found = figures(rules(tmp_path), "2026", today=date(2026, 12, 1), now=less(0.98))
        figure = found["centre", "energy_per_floor_area"]
        assert (figure.baseline_period, figure.operator, figure.target_pct) == ("2025", ">=", 5.0)
        assert figure.status == "on_track", "1.021 % a year is enough"
        assert "reported_plan" in [finding.code for finding in figure.findings]

    def test_without_data_of_the_base_year_one_finding_names_it(self, tmp_path: Path) -> None:
        found = figures(rules(tmp_path), base={})["centre", "energy_per_floor_area"]
        assert (found.status, found.baseline) == ("insufficient_data", None)
        of_base = [f for f in found.findings if f.code == "no_baseline" or f.is_of_baseline]
        assert [(f.code, f.subject) for f in of_base] == [("no_baseline", "2020")]

    def test_a_period_that_has_not_begun_is_unknown(self, tmp_path: Path) -> None:
        found = figures(rules(tmp_path), today=date(2024, 5, 1))["centre", "energy_per_floor_area"]
        assert (found.value, found.coverage, found.status) == (None, None, "insufficient_data")
        assert "not_begun" in [finding.code for finding in found.findings]


class TestForecast:
    """30 June 2026 is over: 181 days, and 184 remain. Gas and heat stay, electricity changes."""

    TODAY = date(2026, 7, 1)

    def test_the_year_is_its_days_so_far_and_last_years_rest(self, tmp_path: Path) -> None:
        found = figures(rules(tmp_path), "2026", today=self.TODAY, history={2025: A_DAY})
        figure = found["centre", "electricity"]
        assert (figure.value, figure.forecast) == (200 * 181, 200 * 365)
        assert (figure.forecast_least, figure.forecast_greatest) == (None, None), (
            "one year: no band"
        )

    def test_with_two_years_before_it_has_a_band(self, tmp_path: Path) -> None:
        before = {2024: less(0.9), 2025: A_DAY}
        found = figures(rules(tmp_path), "2026", today=self.TODAY, history=before)
        figure = found["centre", "water"]
        error = np.log(1 / 0.9) * (1 - 0.3)  # of 2025: so far 1/0.9 more, of which 0.3 was expected
        assert figure.forecast == 5 * 365
        assert figure.forecast_greatest == pytest.approx(5 * 181 + 5 * 184 * np.exp(3.078 * error))

    def test_the_verdict_follows_the_forecast(self, tmp_path: Path) -> None:
        """A mild first half: 3 % less so far is on the path, but 2025's second half is not."""
        by = rules(tmp_path)
        alone = figures(by, "2026", now=less(0.97), today=self.TODAY)[
            "centre", "energy_per_floor_area"
        ]
        assert (alone.status, alone.forecast) == ("on_track", None)
        whole = figures(by, "2026", now=less(0.97), today=self.TODAY, history={2025: less(1.05)})
        figure = whole["centre", "energy_per_floor_area"]
        assert figure.change_pct == pytest.approx(-3)
        assert figure.status == "at_risk"

    def test_what_must_be_saved_is_in_kwh(self, tmp_path: Path) -> None:
        found = figures(rules(tmp_path), "2026", today=self.TODAY, history={2025: A_DAY})
        figure = found["centre", "energy_per_floor_area"]
        assert figure.forecast is not None
        assert figure.year_limit is not None
        assert figure.year_limit == pytest.approx(figure.forecast * 0.95 ** (1 / 5))
        # 1000 + 200 m2, 0.1229 kgce/kWh
        excess = (figure.forecast - figure.year_limit) * 1200 / 0.1229
        assert figure.to_save == pytest.approx(excess, rel=1e-5)
        assert figure.to_save_unit == "kWh"
        water = found["centre", "water_per_capita"]
        assert water.to_save_unit == "m3"

    def test_a_year_that_is_over_and_a_month_have_none(self, tmp_path: Path) -> None:
        over = figures(rules(tmp_path), "2025", history={2024: A_DAY})["centre", "electricity"]
        assert (over.forecast, over.year_limit, over.to_save) == (None, None, None)


class TestVerdict:
    @pytest.mark.parametrize(("factor", "status"), [(0.93, "met"), (0.94, "missed")])
    def test_of_the_complete_end_year(self, tmp_path: Path, factor: float, status: str) -> None:
        found = figures(rules(tmp_path), now=less(factor))["centre", "energy_per_floor_area"]
        assert found.status == status
        assert found.decrease_pct == pytest.approx(-(found.change_pct or 0))
        assert (found.target_pct, found.operator) == (7.0, ">")
        assert found.baseline is not None
        assert found.target == pytest.approx(found.baseline * 0.93, abs=1e-5)
        assert found.path == found.target

    @pytest.mark.parametrize(("factor", "status"), [(0.9574, "on_track"), (0.961, "at_risk")])
    def test_of_a_year_on_the_way(self, tmp_path: Path, factor: float, status: str) -> None:
        """In 2023 the path is at 95.74 %, of 366 days; 2023 has 365."""
        found = figures(rules(tmp_path), "2023", now=less(factor))
        one = found["centre", "energy_per_floor_area"]
        assert one.status == status
        assert one.baseline is not None
        assert one.path == pytest.approx(one.baseline * 0.93**0.6, abs=1e-5)

    @pytest.mark.parametrize(("factor", "status"), [(0.92, "on_track"), (0.95, "at_risk")])
    def test_of_the_end_year_while_it_goes_on(
        self, tmp_path: Path, factor: float, status: str
    ) -> None:
        found = figures(rules(tmp_path), now=less(factor), today=date(2025, 3, 1))
        assert found["centre", "energy_per_floor_area"].status == status

    def test_of_a_month_of_the_end_year_is_never_met(self, tmp_path: Path) -> None:
        found = figures(rules(tmp_path), "2025-12", now=less(0.5))
        assert found["centre", "energy_per_floor_area"].status == "on_track"

    @pytest.mark.parametrize(("share", "status"), [(0.95, "met"), (0.9499, "insufficient_data")])
    def test_needs_coverage(self, tmp_path: Path, share: float, status: str) -> None:
        found = figures(rules(tmp_path), now=less(0.9), coverage={"w": share})
        one = found["block", "water_per_capita"]
        assert one.status == status
        assert one.coverage == share
        assert one.estimated == 0.0
        gaps = [finding.subject for finding in one.findings if finding.code == "gap"]
        assert gaps == ["w"]

    def test_needs_coverage_of_the_baseline_too(self, tmp_path: Path) -> None:
        found = figures(rules(tmp_path), now=less(0.9), base_coverage={"w": 0.9})
        one = found["block", "water_per_capita"]
        assert one.status == "insufficient_data"
        assert one.coverage == 1.0
        assert "baseline_gap" in [finding.code for finding in one.findings]

    def test_needs_every_carrier(self, tmp_path: Path) -> None:
        """Without its gas the total is lower, and would be met."""
        silent = {meter: amount for meter, amount in less(0.95).items() if meter != "g"}
        found = figures(rules(tmp_path), now=silent)
        total = found["centre", "energy_per_floor_area"]
        assert total.value is not None
        assert (total.status, total.coverage) == ("insufficient_data", 0.0)
        assert "no_readings" in [finding.code for finding in total.findings]
        assert found["centre", "gas"].value is None

    def test_counts_complete_days_only(self, tmp_path: Path) -> None:
        found = figures(rules(tmp_path), today=date(2025, 1, 2))["centre", "electricity"]
        assert found.value == 200.0


OUR_CAP = """
[[cap]]
id = "ours"
plan = "2021-2025"
indicator = "energy_total"
scope = "{scope}"
operator = "<="
value = {value}
unit = "tce"
class = "expected"
clause = "letter of the bureau"
"""


class TestCaps:
    energy = 365 * (200 * 0.1229 + 10 * 1.33 + 0.1 * 34.12) / 1000  # 15.07 tce

    def test_the_citys_cap_says_nothing_of_a_site(self, tmp_path: Path) -> None:
        found = figures(rules(tmp_path))["centre", "energy_total"]
        assert (found.status, found.target, found.operator) == ("no_target", None, None)

    @pytest.mark.parametrize(("value", "status"), [(15.1, "met"), (15.0, "missed")])
    def test_a_sites_own_cap(self, tmp_path: Path, value: float, status: str) -> None:
        by = rules(tmp_path, OUR_CAP.format(scope="site", value=value))
        found = figures(by)["centre", "energy_total"]
        assert (found.status, found.target, found.path) == (status, value, value)
        assert (found.operator, found.target_pct) == ("<=", None)
        assert figures(by)["block", "energy_total"].status == "no_target"

    def test_an_areas_own_cap(self, tmp_path: Path) -> None:
        found = figures(rules(tmp_path, OUR_CAP.format(scope="canteen", value=1.7)))
        assert found["canteen", "energy_total"].status == "missed"  # 40 * 365 * 0.1229 = 1.794 tce
        assert found["centre", "energy_total"].status == "no_target"

    @pytest.mark.parametrize(("value", "status"), [(15.3, "on_track"), (15.2, "at_risk")])
    def test_a_year_that_goes_on_may_use_what_these_days_used_of_the_base_year(
        self, tmp_path: Path, value: float, status: str
    ) -> None:
        """69 days without 29 February of 366 days then, 69 days now: 2.878 tce."""
        by = rules(tmp_path, OUR_CAP.format(scope="site", value=value))
        found = figures(by, today=date(2025, 3, 11))["centre", "energy_total"]
        assert found.path == pytest.approx(value * 69 / 366, abs=1e-6)
        now = less(1.01)
        assert figures(by, now=now, today=date(2025, 3, 11))["centre", "energy_total"].status == (
            status
        )

    def test_without_a_known_base_year_it_is_the_share_of_days(self, tmp_path: Path) -> None:
        by = rules(tmp_path, OUR_CAP.format(scope="site", value=15.0))
        found = figures(by, today=date(2025, 3, 11), base_coverage={"g": 0.5})
        assert found["centre", "energy_total"].path == pytest.approx(15 * 69 / 365, abs=1e-6)


def test_the_same_input_gives_the_same_digits(tmp_path: Path) -> None:
    by = rules(tmp_path)
    assert figures(by) == figures(by)


def test_a_deduction_that_is_more_than_the_whole_is_told(tmp_path: Path) -> None:
    more = {**A_DAY, "e-canteen": 500.0}
    found = figures(rules(tmp_path), now=more)["block", "electricity"]
    assert found.value == -300 * 365
    assert "negative_balance" in [finding.code for finding in found.findings]


def test_an_area_of_two_institutions_is_told(tmp_path: Path) -> None:
    shared = site("""
[[area]]
id = "block"
name = "block"
institutions = ["bureau", "office"]

[[meter]]
id = "e"
name = "e"
medium = "electricity"
area = "block"
""")
    whole = calendar_year(2025)
    now = measured(whole, {"e": 1.0}, of=shared)
    found = assess(shared, rules(tmp_path), scopes(shared), whole, AFTER, now, {})
    told = {one.scope for one in found if "shared_area" in [f.code for f in one.findings]}
    assert told == {"bureau", "office"}
