"""The sub-items of a scope, and the part without one, are the whole consumption of the scope."""

from datetime import date

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from analytics import periods
from analytics.counters.consumption import Consumption
from analytics.figures.boundary.flows import CountedFlows, flows_of
from analytics.figures.boundary.site_structure import SiteStructure
from analytics.figures.consumption_sums.sub_item_consumption import (
    sub_item_consumption,
    sub_item_weights,
)
from analytics.figures.roll_up import boundary_weights, scopes
from jieneng.metering.site import Area, Institution, Item, Meter, Site, SiteInfo

NAN = float("nan")
DAY = date(2025, 3, 1)
USUAL = CountedFlows.of(export_deducted=True, export_carbon_deducted=False).energy
AREAS = (
    Area(id="house", name="house", institutions=("bureau",)),
    Area(id="shop", name="shop", parent="house", counts=False),
    Area(id="other", name="other"),
)
ITEMS: list[Item | None] = [None, "lighting", "hvac", "power", "special"]


def meter(name: str, parent: str | None = None, item: Item | None = None, **more: str) -> Meter:
    return Meter(
        id=name,
        name=name,
        medium="electricity",
        area=more.get("area", "house"),
        parent=parent,
        item=item,
        formula=more.get("formula"),
    )


def centre(*meters: Meter) -> Site:
    return Site(
        site=SiteInfo(id="centre", name="centre"),
        institution=(Institution(id="bureau", name="bureau"),),
        area=AREAS,
        meter=meters,
    )


def sums(site: Site, amounts: dict[str, float], scope: str) -> dict[str, float]:
    """Return the sub-items of a scope on one day, and the part without one."""
    grid = periods.edges_ms(DAY, date(2025, 3, 2), "day", site.zone)
    one, nothing = np.ones(1), np.zeros(1)
    rows = [
        {"day": Consumption(np.array([amounts[each.id]]), one, nothing, one, nothing, nothing)}
        for each in site.meter
    ]
    found = sub_item_consumption(
        scopes(site),
        flows_of(site.meter, ()),
        rows,  # type: ignore[arg-type]  # a day is an interval
        {"day": grid},
        USUAL,
        {},
    )
    return {
        tags["kind"]: float(by["day"].amount[0]) for tags, by in found if tags["scope"] == scope
    }


HOUSE = (
    meter("main"),
    meter("light", "main", "lighting"),
    meter("cold", "main", "hvac"),
    meter("pump", "cold"),
    meter("shop-cold", "cold", area="shop"),
)
AMOUNTS = {"main": 100.0, "light": 20.0, "cold": 50.0, "pump": 10.0, "shop-cold": 15.0}


def test_what_leaves_the_scope_is_deducted_from_the_sub_item_above_it() -> None:
    """The shop is let out: 50 - 15 kWh of cooling are the house's; the pump has its sub-item."""
    expected = {"lighting": 20.0, "hvac": 35.0, "no_item": 30.0}
    for scope in ("house", "bureau", "centre"):
        assert sums(centre(*HOUSE), AMOUNTS, scope) == expected
    assert sums(centre(*HOUSE), AMOUNTS, "shop") == {"hvac": 15.0}
    assert sums(centre(*HOUSE), AMOUNTS, "other") == {}


def test_the_part_without_a_sub_item_is_unknown_while_a_meter_of_it_is() -> None:
    found = sums(centre(*HOUSE), {**AMOUNTS, "light": NAN}, "house")
    assert np.isnan(found["no_item"])
    assert found["hvac"] == 35.0


def test_a_shown_virtual_sub_item_is_taken_from_the_part_without_one() -> None:
    half = meter("half", item="special", formula="0.2 * main")
    found = sums(centre(*HOUSE, half), {**AMOUNTS, "half": 20.0}, "house")
    assert found == {"lighting": 20.0, "hvac": 35.0, "special": 20.0, "no_item": 10.0}


@given(
    st.lists(
        st.tuples(
            st.integers(0, 9), st.sampled_from(ITEMS), st.sampled_from(["house", "shop", "other"])
        ),
        min_size=1,
        max_size=9,
    )
)
def test_the_parts_add_up_to_the_scope(tree: list[tuple[int, Item | None, str]]) -> None:
    """Law: a kilowatt-hour behind a meter of the scope is in exactly one part of the scope."""
    meters = [
        meter(f"m{number}", f"m{above % number}" if number and above else None, item, area=area)
        for number, (above, item, area) in enumerate(tree)
    ]
    site = centre(*meters)
    flows, rows = flows_of(site.meter, ()), {one.id: row for row, one in enumerate(meters)}
    places = SiteStructure(site).on(DAY).places
    for scope in scopes(site):
        parts = np.array(
            [one[:, 0] for one in sub_item_weights(scope, flows, [DAY], USUAL).values()]
        )
        whole = boundary_weights(scope, flows, [DAY], USUAL)[:, 0]
        for one in meters:
            counted = np.zeros(len(meters))
            above: str | None = one.id
            while above is not None:
                counted[rows[above]] = 1.0
                above = places[above].parent
            assert sorted(parts @ counted) == [0.0] * 4 + [whole @ counted]
            assert whole @ counted in (0.0, 1.0)
