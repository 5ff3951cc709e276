"""Findings about meters are in the figure with their weight, and may make its verdict doubtful."""

import math
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from analytics.counters.register_finding import RegisterFinding
from analytics.figures.assessment import assess
from analytics.figures.figure import Figure
from analytics.figures.roll_up import scopes
from analytics.figures.site_consumption import MeterConsumption, SiteConsumption
from analytics.periods import calendar_year, midnight_ms
from analytics.settings import AnalyticsSettings
from analytics.site_analytics import load_rules
from jieneng.metering.findings import Confirmation, Finding
from jieneng.metering.site import Site
from tests.analytics.sites import site

DAY_MS = 86_400_000
NOW, BASE = calendar_year(2025), calendar_year(2020)
AFTER = date(2026, 3, 1)
TEXT = """
[[area]]
id = "block"
name = "block"
institutions = ["bureau"]
floor_area_m2 = [{from = 2019-01-01, value = 1000.0}]
headcount = [{from = 2019-01-01, value = 100}]

[[area]]
id = "kitchen"
name = "kitchen"
kind = "canteen"
parent = "block"

[[meter]]
id = "e"
name = "e"
medium = "electricity"
area = "block"

[[meter]]
id = "e-kitchen"
name = "e-kitchen"
medium = "electricity"
area = "kitchen"
parent = "e"

[[meter]]
id = "w"
name = "w"
medium = "water"
area = "block"
"""
CENTRE = site(TEXT)


def at(day: date, of: Site = CENTRE) -> int:
    return midnight_ms(day, of.zone)


def found(
    doubt: float,
    meter: str = "e",
    day: date = date(2025, 5, 1),
    days: float = 1.0,
    code: str = "counter_reset",
) -> RegisterFinding:
    start = at(day)
    finding = Finding.of(code, meter, before=7.0)
    return RegisterFinding(finding, start, start + round(days * DAY_MS), doubt)


def measured(
    period_year: int, factor: float, findings: Sequence[RegisterFinding], estimated: float
) -> SiteConsumption:
    """100 kWh (kitchen: 40) and 5 m3 a day, times a factor."""
    year = calendar_year(period_year)

    def steady(*amounts: float) -> MeterConsumption:
        amount = np.array([[factor * one] * year.days for one in amounts])
        names = ("e", "e-kitchen") if len(amounts) == 2 else ("w",)
        all_of_it, nowhere = np.ones_like(amount), np.full_like(amount, np.nan)
        spread = amount * estimated
        nothing = np.zeros_like(amount)
        return MeterConsumption(
            names, amount, all_of_it, spread, all_of_it, nowhere, nowhere, nothing
        )

    media = {"electricity": steady(100.0, 40.0), "water": steady(5.0)}
    return SiteConsumption(year.start, media, findings=tuple(findings))  # type: ignore[arg-type]  # Medium


def figure(
    path: Path,
    factor: float,
    *findings: RegisterFinding,
    base: Sequence[RegisterFinding] = (),
    estimated: float = 0.0,
    of: Site = CENTRE,
    scope: str = "centre",
    indicator: str = "energy_per_floor_area",
    today: date = AFTER,
    plan: str = "",
) -> Figure:
    (path / "plan.toml").write_text(plan, encoding="utf-8")
    rules = load_rules(path, AnalyticsSettings())
    now = measured(2025, factor, findings, estimated)
    then = measured(2020, 1.0, base, 0.0)
    figures = assess(of, rules, scopes(of), NOW, today, now, {2020: then})
    return next(
        one
        for one in figures
        if (one.scope, one.indicator, one.factor_series or "fixed") == (scope, indicator, "fixed")
    )


YEAR_KWH = 100.0 * 365


class TestAVerdictIsDoubtful:
    """A decrease of 9.25 % (days of a leap year included) where 7 % are needed: 900 kWh between."""

    @pytest.mark.parametrize(("doubt", "status"), [(800.0, "met"), (1000.0, "doubtful")])
    def test_where_what_was_found_could_turn_it(
        self, tmp_path: Path, doubt: float, status: str
    ) -> None:
        one = figure(tmp_path, 0.91, found(doubt))
        assert one.status == status
        (finding,) = one.findings
        assert (finding.code, finding.subject) == ("counter_reset", "e")
        assert finding.weight == pytest.approx(doubt / (0.91 * YEAR_KWH), abs=1e-6)

    @pytest.mark.parametrize(("factor", "status"), [(0.92, "doubtful"), (0.96, "missed")])
    def test_in_both_directions(self, tmp_path: Path, factor: float, status: str) -> None:
        assert figure(tmp_path, factor, found(800.0)).status == status
        assert figure(tmp_path, 0.96, found(1600.0)).status == "doubtful"

    def test_where_nothing_bounds_it(self, tmp_path: Path) -> None:
        one = figure(tmp_path, 0.2, found(math.nan))
        assert one.status == "doubtful"
        weights = {finding.code: finding.weight for finding in one.findings}
        assert weights.pop("far_below_base") is None
        assert list(weights.values()) == [None]

    @pytest.mark.parametrize(("doubt", "status"), [(800.0, "met"), (1100.0, "doubtful")])
    def test_by_the_base_year_too(self, tmp_path: Path, doubt: float, status: str) -> None:
        one = figure(tmp_path, 0.91, base=[found(doubt, day=date(2020, 5, 1))])
        assert one.status == status
        assert [finding.code for finding in one.findings] == ["baseline_counter_reset"]

    def test_by_both_together(self, tmp_path: Path) -> None:
        base = [found(500.0, day=date(2020, 5, 1))]
        assert figure(tmp_path, 0.91, found(600.0), base=base).status == "doubtful"

    @pytest.mark.parametrize(("estimated", "status"), [(0.04, "met"), (0.06, "doubtful")])
    def test_by_half_of_what_was_estimated(
        self, tmp_path: Path, estimated: float, status: str
    ) -> None:
        assert figure(tmp_path, 0.91, estimated=estimated).status == status

    def test_of_a_year_that_goes_on(self, tmp_path: Path) -> None:
        early = found(400.0, day=date(2025, 1, 15))
        for findings, status in (((), "on_track"), ((early,), "doubtful")):
            one = figure(tmp_path, 0.91, *findings, today=date(2025, 3, 1))
            assert one.status == status

    @pytest.mark.parametrize(
        ("today", "doubt", "status"),
        [
            (AFTER, 0.0, "met"),
            (AFTER, 600.0, "met"),
            (AFTER, 2000.0, "doubtful"),
            (date(2025, 7, 1), 1000.0, "doubtful"),
        ],
    )
    def test_of_a_cap(self, tmp_path: Path, today: date, doubt: float, status: str) -> None:
        """4.082 tce of a cap of 4.2 tce: 960 kWh between."""
        cap = (
            '[[cap]]\nid = "ours"\nplan = "2021-2025"\nindicator = "energy_total"\nscope = "site"\n'
            'operator = "<="\nvalue = 4.2\nunit = "tce"\nclass = "expected"\nclause = "a letter"\n'
        )
        early = found(doubt, day=date(2025, 2, 1))
        one = figure(tmp_path, 0.91, early, plan=cap, indicator="energy_total", today=today)
        assert one.status == status


class TestWhatWasFoundConcerns:
    def test_the_scopes_in_which_the_meter_counts(self, tmp_path: Path) -> None:
        """The block's own consumption is that of `e` less that of the kitchen."""
        kitchen = found(100.0, "e-kitchen")
        assert figure(tmp_path, 1.0, kitchen, scope="centre").findings == ()
        for indicator in ("electricity", "energy_per_floor_area"):
            one = figure(tmp_path, 1.0, found(100.0), scope="bureau", indicator=indicator)
            assert [finding.weight for finding in one.findings] == [
                pytest.approx(100 / YEAR_KWH, abs=1e-6)
            ]
        assert figure(tmp_path, 1.0, kitchen, scope="kitchen", indicator="electricity").findings

    def test_the_medium_of_the_meter(self, tmp_path: Path) -> None:
        assert figure(tmp_path, 1.0, found(9.0), indicator="water_per_capita").findings == ()
        (one,) = figure(tmp_path, 1.0, found(9.0, "w"), indicator="water_per_capita").findings
        assert one.weight == pytest.approx(9 / (5 * 365), abs=1e-6)

    def test_the_part_that_lies_in_the_period(self, tmp_path: Path) -> None:
        """Ten days, of which two are of the year."""
        over = found(1000.0, day=date(2024, 12, 24), days=10)
        (one,) = figure(tmp_path, 1.0, over).findings
        assert one.weight == pytest.approx(200 / YEAR_KWH, abs=1e-6)
        outside = found(1000.0, day=date(2024, 12, 24), days=8)
        assert figure(tmp_path, 1.0, outside).findings == ()

    def test_the_consumption_of_its_time_where_nothing_is_in_doubt(self, tmp_path: Path) -> None:
        (one,) = figure(tmp_path, 0.91, found(0.0, days=36.5, code="set_aside")).findings
        assert one.weight == pytest.approx(0.1, abs=1e-6)
        assert figure(tmp_path, 0.91, found(0.0, days=36.5)).status == "met"

    def test_one_place_of_the_list_however_often_it_was_found(self, tmp_path: Path) -> None:
        daily = [found(2.0, day=date(2025, month, 3)) for month in range(1, 13)]
        (one,) = figure(tmp_path, 0.91, *daily).findings
        values = dict(one.values)
        assert (values["count"], values["doubt"], values["unit"]) == (12, 24.0, "kWh")
        assert values["first_ms"] == at(date(2025, 1, 3))
        assert values["until_ms"] == at(date(2025, 12, 4))
        assert one.weight == pytest.approx(24 / (0.91 * YEAR_KWH), abs=1e-6)


CONFIRMED = """
[[confirmed]]
meter = "e"
finding = "counter_reset"
at = {at}
by = "Zhang San"
reason = "nothing flowed"
"""


class TestAPersonConfirms:
    @pytest.mark.parametrize(
        ("days", "status"),
        [
            ("2025-05-01", "met"),
            ("2025-05-02", "met"),
            ("2025-05-03", "doubtful"),
            ("2025-04-01\nuntil = 2025-05-31", "met"),
        ],
    )
    def test_by_its_day(self, tmp_path: Path, days: str, status: str) -> None:
        confirming = site(TEXT + CONFIRMED.format(at=days))
        one = figure(tmp_path, 0.91, found(5000.0), of=confirming)
        assert one.status == status
        (finding,) = one.findings
        is_confirmed = status == "met"
        said = Confirmation("Zhang San", "nothing flowed") if is_confirmed else None
        assert finding.confirmed == said
        assert finding.severity == ("info" if is_confirmed else "warning")

    def test_by_a_day_between(self, tmp_path: Path) -> None:
        """The reading at the end of the month before may be written with its last day."""
        month = found(5000.0, day=date(2025, 11, 1), days=30)
        for day, status in (("2025-11-30", "met"), ("2025-12-02", "doubtful")):
            confirming = site(TEXT + CONFIRMED.format(at=day))
            assert figure(tmp_path, 0.91, month, of=confirming).status == status

    def test_the_one_that_begins_and_not_the_one_that_ends_on_a_day(self, tmp_path: Path) -> None:
        months = [found(5000.0, day=date(2025, month, 1), days=30) for month in (11, 12)]
        one = figure(tmp_path, 0.91, *months, of=site(TEXT + CONFIRMED.format(at="2025-12-01")))
        assert one.status == "doubtful"
        assert [f.confirmed is None for f in one.findings] == [True, False]

    def test_and_the_others_stay_in_doubt(self, tmp_path: Path) -> None:
        confirming = site(TEXT + CONFIRMED.format(at="2025-05-01"))
        both = [found(5000.0), found(5000.0, day=date(2025, 9, 1))]
        one = figure(tmp_path, 0.91, *both, of=confirming)
        assert one.status == "doubtful"
        assert [finding.confirmed is None for finding in one.findings] == [False, True]


class TestNotApplicable:
    def test_is_an_indicator_per_person_of_a_canteen_without_persons(self, tmp_path: Path) -> None:
        one = figure(tmp_path, 1.0, scope="kitchen", indicator="energy_per_capita")
        assert (one.status, one.value, one.coverage) == ("not_applicable", None, 1.0)
        assert one.findings == ()
        assert figure(tmp_path, 1.0, scope="kitchen", indicator="electricity").status == "no_target"

    def test_is_not_what_an_office_forgot_to_state(self, tmp_path: Path) -> None:
        forgot = site(TEXT.replace("headcount = [{from = 2019-01-01, value = 100}]", ""))
        for scope in ("block", "centre", "bureau"):
            one = figure(tmp_path, 1.0, of=forgot, scope=scope, indicator="energy_per_capita")
            assert one.status == "insufficient_data"
            assert "no_headcount" in [finding.code for finding in one.findings]

    def test_is_no_scope_that_states_it_in_a_part(self, tmp_path: Path) -> None:
        cooks = 'kind = "canteen"\nheadcount = [{from = 2025-03-01, value = 4}]'
        stated = site(TEXT.replace('kind = "canteen"', cooks))
        one = figure(tmp_path, 1.0, of=stated, scope="kitchen", indicator="energy_per_capita")
        assert one.status == "insufficient_data"  # none stated for the base year
        assert one.value is not None
