"""A virtual meter has the consumption of its formula, and counts only where this is stated."""

from datetime import date

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from analytics.counters.consumption import Consumption
from analytics.figures.boundary.flows import CountedFlows, Flow, flows_of
from analytics.figures.boundary.site_structure import SiteStructure
from analytics.figures.boundary.virtual_meters import (
    negative_findings,
    operand_weights,
    operands_read,
    virtual_consumption,
    virtual_meters,
)
from analytics.figures.roll_up import boundary_weights, scopes
from jieneng.metering.site import Meter, Site
from tests.analytics.sites import site

NAN = float("nan")
DAY = date(2025, 6, 1)
USUAL = CountedFlows.of(export_deducted=True, export_carbon_deducted=False).energy
AREAS = """
[[area]]
id = "block"
name = "block"

[[area]]
id = "floor-3"
name = "floor 3"
parent = "block"
"""


def meter(name: str, *lines: str, area: str = "block") -> str:
    head = f'[[meter]]\nid = "{name}"\nname = "{name}"\nmedium = "electricity"\narea = "{area}"\n'
    return head + "".join(f"{line}\n" for line in lines)


METERS = meter("main") + meter("floor-1", 'parent = "main"') + meter("floor-2", 'parent = "main"')


def virtual(formula: str) -> Meter:
    return Meter(id="net", name="net", medium="electricity", area="block", formula=formula)


def days(
    *amounts: float, coverage: float = 1.0, estimated: float = 0.0, bounded: float = 1.0
) -> Consumption:
    size, zero = len(amounts), np.zeros(len(amounts))
    shares = (np.full(size, coverage), np.full(size, estimated), np.full(size, bounded))
    return Consumption(np.array(amounts), *shares, zero, zero)


def weights(of: Site, scope_id: str) -> dict[str, float]:
    """Return the meters with a weight in a scope, and the weight."""
    scope = next(one for one in scopes(of) if one.id == scope_id)
    row = boundary_weights(scope, flows_of(of.meter, []), [DAY], USUAL)[:, 0].tolist()
    return {one.id: weight for one, weight in zip(of.meter, row, strict=True) if weight}


def test_the_formula_is_computed_by_interval() -> None:
    """Day 1: 100 - 20 - 0.5 x 30 = 65. Day 2: a meter of the formula is unknown."""
    found = virtual_consumption(
        virtual("main - canteen - 0.5 * chiller"),
        {
            "main": days(100.0, 90.0, coverage=0.9),
            "canteen": days(20.0, NAN, estimated=4.0),
            "chiller": days(30.0, 30.0, estimated=2.0, bounded=0.8),
        },
    )
    np.testing.assert_array_equal(found.amount, [65.0, NAN])
    np.testing.assert_array_equal(found.coverage, [0.9, 0.9])
    np.testing.assert_array_equal(found.bounded, [0.8, 0.8])
    np.testing.assert_array_equal(found.estimated, [5.0, 5.0])  # 4 + 0.5 x 2


def test_a_day_below_0_is_told_unless_estimates_explain_it() -> None:
    def told(parts: Consumption) -> list[float]:
        net, operands = virtual("main - parts"), {"main": days(100.0), "parts": parts}
        by_day = virtual_consumption(net, operands)
        midnights = np.array([0, 86_400_000])
        return [one.doubt for one in negative_findings(net, by_day, operands, None, midnights)]

    assert told(days(104.0)) == [4.0]
    assert told(days(80.0)) == []
    assert told(days(104.0, estimated=5.0)) == []
    assert told(days(104.0, bounded=0.5)) == []
    assert told(days(100.01)) == [], "the last digits of the registers"


def test_a_virtual_meter_without_a_parent_is_only_shown() -> None:
    of = site(AREAS + METERS + meter("net", 'formula = "main - floor-1"'))
    assert weights(of, "centre") == {"main": 1.0}
    place = SiteStructure(of).on(DAY).places["net"]
    assert place.is_only_shown
    assert not place.is_counted


def test_with_counts_it_is_a_main() -> None:
    feeder = meter("feeder", 'parent = "net"') + meter("canteen")
    net = meter("net", 'formula = "feeder - canteen"', "counts = true")
    assert weights(site(AREAS + feeder + net), "centre") == {"net": 1.0, "canteen": 1.0}


def test_with_a_parent_it_measures_the_floor_that_has_no_meter() -> None:
    rest = meter(
        "floor-3-net", 'formula = "main - floor-1 - floor-2"', 'parent = "main"', area="floor-3"
    )
    of = site(AREAS + METERS + rest)
    assert weights(of, "block") == {"main": 1.0}
    assert weights(of, "floor-3") == {"floor-3-net": 1.0}


def test_a_virtual_sub_item_is_no_part_of_the_main_of_its_area() -> None:
    half = meter("half", 'formula = "0.5 * floor-1"', 'item = "hvac"')
    place = SiteStructure(site(AREAS + METERS + half)).on(DAY).places["half"]
    assert place.parent is None
    assert not place.is_implied


def test_formulas_of_formulas_come_in_their_order() -> None:
    of = site(AREAS + METERS + meter("c", 'formula = "b"') + meter("b", 'formula = "main"'))
    assert [one.id for one in virtual_meters(of)] == ["b", "c"]
    assert [one.id for one in operands_read(of, ["c", "floor-1"])] == ["floor-1", "main"]


@given(st.lists(st.floats(-3, 3), min_size=4, max_size=4), st.floats(-2, 2), st.floats(-2, 2))
def test_doubts_reach_the_scope_as_if_the_formula_were_written_out(
    amounts: list[float], first: float, second: float
) -> None:
    """Law: the sum over all meters equals that over the meters that are read, passed weights."""
    text = f"{abs(first):.3f} * main - {abs(second):.3f} * floor-1"
    of = site(AREAS + METERS + meter("v", f'formula = "{text}"') + meter("w", 'formula = "v"'))
    flows = [Flow(one) for one in of.meter]
    read = np.array(amounts[:3])
    terms = {term.meter: term.factor for term in of.meters["v"].terms}
    v = terms["main"] * read[0] + terms["floor-1"] * read[1]
    weight = np.array([[1.0], [0.0], [-1.0], [amounts[3]], [0.5]])
    whole = float(weight[:, 0] @ np.array([*read, v, v]))
    passed_on = operand_weights(weight, flows, SiteStructure(of).virtual_ranks)[:3, 0]
    assert np.isclose(float(passed_on @ read), whole)
