"""Costs of an account, calculated by hand."""

import math
from datetime import date

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics import periods
from analytics.costs.account_costs import account_cost
from analytics.costs.account_days import AccountDays
from analytics.costs.bill_comparison import Bill
from analytics.costs.cost_result import CostResult
from analytics.figures.boundary.site_structure import SiteStructure
from analytics.tariffs.tariff import DatedDemand, DatedTariff, DemandBasis, Price, ReferencePrice
from tests.analytics.costs.made_costs import (
    FIRST,
    GAS,
    PRICE,
    SITE,
    STEPS,
    costed,
    electricity,
    hourly,
)

USUAL = ReferencePrice(
    id="e", medium="electricity", unit="yuan/kWh", least=0.35, greatest=1.4, source="an example"
)


def cost(days: AccountDays, period: str = "2026-06", bills: tuple[Bill, ...] = ()) -> CostResult:
    return account_cost(days, periods.parse(period), SiteStructure(SITE), bills, (USUAL,))


def codes(result: CostResult) -> list[str]:
    return [finding.code for finding in result.findings]


def test_each_kwh_costs_the_price_of_its_hour() -> None:
    """30 days x 12 h: 10 kWh an hour at 1.00 yuan by day, 5 kWh at 0.40 yuan by night."""
    found = cost(costed(electricity(), {"main": hourly(10, 5)}))
    assert found.amounts == {"peak": 3600, "valley": 1800}
    assert found.costs == {"peak": 3600, "valley": 720}
    assert (found.amount, found.cost, found.demand_cost) == (5400, 4320, 0)
    assert found.average_price == 0.8
    assert (found.coverage, found.estimated, found.until) == (1, 0, None)
    assert codes(found) == []


def test_a_month_that_is_not_over_says_until_when() -> None:
    found = cost(costed(electricity(), {"main": hourly(10, 5, 10)}, days=10))
    assert (found.cost, found.until) == (1440, date(2026, 6, 10))


@pytest.mark.parametrize(
    ("demand", "quarters_known", "yuan"),
    [
        # 1000 kVA x 30 yuan
        (DatedDemand(from_=FIRST, basis="capacity", capacity_kva=1000), 0, 30_000.0),
        # the greatest quarter of an hour has 20 kWh: 80 kW x 48 yuan
        (DatedDemand(from_=FIRST, basis="actual"), 2880, 3840.0),
        (DatedDemand(from_=FIRST, basis="actual"), 2000, None),
        # 80 kW are 27.5 kW above 105 % of 50 kW: (50 + 2 x 27.5) x 48 yuan
        (DatedDemand(from_=FIRST, basis="contract", contract_kw=50), 2880, 5040.0),
    ],
)
def test_demand_is_charged_once_a_month(
    demand: DatedDemand, quarters_known: int, yuan: float | None
) -> None:
    account = electricity(demand)
    price = Price(
        tariff="time-of-use",
        from_=FIRST,
        flat=0.7,
        peak=1.0,
        valley=0.4,
        capacity=30.0,
        demand=48.0,
    )
    is_hourly = demand.basis == "capacity"
    amount = hourly(10, 5) if is_hourly else np.repeat(hourly(10, 5), 4) / 4
    if not is_hourly:
        amount[100] = 20.0
        amount[quarters_known:] = np.nan
    found = cost(costed(account, {"main": amount}, price))
    assert found.demand_cost == pytest.approx(yuan)
    if yuan is None:
        assert found.cost is None
        assert found.energy_cost is not None
        assert "unknown_demand" in codes(found)


def test_demand_above_a_contract_that_is_not_measured_leaves_the_cost_open_upwards() -> None:
    """At least the contract's 50 kW are charged; a bill with more demand does not contradict it."""
    account = electricity(DatedDemand(from_=FIRST, basis="contract", contract_kw=50))
    price = Price(tariff="time-of-use", from_=FIRST, flat=0.7, peak=1.0, valley=0.4, demand=48.0)
    amount = np.repeat(hourly(10, 5), 4) / 4
    amount[2000:] = np.nan
    bill = Bill("3208001", FIRST, date(2026, 6, 21), 3600.0, 9000.0)
    found = cost(costed(account, {"main": amount}, price), bills=(bill,))
    assert found.demand_cost == 2400
    assert (found.greatest, found.least) == (None, found.cost)
    assert {"unknown_demand"} <= {*codes(found)}
    assert "bill_cost_differs" not in codes(found)


def test_half_of_a_month_has_half_of_its_charge_for_demand() -> None:
    account = electricity(DatedDemand(from_=FIRST, basis="capacity", capacity_kva=1000))
    price = Price(tariff="time-of-use", from_=FIRST, flat=0.7, peak=1.0, valley=0.4, capacity=30.0)
    found = cost(costed(account, {"main": np.zeros(24 * 15)}, price, days=15))
    assert (found.cost, found.demand_cost, found.average_price) == (15_000, 15_000, None)


def test_a_price_of_demand_that_changes_in_the_month_holds_for_its_days() -> None:
    """15 days of 1000 kVA x 30 yuan, and 15 days of 1000 kVA x 40 yuan."""
    account = electricity(DatedDemand(from_=FIRST, basis="capacity", capacity_kva=1000))
    early, late = (
        Price(tariff="time-of-use", from_=day, flat=0.7, peak=1.0, valley=0.4, capacity=yuan)
        for day, yuan in ((FIRST, 30.0), (date(2026, 6, 16), 40.0))
    )
    assert cost(costed(account, {"main": hourly(10, 5)}, early, late)).demand_cost == 35_000


@pytest.mark.parametrize(("basis", "key"), [("capacity", "capacity"), ("actual", "demand")])
def test_a_charge_for_demand_without_a_price_is_told(basis: DemandBasis, key: str) -> None:
    account = electricity(DatedDemand(from_=FIRST, basis=basis, capacity_kva=1000))
    amount = np.repeat(hourly(10, 5), 4) / 4 if basis == "actual" else hourly(10, 5)
    found = cost(costed(account, {"main": amount}))
    assert (found.cost, found.energy_cost) == (None, 4320)
    assert codes(found) == ["no_demand_price"]
    assert dict(found.findings[0].values) == {"first": FIRST, "key": key}


def test_a_price_far_from_usual_ones_is_told() -> None:
    """A price with a shifted decimal point makes the cost ten times as high."""
    price = Price(tariff="time-of-use", from_=FIRST, flat=7.0, peak=10.0, valley=4.0)
    found = cost(costed(electricity(), {"main": hourly(10, 5)}, price))
    assert codes(found) == ["price_unusual"]
    assert dict(found.findings[0].values)["price"] == 8


def test_with_steps_the_costs_of_days_add_up_to_that_of_the_month() -> None:
    """20 m3 a day: on 19 June, the last 10 m3 at 3 yuan and the first 10 m3 at 4 yuan."""
    amount = np.concatenate([np.zeros(120), np.full(31, 630 / 31), np.full(30, 20.0)])
    days = costed(GAS, {"gas": amount}, first=date(2026, 1, 1), days=181)
    found = [cost(days, f"2026-06-{day:02}").cost or 0.0 for day in range(1, 31)]
    assert found[17:20] == pytest.approx([60, 70, 80])
    assert math.fsum(found) == pytest.approx(cost(days).cost)


def test_a_bill_is_compared_with_the_steps_of_its_own_days() -> None:
    """From 10 June to 20 June: 190 m3 at 3 yuan and 30 m3 at 4 yuan."""
    amount = np.concatenate([np.zeros(120), np.full(31, 630 / 31), np.full(30, 20.0)])
    days = costed(GAS, {"gas": amount}, first=date(2026, 1, 1), days=181)
    bill = Bill(GAS.id, date(2026, 6, 10), date(2026, 6, 21), 220.0, 190 * 3.0 + 30 * 4.0)
    found = cost(days, bills=(bill,)).billed
    assert found is not None
    assert found.computed_cost == pytest.approx(bill.cost_yuan)


def test_steps_go_on_over_the_months_of_a_year() -> None:
    """800 m3 in May at 3 yuan; in June 200 m3 at 3 yuan and 400 m3 at 4 yuan."""
    amount = np.concatenate([np.zeros(120), np.full(31, 800 / 31), np.full(30, 20.0)])
    days = costed(GAS, {"gas": amount}, first=date(2026, 1, 1), days=181)
    assert cost(days, "2026-05").cost == pytest.approx(2400)
    june = cost(days, "2026-06")
    assert june.cost == pytest.approx(200 * 3 + 400 * 4)
    assert june.average_price == pytest.approx(2200 / 600, abs=1e-6)
    assert cost(days, "2026").cost == pytest.approx(2400 + 2200)
    assert codes(june) == []


def test_a_step_is_uncertain_if_the_year_is_not_known_from_its_begin() -> None:
    amount = np.concatenate([np.full(120, np.nan), np.full(61, 20.0)])
    days = costed(GAS, {"gas": amount}, first=date(2026, 1, 1), days=181)
    assert codes(cost(days)) == ["uncertain_step"]


def test_consumption_at_unknown_hours_has_a_least_and_a_greatest_cost() -> None:
    """The day's 240 kWh are spread evenly: all of them could be by night or by day."""
    days = costed(electricity(), {"main": hourly(10, 10)}, unmeasured=["main"])
    found = cost(days)
    assert found.cost == 30 * (120 * 1.0 + 120 * 0.4)
    assert (found.least, found.greatest) == (30 * 240 * 0.4, 30 * 240 * 1.0)
    assert codes(found) == ["unmeasured_distribution"]
    assert dict(found.findings[0].values)["share"] == 1.0


def test_consumption_between_readings_may_have_any_price_of_this_time() -> None:
    """The meter is read on the first of the month; from the 16th on, prices are half higher."""
    account = msgspec.structs.replace(
        electricity(), tariff=(DatedTariff(date(2026, 1, 1), "one-price"),)
    )
    early = Price(tariff="one-price", from_=FIRST, flat=0.6)
    late = Price(tariff="one-price", from_=date(2026, 6, 16), flat=0.9)
    amount = np.full(30, 24.0)
    found = cost(costed(account, {"main": amount}, early, late, unmeasured=["main"], read_each=30))
    assert (found.least, found.cost, found.greatest) == (720 * 0.6, 720 * 0.75, 720 * 0.9)
    assert codes(found) == ["unmeasured_distribution"]
    certain = cost(costed(account, {"main": amount}, early, late, unmeasured=["main"]))
    assert certain.least == certain.greatest == certain.cost == 720 * 0.75
    halves = cost(costed(account, {"main": amount}, early, late, unmeasured=["main"], read_each=15))
    assert halves.least == halves.greatest, "read on the day of the change"


def test_only_prices_of_the_days_that_are_added_up_are_possible() -> None:
    """Between the two readings of the bill there are two prices, in each month only one."""
    account = msgspec.structs.replace(
        electricity(), tariff=(DatedTariff(date(2026, 1, 1), "one-price"),)
    )
    may = Price(tariff="one-price", from_=date(2026, 5, 1), flat=0.6)
    june = Price(tariff="one-price", from_=FIRST, flat=0.9)
    days = costed(
        account,
        {"main": np.full(61, 24.0)},
        may,
        june,
        first=date(2026, 5, 1),
        days=61,
        unmeasured=["main"],
        read_each=61,
    )
    bill = Bill("3208001", date(2026, 5, 1), date(2026, 7, 1), 1464.0, 1464 * 0.9)
    found = cost(days, bills=(bill,))
    assert (found.least, found.greatest) == (720 * 0.9, 720 * 0.9)
    assert "bill_cost_differs" not in codes(found)


def test_a_month_without_a_price_has_no_cost() -> None:
    found = cost(costed(electricity(), {"main": hourly(10, 5)}, STEPS))
    assert (found.cost, found.average_price, found.amount) == (None, None, 5400)
    assert codes(found) == ["no_price"]


def test_unknown_hours_lower_the_coverage() -> None:
    amount = hourly(10, 5)
    amount[:72] = np.nan
    found = cost(costed(electricity(), {"main": amount}))
    assert found.coverage == 0.9
    assert codes(found) == ["gap"]


def test_what_no_sub_meter_measures_is_told() -> None:
    """The branch has half of the day's and nothing of the night's consumption."""
    rows = {"main": hourly(10, 5), "branch": hourly(5, 0)}
    found = cost(costed(electricity(), rows))
    assert (found.unmetered_amount, found.unmetered_cost) == (3600, 1800 + 720)
    assert codes(found) == ["unmetered_cost"]


BILL = Bill("3208001", FIRST, date(2026, 7, 1), 5400.0, 4320.0)


@pytest.mark.parametrize(
    ("amount", "yuan", "expected"),
    [
        (5400.0, 4320.0, []),
        (5500.0, 4400.0, []),  # 1.9 %
        (5600.0, 4320.0, ["bill_amount_differs"]),
        (5400.0, 4700.0, ["bill_cost_differs"]),
        (5400.0, 9000.0, ["bill_cost_differs", "bill_price_unusual"]),
        (5400.0, 0.432, ["bill_cost_differs", "bill_in_other_unit"]),
        (5400.0, None, []),
    ],
)
def test_a_bill_is_compared_with_meters_tariff_and_usual_prices(
    amount: float, yuan: float | None, expected: list[str]
) -> None:
    bill = Bill(BILL.account, BILL.start, BILL.end, amount, yuan)
    found = cost(costed(electricity(), {"main": hourly(10, 5)}), bills=(bill,))
    assert codes(found) == expected
    assert found.billed is not None
    assert found.billed.metered_amount == 5400
    assert found.billed.amount_difference_pct == pytest.approx((amount - 5400) / 54)
    if yuan is None:
        assert found.billed.cost_difference_pct is None


def test_a_bill_is_compared_over_its_own_days() -> None:
    """From 21 May to 20 June, 31 days of 144 yuan; it belongs to June."""
    bill = Bill("3208001", date(2026, 5, 21), date(2026, 6, 21), 31 * 180.0, 31 * 144.0)
    days = costed(electricity(), {"main": hourly(10, 5, 61)}, first=date(2026, 5, 1), days=61)
    june = cost(days, bills=(bill,))
    assert june.billed is not None
    assert june.billed.cost_difference_pct == pytest.approx(0, abs=1e-9)
    assert cost(days, "2026-05", (bill,)).billed is None


def test_a_cost_within_what_is_possible_is_no_difference() -> None:
    days = costed(electricity(), {"main": hourly(10, 10)}, unmeasured=["main"])
    bill = Bill("3208001", FIRST, date(2026, 7, 1), 7200.0, 6900.0)
    assert codes(cost(days, bills=(bill,))) == ["unmeasured_distribution"]


@settings(max_examples=30)
@given(
    st.lists(st.floats(0, 50), min_size=48, max_size=48),
    st.lists(st.booleans(), min_size=48, max_size=48),
)
def test_cost_lies_between_all_hours_cheap_and_all_hours_dear(
    amounts: list[float], known: list[bool]
) -> None:
    amount = np.where(known, amounts, np.nan)
    days = costed(electricity(), {"main": amount}, PRICE, days=2, unmeasured=["main"])
    found = cost(days)
    if not any(known):
        assert (found.amount, found.cost, found.coverage) == (None, None, 0)
        return
    total = math.fsum(one for one, is_known in zip(amounts, known, strict=True) if is_known)
    assert found.amount == pytest.approx(total, abs=1e-5)
    assert found.least == pytest.approx(0.4 * total, abs=1e-4)
    assert found.greatest == pytest.approx(1.0 * total, abs=1e-4)
    assert found.cost is not None
    assert 0.4 * total - 1e-4 <= found.cost <= total + 1e-4
