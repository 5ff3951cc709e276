"""A meter and the meters below it: what agrees, what has no meter, and what can't be."""

from collections.abc import Mapping

import msgspec
import numpy as np
import pytest

from analytics.figures.balances.parent_balance import ParentBalance, parent_balances, rest_finding
from analytics.figures.boundary.site_structure import SiteStructure
from analytics.periods import parse
from tests.analytics.figures.test_figures import measured
from tests.analytics.sites import site

NAN = float("nan")
JUNE = parse("2025-06")


def meter(name: str, *lines: str) -> str:
    head = f'\n[[meter]]\nid = "{name}"\nname = "{name}"\nmedium = "electricity"\narea = "block"\n'
    return head + "".join(f"{line}\n" for line in lines)


TREE = (
    '\n[[area]]\nid = "block"\nname = "block"\n'
    + meter("main")
    + meter("light", 'parent = "main"')
    + meter("cold", 'parent = "main"')
    + meter("roof", 'parent = "main"', 'role = "generation"')
)
A_DAY = {"main": 90.0, "light": 40.0, "cold": 58.0, "roof": 10.0}


def balances(
    a_day: Mapping[str, float], of: str = TREE, coverage: Mapping[str, float] | None = None
) -> list[ParentBalance]:
    centre = site(of)
    consumption = measured(JUNE, a_day, coverage, of=centre)
    return parent_balances(SiteStructure(centre), consumption, JUNE, 5.0, 0.95)


def test_what_is_behind_a_meter_less_what_is_measured_below_it() -> None:
    """30 days of 90 + 10 kWh behind the main, and 40 + 58 below it: 2 % have no meter."""
    [one] = balances(A_DAY)
    assert (one.meter, one.children) == ("main", ("light", "cold", "roof"))
    assert (one.amount, one.measured, one.rest) == (3000.0, 2940.0, 60.0)
    assert (one.rest_pct, one.coverage, one.status) == (2.0, 1.0, "agrees")


@pytest.mark.parametrize(
    ("cold", "status"),
    [(55.0, "agrees"), (54.9, "unmetered"), (65.0, "agrees"), (65.1, "negative")],
)
def test_the_tolerance_holds_on_both_sides(cold: float, status: str) -> None:
    """5 % of the 100 kWh behind the main are 5 kWh a day."""
    assert [one.status for one in balances({**A_DAY, "cold": cold})] == [status]


def test_there_is_no_verdict_while_a_meter_is_unknown() -> None:
    [one] = balances({**A_DAY, "light": NAN})
    assert (one.rest, one.coverage, one.status) == (None, 0.0, "insufficient_data")
    [one] = balances(A_DAY, coverage={"light": 0.9})
    assert (one.coverage, one.status) == (0.9, "insufficient_data")


def test_amounts_estimated_at_the_edges_of_the_period_explain_a_rest() -> None:
    centre = site(TREE)
    consumption = measured(JUNE, {**A_DAY, "cold": 66.0}, of=centre)
    metered = consumption.media["electricity"]
    spread = np.where(np.arange(30) == 0, 40.0, 0.0) * np.ones((4, 1))
    media = {"electricity": msgspec.structs.replace(metered, spread_start=spread)}
    estimated = msgspec.structs.replace(consumption, media=media)
    structure = SiteStructure(centre)
    assert parent_balances(structure, consumption, JUNE, 5.0, 0.95)[0].status == "negative"
    [one] = parent_balances(structure, estimated, JUNE, 5.0, 0.95)
    assert (one.estimated, one.status) == (160.0, "agrees")


def test_a_meter_that_moves_below_another_is_measured_there_from_that_day_on() -> None:
    """The main is removed on 10 June: for 20 days, what was below it has no meter above it."""
    removed = TREE.replace('name = "main"', 'name = "main"\nremoved = 2025-06-10')
    [one] = balances(A_DAY, removed)
    assert (one.amount, one.measured) == (1000.0, 980.0)


def test_only_a_negative_rest_is_a_finding() -> None:
    [fine], [wrong] = balances(A_DAY), balances({**A_DAY, "cold": 80.0})
    assert rest_finding(fine, 2700.0) is None
    found = rest_finding(wrong, 2700.0)
    assert found is not None
    assert (found.code, found.subject, dict(found.values)["amount"]) == (
        "negative_rest",
        "main",
        600.0,
    )
    assert found.weight == pytest.approx(600 / 2700)
