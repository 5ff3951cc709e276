"""Energy that enters a scope counts, and energy that leaves it is deducted."""

from datetime import date

import numpy as np
import pytest

from analytics.counters.consumption import Consumption
from analytics.figures.boundary.flows import CountedFlows, flows_of
from analytics.figures.roll_up import boundary_weights, daily_denominator, roll_up, scopes
from jieneng.metering.site import Site
from jieneng.site_folder import SiteFolder
from tests.analytics.sites import site

USUAL = CountedFlows.of(export_deducted=True, export_carbon_deducted=False).energy


def signs(
    of: Site, scope_id: str, medium: str = "electricity", day: date = date(2025, 6, 1)
) -> dict[str, float]:
    """The meters of a scope with a weight."""
    meters = [meter for meter in of.meter if meter.medium == medium]
    scope = next(scope for scope in scopes(of) if scope.id == scope_id)
    row = zip(
        meters,
        boundary_weights(scope, flows_of(meters, []), [day], USUAL)[:, 0].tolist(),
        strict=True,
    )
    return {meter.id: weight for meter, weight in row if weight}


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        ("huaian-centre", {"e-main": 1}),
        ("block-1", {"e-b1": 1}),
        ("block-2", {"e-b2": 1}),
        ("data-room", {"e-dr": 1}),
        ("canteen", {"e-ct": 1}),
        ("plant", {"e-main": 1, "e-b1": -1, "e-b2": -1, "e-b3": -1, "e-ct": -1}),
        ("government-office", {"e-b1": 1}),
        ("reform-commission", {"e-b2": 1, "e-dr": -1}),
        ("affairs-bureau", {"e-main": 1, "e-b1": -1, "e-b2": -1, "e-dr": 1}),
    ],
)
def test_the_example_centre(example: SiteFolder, scope: str, expected: dict[str, float]) -> None:
    assert signs(example.site, scope) == expected


def test_institutions_share_out_the_whole_site(example: SiteFolder) -> None:
    every = [scope for scope in scopes(example.site) if scope.kind == "institution"]
    meters = [meter for meter in example.site.meter if meter.medium == "electricity"]
    day, flows = [date(2025, 6, 1)], flows_of(meters, [])
    total = np.sum([boundary_weights(scope, flows, day, USUAL) for scope in every], axis=0)
    whole = boundary_weights(scopes(example.site)[0], flows, day, USUAL)
    assert np.array_equal(total, whole)


def test_a_let_shop_behind_its_own_meter_is_deducted() -> None:
    let = site("""
[[area]]
id = "block"
name = "block"
institutions = ["bureau"]

[[area]]
id = "shop"
name = "shop"
parent = "block"
institutions = ["office"]

[[meter]]
id = "main"
name = "main"
medium = "electricity"
area = "block"

[[meter]]
id = "floor"
name = "floor"
medium = "electricity"
area = "block"
parent = "main"

[[meter]]
id = "shop-meter"
name = "shop"
medium = "electricity"
area = "shop"
parent = "floor"
""")
    assert signs(let, "bureau") == {"main": 1, "shop-meter": -1}
    assert signs(let, "block") == {"main": 1}
    assert signs(let, "office") == {"shop-meter": 1}


def test_a_meter_below_a_sub_item_is_not_its_main() -> None:
    below = site("""
[[area]]
id = "block"
name = "block"

[[meter]]
id = "cooling"
name = "cooling"
medium = "electricity"
area = "block"
item = "hvac"

[[meter]]
id = "pump"
name = "pump"
medium = "electricity"
area = "block"
parent = "cooling"
""")
    assert signs(below, "block") == {"cooling": 1}


DATED = """
[[area]]
id = "block"
name = "block"
institutions = ["bureau"]
floor_area_m2 = [{from = 2020-01-01, value = 1000.0}, {from = 2020-01-03, value = 1200.0}]

[[area]]
id = "shop"
name = "shop"
parent = "block"
institutions = ["office"]
floor_area_m2 = [{from = 2020-01-02, value = 100.0}]

[[area]]
id = "yard"
name = "yard"

[[area]]
id = "hut"
name = "hut"
parent = "yard"
floor_area_m2 = [{from = 2020-01-01, value = 30.0}]

[[area]]
id = "shed"
name = "shed"
parent = "yard"
"""
DAYS = [date(2019, 12, 31), date(2020, 1, 1), date(2020, 1, 2), date(2020, 1, 3)]


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        ("block", [None, 1000, 1000, 1200]),  # includes its shop
        ("bureau", [None, 1000, 900, 1100]),  # without it, once it is stated
        ("office", [None, None, 100, 100]),
        ("yard", [None, 30, 30, 30]),  # states none: what its parts have
        ("shed", [None, None, None, None]),
        ("centre", [None, 1030, 1030, 1230]),
    ],
)
def test_floor_area_follows_the_same_rule(scope: str, expected: list[float | None]) -> None:
    dated = site(DATED)
    one = next(one for one in scopes(dated) if one.id == scope)
    found = daily_denominator(one, "floor_area_m2", DAYS)
    wanted = np.array([np.nan if value is None else value for value in expected])
    np.testing.assert_array_equal(found, wanted)


def by_meter(amount: list[float], known: list[float]) -> Consumption:
    """Return the consumption of meters in one interval; `known` is the share that is covered."""
    column, share = np.array(amount)[:, None], np.array(known)[:, None]
    nothing = np.zeros_like(column)
    return Consumption(column, share, nothing, share, nothing, nothing)


@pytest.mark.parametrize(
    ("weight", "amount", "coverage"),
    [([1.0, 1.0], 10.0, 0.5), ([0.0, 1.0], np.nan, 0.0), ([0.0, 0.0], np.nan, np.nan)],
)
def test_an_unknown_meter_lowers_the_coverage_and_is_not_zero(
    weight: list[float], amount: float, coverage: float
) -> None:
    """An unknown meter is taken for an average one."""
    rolled = roll_up(np.array(weight)[:, None], by_meter([10.0, np.nan], [1.0, 0.0]))
    np.testing.assert_array_equal(rolled.amount, [amount])
    np.testing.assert_array_equal(rolled.coverage, [coverage])
    np.testing.assert_array_equal(rolled.bounded, [coverage])


def test_coverage_goes_by_what_meters_consume() -> None:
    rolled = roll_up(np.array([[1.0], [-1.0]]), by_meter([90.0, 10.0], [1.0, 0.0]))
    assert rolled.coverage[0] == pytest.approx(0.9)
    assert rolled.amount[0] == 80.0


def test_a_meter_that_stands_still_must_be_read_too() -> None:
    weight = np.ones((2, 1))
    assert roll_up(weight, by_meter([90.0, 0.0], [1.0, 0.0])).coverage[0] < 0.96
    assert roll_up(weight, by_meter([0.0, 0.0], [1.0, 0.0])).coverage[0] == 0.5


LET = """
[[area]]
id = "house"
name = "house"
floor_area_m2 = [{from = 2020-01-01, value = 5000.0}]

[[area]]
id = "floor"
name = "floor"
parent = "house"
counts = [{from = 2024-01-01, value = false}, {from = 2025-01-01, value = true}]
floor_area_m2 = [{from = 2020-01-01, value = 800.0}]

[[area]]
id = "shop"
name = "shop"
parent = "floor"
counts = false
floor_area_m2 = [{from = 2020-01-01, value = 300.0}]

[[meter]]
id = "main"
name = "main"
medium = "electricity"
area = "house"

[[meter]]
id = "floor-meter"
name = "floor-meter"
medium = "electricity"
area = "floor"
parent = "main"

[[meter]]
id = "shop-meter"
name = "shop-meter"
medium = "electricity"
area = "shop"
parent = "floor-meter"
"""


@pytest.mark.parametrize(
    ("scope", "year", "weights", "area"),
    [
        ("house", 2023, {"main": 1, "shop-meter": -1}, 4700.0),
        ("house", 2024, {"main": 1, "floor-meter": -1}, 4200.0),
        ("house", 2025, {"main": 1, "shop-meter": -1}, 4700.0),
        ("floor", 2024, {"floor-meter": 1, "shop-meter": -1}, 500.0),
        ("shop", 2024, {"shop-meter": 1}, 300.0),
        ("centre", 2024, {"main": 1, "floor-meter": -1}, 4200.0),
    ],
)
def test_areas_within_one_another_may_be_let_out(
    scope: str, year: int, weights: dict[str, float], area: float
) -> None:
    """A let floor is deducted once, with the let shop in it; each counts in its own figures."""
    let, day = site(LET), date(year, 6, 1)
    one = next(one for one in scopes(let) if one.id == scope)
    assert signs(let, scope, day=day) == weights
    assert daily_denominator(one, "floor_area_m2", [day]).tolist() == [area]
