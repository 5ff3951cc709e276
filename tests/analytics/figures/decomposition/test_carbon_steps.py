"""The steps of a waterfall chart lead from the base year to this year without a gap."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.figures.decomposition.carbon_split import CarbonSplit, Effects
from analytics.figures.decomposition.carbon_steps import carbon_steps

_T = st.floats(-1e6, 1e6, allow_subnormal=False)


def made(base: float, effects: Effects) -> CarbonSplit:
    """Return a split whose effects add up to its change."""
    change = sum(one for one in msgspec.structs.astuple(effects) if one is not None)
    return CarbonSplit(
        scope="centre",
        indicator="carbon_total",
        unit="tCO2",
        period="2025",
        base_period="2020",
        base=base,
        value=base + change,
        change=change,
        effects=effects,
        parts=(),
        coverage=1.0,
        status="split",
        findings=(),
    )


@given(base=_T, activity=_T, supply=_T, factor=_T, area=st.none() | _T)
def test_each_step_begins_where_the_one_before_it_ends(
    base: float, activity: float, supply: float, factor: float, area: float | None
) -> None:
    split = made(base, Effects(activity, supply, factor, area))
    first, *causes, last = carbon_steps(split)
    assert (first.id, first.start, first.end, first.effect) == ("base", 0.0, base, None)
    level = base
    for step in causes:
        assert step.start == level
        level = step.end
    assert (last.id, last.start, last.effect) == ("value", 0.0, None)
    assert level == pytest.approx(last.end, abs=1e-6)


def test_a_total_has_no_step_of_the_floor_area() -> None:
    ids = [step.id for step in carbon_steps(made(10.0, Effects(-1.0, 0.0, -2.0, None)))]
    assert ids == ["base", "activity", "supply", "factor", "value"]


def test_a_change_that_is_not_split_has_no_steps() -> None:
    split = made(10.0, Effects(-1.0, 0.0, -2.0, None))
    for status in ("no_baseline", "insufficient_data", "not_comparable", "not_applicable"):
        assert carbon_steps(msgspec.structs.replace(split, status=status)) == ()
