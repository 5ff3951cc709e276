"""Costs of areas and institutions add up to those of the site."""

import numpy as np
import pytest

from analytics import periods
from analytics.costs.account_days import AccountDays
from analytics.costs.cost_result import CostResult
from analytics.costs.scope_costs import scope_cost
from analytics.figures.roll_up import scopes
from analytics.tariffs.tariff import DatedDemand, Price
from jieneng.metering.quantities import Medium
from tests.analytics.costs.made_costs import FIRST, GAS, SITE, costed, electricity, hourly

JUNE = periods.parse("2026-06")
ROWS = {"main": hourly(10, 5), "branch": hourly(5, 0)}


def by_scope(*accounts: AccountDays, medium: Medium = "electricity") -> dict[str, CostResult]:
    found = (scope_cost(scope, medium, JUNE, accounts, SITE) for scope in scopes(SITE))
    return {one.id: one for one in found if one is not None}


def test_each_area_pays_for_its_own_hours() -> None:
    """The block consumes by day only, so its kWh are dearer than those of the rest."""
    found = by_scope(costed(electricity(), ROWS))
    costs = {scope: (one.amount, one.cost, one.average_price) for scope, one in found.items()}
    assert costs == {
        "centre": (5400, 4320, 0.8),
        "plant": (3600, 2520, 0.7),
        "block": (1800, 1800, 1.0),
        "bureau": (1800, 1800, 1.0),
    }


def test_the_charge_for_demand_is_shared_by_consumption() -> None:
    account = electricity(DatedDemand(from_=FIRST, basis="capacity", capacity_kva=1000))
    price = Price(tariff="time-of-use", from_=FIRST, flat=0.7, peak=1.0, valley=0.4, capacity=30.0)
    found = by_scope(costed(account, ROWS, price))
    assert [found[one].demand_cost for one in ("centre", "plant", "block")] == [
        30_000,
        20_000,
        10_000,
    ]


def test_bounds_of_a_deducted_meter_change_sides() -> None:
    """The hours in which the branch consumed are unknown, and so are those of the rest."""
    found = by_scope(costed(electricity(), ROWS, unmeasured=["branch"]))
    block, plant = found["block"], found["plant"]
    # The branch has 1800 kWh in peak hours: at least 720 yuan.
    assert (block.least, block.greatest) == (720, 1800)
    assert (plant.least, plant.greatest) == (2520, 2520 + 1080)
    assert found["centre"].least == found["centre"].greatest == 4320


def test_with_steps_every_m3_costs_the_average_of_the_month() -> None:
    found = by_scope(costed(GAS, {"gas": np.full(30, 40.0)}), medium="gas")
    assert found["block"].cost == pytest.approx(1000 * 3 + 200 * 4)
    assert "plant" not in found


def test_a_meter_of_no_account_makes_the_cost_unknown() -> None:
    days = costed(electricity(), {"main": ROWS["main"]})
    found = by_scope(days)
    assert found["centre"].cost == 4320
    assert found["plant"].cost is None
    assert [one.code for one in found["plant"].findings] == ["no_account"]
    assert "block" not in found
