"""Scopes share their common inputs, and look only at the meters near them."""

from datetime import date

import numpy as np
import pytest

from analytics import periods
from analytics.figures.boundary.flows import CountedFlows
from analytics.figures.inputs.period_factors import PeriodFactors
from analytics.figures.inputs.site_period import SitePeriod, site_period
from analytics.figures.roll_up import Scope, scopes
from analytics.figures.site_consumption import MeterConsumption, SiteConsumption
from jieneng.metering.site import Site
from tests.analytics.sites import site

DAY = periods.parse("2025-06-30")
USUAL = CountedFlows.of(export_deducted=True, export_carbon_deducted=False)


def buildings(number: int) -> Site:
    """Return a site of equal buildings, each with a main of 10 kWh and two meters below it."""
    return site(
        "".join(
            f'[[area]]\nid = "b{one}"\nname = "b"\n'
            f'[[meter]]\nid = "m{one}"\nname = "m"\nmedium = "electricity"\narea = "b{one}"\n'
            + "".join(
                f'[[meter]]\nid = "m{one}-{below}"\nname = "m"\nmedium = "electricity"\n'
                f'area = "b{one}"\nparent = "m{one}"\n'
                for below in range(2)
            )
            for one in range(number)
        )
    )


def period_of(of: Site, below_kwh: float = 5.0) -> tuple[list[Scope], SitePeriod]:
    """Return the scopes of a site and a day on which each meter below a main has an amount."""
    amount = np.array([[10.0 if meter.parent is None else below_kwh] for meter in of.meter])
    whole, nothing = np.ones_like(amount), np.zeros_like(amount)
    metered = MeterConsumption(
        tuple(of.meters), amount, whole, nothing, whole, nothing, nothing, nothing
    )
    every = list(scopes(of))
    consumption = SiteConsumption(date(2025, 6, 30), {"electricity": metered})
    return every, site_period(every, consumption, DAY, PeriodFactors({}, {}), 0.95, USUAL)


@pytest.mark.parametrize("number", [2, 7])
def test_a_scope_looks_only_at_its_own_meters(number: int) -> None:
    every, of = period_of(buildings(number))
    rows = {scope.id: list(of.media["electricity"].near[scope.id]) for scope in every}
    assert rows[every[0].id] == list(range(3 * number))
    assert [rows[f"b{one}"] for one in range(number)] == [
        [3 * one, 3 * one + 1, 3 * one + 2] for one in range(number)
    ]


def test_negative_rests_are_known_by_the_area_of_their_meter() -> None:
    _, of = period_of(buildings(3), below_kwh=8.0)
    found = of.media["electricity"].negative
    assert {area: [one.meter for _, one in rests] for area, rests in found.items()} == {
        "b0": ["m0"],
        "b1": ["m1"],
        "b2": ["m2"],
    }
