"""Sub-meters, bills and published periods, against numbers by hand."""

from datetime import date
from math import nan

import numpy as np
import pytest

from analytics.periods import days
from analytics.quality.consistency_checks import (
    BilledAmount,
    bill_differences,
    meter_balance,
    periods_not_annual,
)
from tests.analytics.quality.metered import metered

QUARTER = days(date(2025, 1, 1), date(2025, 4, 1))


@pytest.mark.parametrize(("below", "months"), [(104.0, 0), (106.0, 3), (80.0, 0)])
def test_meters_below_may_exceed_the_meter_by_five_per_cent(below: float, months: int) -> None:
    """A branch without a meter is no fault, so a rest of 20 % is quiet."""
    rests = {"main": np.full(90, 100.0 - below)}
    found = list(meter_balance(rests, metered({"main": np.full(90, 100.0)}), QUARTER))
    assert [dict(one.finding.values)["months"] for one in found] == ([months] if months else [])
    assert [one.amount for one in found] == ([pytest.approx(90 * 6.0)] if months else [])


def bill(
    month: int, amount: float, cost: float | None = None, metered: float = nan
) -> BilledAmount:
    return BilledAmount(
        meter="e",
        medium="electricity",
        start=date(2025, month, 1),
        last=date(2025, month, 28),
        amount=amount,
        cost_yuan=cost,
        metered=metered,
        other_years={2024: 1300.0},
    )


def test_a_bill_may_differ_from_the_meter_by_five_per_cent() -> None:
    bills = [bill(1, 1040.0, metered=1000.0), bill(2, 1100.0, metered=1000.0), bill(3, 1.0)]
    [one] = bill_differences(bills)
    assert (one.finding.code, one.amount) == ("bill_amount_differs", 100.0)


def test_a_bill_that_fits_another_year_is_called_that() -> None:
    [one] = bill_differences([bill(1, 1295.0, metered=1000.0)])
    assert one.finding.code == "bill_other_year"
    assert dict(one.finding.values)["year"] == 2024


def test_a_cost_in_ten_thousand_yuan_is_a_slip() -> None:
    bills = [bill(month, 1000.0, 700.0) for month in (1, 2, 3)]
    [one] = bill_differences([*bills, bill(4, 1000.0, 0.0712)])
    assert one.finding.code == "bill_in_other_unit"
    assert dict(one.finding.values)["first"] == date(2025, 4, 1)


def test_a_published_year_is_the_sum_of_its_published_parts() -> None:
    def figures(value: float | None) -> list[dict[str, object]]:
        key = {"scope": "centre", "factor_series": None}
        return [
            {**key, "indicator": "electricity", "value": value},
            {**key, "indicator": "energy_per_floor_area", "value": 3.0},
        ]

    parts = [figures(25.0), figures(25.5), figures(None), figures(49.5)]
    assert list(periods_not_annual(figures(100.0), parts, "2025")) == []
    [one] = periods_not_annual(figures(98.0), parts, "2025")
    assert one.weight == pytest.approx(2 / 98)
