"""Use of annual quotas and caps, by month and to the year's end, against numbers by hand."""

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics import periods
from analytics.figures.indicator_results import PeriodInputs, period_inputs
from analytics.figures.quota_rows.annual_quota import AnnualQuota
from analytics.figures.quotas import quota_amounts
from analytics.figures.quotas.annual_quota_results import (
    AnnualQuotaResult,
    annual_quota_results,
    reference_years,
)
from analytics.figures.roll_up import scopes
from analytics.figures.rule_files import Rules
from analytics.figures.site_consumption import SiteConsumption
from analytics.periods import calendar_year
from analytics.site_analytics import load_rules
from jieneng.metering.errors import ConfigError
from tests.analytics.figures.test_figures import CENTRE, measured

#: The block uses 160 kWh a day, 58,400 kWh in 2025: its meter's 200 less the canteen's 40.
QUOTA = """
[[annual_quota]]
id = "block-electricity"
scope = "block"
indicator = "electricity"
value = 60_000.0
unit = "kWh"
by_month = "equal"
from = 2021
source = "an example"
"""
CAP = """
[[cap]]
id = "centre-water"
plan = "2021-2025"
indicator = "water_total"
scope = "site"
operator = "<="
value = 2000.0
unit = "m3"
class = "expected"
clause = "row 1"
"""


def rules(path: Path, quotas: str = QUOTA, plan: str = "") -> Rules:
    (path / "quotas.toml").write_text(quotas, encoding="utf-8")
    (path / "plan.toml").write_text(plan, encoding="utf-8")
    return load_rules(path, site=CENTRE)


def results(
    by: Rules,
    year: str = "2025",
    *,
    today: date = date(2026, 3, 1),
    coverage: Mapping[str, float] | None = None,
    earlier: Mapping[int, SiteConsumption] | None = None,
    history: Sequence[SiteConsumption] = (),
) -> dict[str, AnnualQuotaResult]:
    whole = periods.parse(year)
    found = annual_quota_results(
        CENTRE,
        by,
        scopes(CENTRE),
        whole,
        today,
        measured(whole.until(today), coverage=coverage),
        earlier or {},
        history,
    )
    return {one.quota.id: one for one in found}


def days_of(found: AnnualQuotaResult) -> list[tuple[int, date | None, bool]]:
    return [(step.share_pct, step.day, step.is_forecast) for step in found.steps]


class TestYearThatIsOver:
    def test_the_used_share_and_its_days(self, tmp_path: Path) -> None:
        """48,000 kWh are used on the 300th day; 54,000 kWh are those of 337.5 days."""
        found = results(rules(tmp_path))["block-electricity"]
        assert (found.amount, found.used, found.unit) == (60_000, 58_400, "kWh")
        assert found.used_pct == found.least_used_pct == pytest.approx(97.333333)
        assert days_of(found) == [
            (80, date(2025, 10, 27), False),
            (90, date(2025, 12, 4), False),
            (100, None, False),
        ]
        assert (found.status, found.short_days, found.remains) == ("met", 0, 1600)
        assert (found.remains_per_day, found.until, found.forecast) == (None, None, None)

    def test_a_quota_that_was_not_enough(self, tmp_path: Path) -> None:
        """50,000 kWh last for 312.5 days; 52 days are left then."""
        text = QUOTA.replace("60_000.0", "50_000.0")
        found = results(rules(tmp_path, text))["block-electricity"]
        assert days_of(found)[2] == (100, date(2025, 11, 9), False)
        assert (found.status, found.short_days, found.remains) == ("missed", 52, -8400)

    def test_missing_readings_use_nothing_and_allow_no_verdict(self, tmp_path: Path) -> None:
        found = results(rules(tmp_path), coverage={"e": 0.9})["block-electricity"]
        assert found.status == "insufficient_data"
        assert found.used_pct == pytest.approx(97.333333)

    def test_a_share_that_missing_readings_may_have_used_is_unknown(self, tmp_path: Path) -> None:
        """A tenth of the time is missing. The known 58,400 kWh are 97 % of the quota."""
        found = results(rules(tmp_path), coverage={"e": 0.9})["block-electricity"]
        assert [(step.share_pct, step.is_known) for step in found.steps] == [
            (80, True),
            (90, True),
            (100, False),
        ]
        assert found.short_days is None

    def test_a_gap_that_could_exceed_the_quota_makes_it_doubtful(self, tmp_path: Path) -> None:
        text = QUOTA.replace("60_000.0", "58_500.0")
        assert results(rules(tmp_path, text))["block-electricity"].status == "met"
        found = results(rules(tmp_path, text), coverage={"e": 0.96})["block-electricity"]
        assert found.status == "doubtful"


class TestAmount:
    @pytest.mark.parametrize(
        ("indicator", "value", "unit", "per", "amount"),
        [
            ("electricity", 70.0, "kWh/m2", "floor_area_m2", 70_000),
            ("energy_total", 20.0, "kgce/m2", "floor_area_m2", 20),
            # 100 persons on 182 days, 120 on 183.
            ("water", 25.0, "m3/person", "headcount", 25 * (182 * 100 + 183 * 120) / 365),
        ],
    )
    def test_an_intensity_is_multiplied_by_the_mean_of_the_year(
        self, tmp_path: Path, indicator: str, value: float, unit: str, per: str, amount: float
    ) -> None:
        text = QUOTA.replace('"electricity"', f'"{indicator}"').replace("60_000.0", f"{value}")
        text = text.replace('"kWh"', f'"{unit}"\nper = "{per}"')
        found = results(rules(tmp_path, text))["block-electricity"]
        assert found.amount == pytest.approx(amount)

    def test_the_quotas_own_coal_equivalents_count(self, tmp_path: Path) -> None:
        text = QUOTA.replace('"electricity"', '"energy_total"').replace('"kWh"', '"tce"')
        own = "coal = {electricity = 0.31, gas = 1.2143, heat = 1e-9}\nfrom"
        found = results(rules(tmp_path, text.replace("from", own)))["block-electricity"]
        assert found.used == pytest.approx(365 * (160 * 0.31 + 10 * 1.2143) / 1000, abs=1e-6)

    def test_a_cap_of_the_site_is_an_annual_quota_and_one_of_the_city_is_not(
        self, tmp_path: Path
    ) -> None:
        city = CAP.replace("centre-water", "city-water").replace('"site"', '"division"')
        found = results(rules(tmp_path, "", CAP + city))
        assert list(found) == ["centre-water"]
        assert found["centre-water"].quota.scope == "centre"
        assert found["centre-water"].used_pct == pytest.approx(100 * 5 * 365 / 2000)

    def test_a_quota_of_other_years_is_not_applied(self, tmp_path: Path) -> None:
        assert results(rules(tmp_path, QUOTA.replace("2021", "2026"))) == {}
        assert results(rules(tmp_path, QUOTA.replace("2021", "2021\nto = 2024"))) == {}


def with_double_january(year: int) -> SiteConsumption:
    """Return the consumption of a year in which January used twice as much a day."""
    whole = measured(calendar_year(year))
    media = {}
    for medium, metered in whole.media.items():
        amount = metered.amount.copy()
        amount[:, :31] *= 2
        media[medium] = msgspec.structs.replace(metered, amount=amount)
    return msgspec.structs.replace(whole, media=media)


class TestMonths:
    @pytest.mark.parametrize(("by_month", "reference"), [("base_year", 2020), ("last_year", 2024)])
    def test_the_months_of_a_reference_year_divide_the_quota(
        self, tmp_path: Path, by_month: str, reference: int
    ) -> None:
        """A leap year of 366 days, of which the 31 of January count twice: 397."""
        by = rules(tmp_path, QUOTA.replace('"equal"', f'"{by_month}"'))
        assert reference_years(by, CENTRE, periods.parse("2025")) == {reference}
        earlier = {reference: with_double_january(reference)}
        found = results(by, earlier=earlier)["block-electricity"]
        amounts = [month.amount for month in found.months[:3]]
        assert amounts == pytest.approx([60_000 * days / 397 for days in (62, 29, 31)])
        assert [month.used for month in found.months[:2]] == [160 * 31, 160 * 28]
        assert found.months[1].used_pct == pytest.approx(100 * 160 * 28 / (60_000 * 29 / 397))

    def test_stated_shares_divide_the_quota(self, tmp_path: Path) -> None:
        stated = '"stated"\nshares = [10, 10, 8, 6, 6, 10, 12, 12, 6, 5, 6, 9]'
        found = results(rules(tmp_path, QUOTA.replace('"equal"', stated)))["block-electricity"]
        assert [month.amount for month in found.months[6:9]] == [7200, 7200, 3600]

    @pytest.mark.parametrize(
        "earlier", [{}, {2020: measured(calendar_year(2020), coverage={"e": 0.9})}]
    )
    def test_without_the_months_of_the_base_year_all_months_have_the_same_part(
        self, tmp_path: Path, earlier: Mapping[int, SiteConsumption]
    ) -> None:
        by = rules(tmp_path, QUOTA.replace('"equal"', '"base_year"'))
        found = results(by, earlier=earlier)["block-electricity"]
        assert {month.amount for month in found.months} == {5000}
        assert [(one.code, one.subject) for one in found.findings] == [("equal_months", "2020")]

    @settings(max_examples=10, deadline=None)
    @given(value=st.floats(1e3, 1e6), day=st.dates(date(2025, 1, 2), date(2025, 12, 31)))
    def test_the_months_add_up_to_the_quota_and_to_what_remains(
        self, value: float, day: date
    ) -> None:
        quota = AnnualQuota(
            id="q",
            scope="block",
            indicator="electricity",
            value=value,
            unit="kWh",
            by_month="last_year",
            from_=2021,
            source="an example",
        )
        by = msgspec.structs.replace(load_rules(Path("no-such-folder")), annual_quotas=(quota,))
        found = results(by, today=day, earlier={2024: with_double_january(2024)})["q"]
        assert sum(month.amount or 0 for month in found.months) == pytest.approx(value)
        assert sum(month.allowed or 0 for month in found.months) == pytest.approx(found.allowed)
        assert sum(month.used or 0 for month in found.months) == pytest.approx(found.used)
        left = sum(month.remains or 0 for month in found.months)
        assert left == pytest.approx(max(found.remains or 0, 0), abs=1e-4)


def test_periods_are_computed_once_for_all_quotas(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A period looks at all meters of the site, which must not be repeated for each quota."""
    computed: list[str] = []

    def counting(by: Rules, of: object, part: periods.Period, *more: Any) -> PeriodInputs:
        computed.append(part.id)
        return period_inputs(by, of, part, *more)  # type: ignore[arg-type]  # passed on

    monkeypatch.setattr(quota_amounts, "period_inputs", counting)
    another = QUOTA.replace("block-electricity", "centre-water").replace('"block"', '"canteen"')
    assert len(results(rules(tmp_path, QUOTA + another))) >= 2
    assert sorted(computed) == sorted(set(computed))


class TestYearThatGoesOn:
    """10 July 2026 is over: 191 days with 30,560 kWh, 174 days remain."""

    TODAY = date(2026, 7, 11)

    def running(self, path: Path, value: str = "60_000.0") -> AnnualQuotaResult:
        by = rules(path, QUOTA.replace("60_000.0", value).replace('"equal"', '"last_year"'))
        last = measured(calendar_year(2025))
        found = results(by, "2026", today=self.TODAY, earlier={2025: last}, history=[last])
        return found["block-electricity"]

    def test_what_remains_by_year_month_and_day(self, tmp_path: Path) -> None:
        found = self.running(tmp_path)
        assert (found.until, found.used, found.remains) == (date(2026, 7, 10), 30_560, 29_440)
        assert found.allowed == pytest.approx(60_000 * 191 / 365)
        assert found.remains_per_day == pytest.approx(29_440 / 174)
        july, august = found.months[6:8]
        assert july.allowed == pytest.approx(60_000 * 10 / 365)
        assert july.used == 1600
        assert (july.remains, august.remains) == pytest.approx(
            (29_440 * 21 / 174, 29_440 * 31 / 174)
        )
        assert august.remains_per_day == pytest.approx(29_440 / 174)
        assert found.months[5].remains is None, "June is over"

    def test_the_forecast_says_when_shares_will_be_used(self, tmp_path: Path) -> None:
        """The rest of the year is expected as last year's: 160 kWh a day."""
        found = self.running(tmp_path, "50_000.0")
        assert found.forecast == 58_400
        assert found.forecast_pct == pytest.approx(116.8)
        assert days_of(found) == [
            (80, date(2026, 9, 7), True),  # 40,000 kWh are 250 days
            (90, date(2026, 10, 9), True),  # 45,000 kWh are 281.25 days
            (100, date(2026, 11, 9), True),
        ]
        assert (found.status, found.short_days) == ("at_risk", 52)
        assert self.running(tmp_path).status == "on_track"

    def test_without_last_year_the_days_so_far_decide_and_no_day_is_expected(
        self, tmp_path: Path
    ) -> None:
        """191 days may use 60,000 / 12 * (6 + 10/31) = 31,613 kWh, and used 30,560 kWh."""
        found = results(rules(tmp_path), "2026", today=self.TODAY)["block-electricity"]
        assert (found.status, found.forecast, found.short_days) == ("on_track", None, None)
        assert days_of(found)[0] == (80, None, False)
        tight = rules(tmp_path, QUOTA.replace("60_000.0", "58_000.0"))
        assert results(tight, "2026", today=self.TODAY)["block-electricity"].status == "at_risk"

    def test_a_year_that_has_not_begun_is_unknown_and_already_divided(self, tmp_path: Path) -> None:
        found = results(rules(tmp_path), "2027")["block-electricity"]
        assert (found.used, found.used_pct, found.status) == (None, None, "insufficient_data")
        assert found.months[0].amount == 5000


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ('"kWh"', '"tce"', "quotas.toml:7: annual quota block-electricity is in tce"),
        ('"electricity"', '"energy_per_capita"', "quotas.toml:5: annual quota block-electricity"),
        ('"block"', '"attic"', "quotas.toml:4: block-electricity: attic is no area"),
        ('"equal"', '"stated"', "quotas.toml:8: annual quota block-electricity: its shares"),
        ('"equal"', '"stated"\nshares = [50.0, 50.0]', "quotas.toml:9: annual quota"),
        ('"equal"', '"equal"\nshares = [100.0]', "quotas.toml:9: annual quota"),
        ('unit = "kWh"', 'unit = "kWh"\noperator = ">"', "quotas.toml:8: annual quota"),
        ("from", "carbon = {heat = 110000.0}\nfrom", "carbon of heat can't be 110000.0 kgCO2/GJ"),
        ("[[annual_quota]]", QUOTA.replace("block-e", "e") + "[[annual_quota]]", "limit the same"),
    ],
)
def test_a_mistake_is_said_with_its_line(tmp_path: Path, old: str, new: str, sentence: str) -> None:
    with pytest.raises(ConfigError) as error:
        rules(tmp_path, QUOTA.replace(old, new))
    assert sentence in str(error.value)
