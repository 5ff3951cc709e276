"""The rating of scopes: quiet where nothing is odd, else by what an issue weighs in the figure."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path

import msgspec
import numpy as np
import pytest

from analytics.figures.assessment import assess
from analytics.figures.roll_up import scopes
from analytics.figures.site_consumption import SiteConsumption
from analytics.periods import Period, calendar_year
from analytics.quality.consistency_checks import BilledAmount
from analytics.quality.quality_assessment import QualityInputs, assess_quality
from analytics.quality.quality_score import QualityResult
from analytics.site_analytics import load_rules
from jieneng.metering.site import Site
from tests.analytics.figures.forecasts.test_forecast import cambridge
from tests.analytics.figures.test_figures import A_DAY, AFTER, CENTRE, measured
from tests.analytics.quality.metered import metered
from tests.analytics.sites import site

YEAR, LAST = calendar_year(2024), calendar_year(2023)
#: Coal equivalents by day of the meters of `CENTRE` [kgce]: e includes the canteen.
KGCE = {"e": 200 * 0.1229, "g": 10 * 1.33, "h": 0.1 * 34.12}


def varied(consumption: SiteConsumption) -> SiteConsumption:
    """Return consumption that differs a little from day to day, as measured."""
    noise = np.random.default_rng(3).uniform(0.9, 1.1, 366)
    media = {
        medium: msgspec.structs.replace(of, amount=of.amount * noise[: of.amount.shape[1]])
        for medium, of in consumption.media.items()
    }
    return msgspec.structs.replace(consumption, media=media)


def inputs(
    path: Path,
    now: SiteConsumption,
    before: SiteConsumption | None = None,
    of: Site = CENTRE,
    period: Period = YEAR,
) -> QualityInputs:
    rules = load_rules(path)
    return QualityInputs(
        site=of,
        rules=rules,
        scopes=scopes(of),
        period=period,
        current=now,
        other_years={} if before is None else {period.year - 1: before},
        figures=assess(of, rules, scopes(of), period, AFTER, now, {}),
    )


def rate(given: QualityInputs) -> Mapping[tuple[str, str], QualityResult]:
    return {(one.scope, one.figure): one for one in assess_quality(given).results}


def codes(result: QualityResult) -> list[tuple[str, str]]:
    return [(one.finding.code, one.finding.subject) for one in result.issues]


def healthy(path: Path) -> QualityInputs:
    return inputs(path, varied(measured(YEAR)), varied(measured(LAST)))


def test_a_healthy_site_has_full_scores_and_no_issue(tmp_path: Path) -> None:
    found = rate(healthy(tmp_path))
    assert {one.score for one in found.values() if one.scope in ("centre", "block")} == {100.0}
    assert not found["centre", "energy_total"].issues
    assert ("canteen", "water_total") not in found


def test_a_gap_costs_what_is_missing_of_the_figure(tmp_path: Path) -> None:
    """The gas meter is known for 90 % of the year; what is missing is a tenth of its share."""
    missing = measured(YEAR, A_DAY | {"g": 9.0}, {"g": 0.9})
    result = rate(inputs(tmp_path, varied(missing)))["centre", "energy_total"]
    share = 0.1 * KGCE["g"] / sum(KGCE.values())
    [gap] = [one for one in result.issues if one.finding.code == "gap"]
    assert gap.share == pytest.approx(share, rel=0.02)
    assert gap.points == pytest.approx(90 * gap.share, abs=1e-3)
    assert gap.amount == pytest.approx(gap.share * 366 * sum(KGCE.values()), rel=0.02)


def test_a_meter_without_readings_is_expected_as_in_the_last_year(tmp_path: Path) -> None:
    unread = {meter: amount for meter, amount in A_DAY.items() if meter != "g"}
    last = varied(measured(LAST))
    result = rate(inputs(tmp_path, varied(measured(YEAR, unread)), last))["block", "energy_total"]
    [issue] = [one for one in result.issues if one.finding.code == "no_readings"]
    of_block = KGCE["e"] - 40 * 0.1229 + KGCE["g"] + KGCE["h"]
    assert issue.share == pytest.approx(KGCE["g"] / of_block, rel=0.02)


def test_a_meter_below_another_has_no_weight_in_the_figure_above(tmp_path: Path) -> None:
    """The canteen's meter tripled: an issue of the canteen, none of the whole site."""
    now = varied(measured(YEAR, A_DAY | {"e-canteen": 120.0}))
    found = rate(inputs(tmp_path, now, varied(measured(LAST))))
    assert ("year_change", "e-canteen") in codes(found["canteen", "energy_total"])
    assert codes(found["centre", "energy_total"]) == []


def test_a_changed_headcount_is_to_be_verified(tmp_path: Path) -> None:
    """100 persons until 2025-07-01, then 120: (182 x 100 + 183 x 120) / 365 = 110.03 in 2025."""
    given = inputs(tmp_path, varied(measured(calendar_year(2025))), period=calendar_year(2025))
    [issue] = rate(given)["block", "water_total"].issues
    assert issue.finding.code == "denominator_change"
    assert issue.share == pytest.approx((182 * 100 + 183 * 120) / 365 / 100 - 1, abs=1e-6)
    assert issue.points == pytest.approx(0.2 * 10 * issue.share, abs=1e-3)


def test_a_bill_counts_in_the_figure_of_its_meter(tmp_path: Path) -> None:
    bill = BilledAmount(
        meter="w",
        medium="water",
        start=date(2024, 3, 1),
        last=date(2024, 3, 31),
        amount=255.0,
        cost_yuan=None,
        metered=155.0,
        other_years={},
    )
    found = rate(msgspec.structs.replace(healthy(tmp_path), bills=[bill]))
    [issue] = found["centre", "water_total"].issues
    assert issue.share == pytest.approx(100 / (366 * 5), rel=0.02)
    assert not found["centre", "energy_total"].issues


def test_fourteen_measured_buildings_are_quiet(tmp_path: Path, measured: Path) -> None:
    """Two of 56 building-years are told: b119 doubled in 2019, and b40 fell by a third in 2021.

    Source: Cambridge Estates Building Energy Archive (MIT).
    """
    names = ["b101", "b105", "b109", "b111", "b118", "b119", "b4", "b40", "b5", "b58", "b61"]
    names += ["b64", "b78", "b97"]
    text = "".join(
        f'\n[[area]]\nid = "{name}"\nname = "{name}"\n'
        f'\n[[meter]]\nid = "e-{name}"\nname = "{name}"\nmedium = "electricity"\narea = "{name}"\n'
        for name in names
    )
    campus = site(text)

    def of_year(year: int) -> SiteConsumption:
        buildings = zip(names, cambridge(measured, "electricity"), strict=True)
        known = {f"e-{name}": np.where(one[year] > 0, one[year], np.nan) for name, one in buildings}
        return SiteConsumption(date(year, 1, 1), {"electricity": metered(known)})

    told = {
        (year, meter, code)
        for year in (2019, 2020, 2021, 2022)
        for result in rate(
            inputs(tmp_path, of_year(year), of_year(year - 1), campus, calendar_year(year))
        ).values()
        for code, meter in codes(result)
        if code not in ("gap", "no_headcount", "no_floor_area")
    }
    assert told == {(2019, "e-b119", "year_change"), (2021, "e-b40", "year_change")}
