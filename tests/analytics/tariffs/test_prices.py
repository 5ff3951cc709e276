"""Prices of periods, steps and demand: published rows, and numbers calculated by hand."""

import math
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.tariffs.demand_charge import month_charge
from analytics.tariffs.period_prices import period_prices
from analytics.tariffs.step_prices import amount_before, average_price, stepped_cost
from analytics.tariffs.tariff import DatedDemand, Price, PriceStep, Tariff
from analytics.tariffs.tariff_files import load_tariffs

FIRST = date(2025, 6, 1)
PACKAGED = load_tariffs(Path(), None).tariffs


def price(**values: object) -> Price:
    return Price(tariff="t", from_=FIRST, **values)  # type: ignore[arg-type]  # of the test


@pytest.mark.parametrize(
    ("tariff", "flat", "purchase", "published"),
    [
        ("jiangsu-single-rate", 0.7390, 0.4240, (1.0358, 0.7390, 0.4634)),  # Nanjing
        ("jiangsu-two-part", 0.6400, 0.3957, (0.9566, 0.6400, 0.3828)),  # an October
    ],
)
def test_published_prices_are_reproduced_to_four_decimals(
    tariff: str, flat: float, purchase: float, published: tuple[float, ...]
) -> None:
    """The prices are those published for general commercial customers in Jiangsu."""
    found = period_prices(PACKAGED[tariff], price(flat=flat, purchase=purchase))
    assert found[1:4] == published


def test_sharp_is_of_the_peak_price_and_deep_valley_of_the_valley_price() -> None:
    found = period_prices(PACKAGED["jiangsu-industry"], price(flat=0.6400, purchase=0.3957))
    assert found == (1.1479, 0.9566, 0.6400, 0.3828, 0.3062)  # 1.2 x 0.9566, 0.8 x 0.3828


def test_prices_of_a_contract_are_not_multiplied() -> None:
    found = period_prices(PACKAGED["jiangsu-industry"], price(flat=0.60, peak=0.90, valley=0.35))
    assert found == (0.90, 0.90, 0.60, 0.35, 0.35)


STEPS = (PriceStep(0, 3.0), PriceStep(100, 4.0), PriceStep(300, 6.0))


def test_steps_apply_to_the_part_above_them() -> None:
    # 100 at 3, 200 at 4, 50 at 6
    assert stepped_cost(STEPS, 0, 350) == 300 + 800 + 300
    assert stepped_cost(STEPS, 90, 30) == 10 * 3 + 20 * 4
    assert average_price(STEPS, 90, 30) == pytest.approx(110 / 30)
    assert average_price(STEPS, 300, 0) == 6.0


@settings(max_examples=30)
@given(st.lists(st.floats(0, 500), min_size=1, max_size=8), st.floats(0, 400))
def test_costs_of_parts_add_up_to_the_cost_of_the_whole(parts: list[float], before: float) -> None:
    total, so_far = 0.0, before
    for part in parts:
        total += stepped_cost(STEPS, so_far, part)
        so_far += part
    assert total == pytest.approx(stepped_cost(STEPS, before, sum(parts)), abs=1e-6)


def test_steps_begin_anew_each_month_or_year() -> None:
    days = [date(2025, 12, 30), date(2025, 12, 31), date(2026, 1, 1), date(2026, 1, 2)]
    days += [date(2026, 2, 1)]
    amount = np.array([1.0, 2.0, 4.0, 8.0, 16.0])
    assert amount_before(days, amount, "yearly").tolist() == [0, 1, 0, 4, 12]
    assert amount_before(days, amount, "monthly").tolist() == [0, 1, 0, 4, 0]


@pytest.mark.parametrize(
    ("demand", "greatest_kw", "charge"),
    [
        # 1250 kVA x 30 yuan
        ({"basis": "capacity", "capacity_kva": 1250.0}, math.nan, 37_500.0),
        ({"basis": "actual"}, 812.0, 812 * 48.0),
        ({"basis": "actual"}, math.nan, math.nan),
        # within 105 % of the contract nothing is added
        ({"basis": "contract", "contract_kw": 800.0}, 840.0, 800 * 48.0),
        # 1000 kW are 160 kW above 840 kW: 800 + 2 x 160
        ({"basis": "contract", "contract_kw": 800.0}, 1000.0, 1120 * 48.0),
        ({"basis": "contract", "contract_kw": 800.0}, math.nan, 800 * 48.0),
        # 40 % of 1250 kVA are 500 kW
        ({"basis": "contract", "contract_kw": 300.0, "capacity_kva": 1250.0}, 310.0, 500 * 48.0),
    ],
)
def test_demand_is_charged_in_three_ways(
    demand: dict[str, object], greatest_kw: float, charge: float
) -> None:
    dated = DatedDemand(from_=FIRST, **demand)  # type: ignore[arg-type]  # of the test
    two_part: Tariff = PACKAGED["jiangsu-two-part"]
    found = month_charge(dated, two_part, price(flat=0.6, capacity=30.0, demand=48.0), greatest_kw)
    assert found == pytest.approx(charge, nan_ok=True)
    without = month_charge(dated, two_part, price(flat=0.6), greatest_kw)
    assert math.isnan(without)
