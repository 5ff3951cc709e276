"""Compare the bills of an account with its meters and its tariff.

Laws:

1. A bill is compared over its own days, whatever the period of the figures. It belongs to the
   period that contains its last day.
2. A bill is compared only if at least 95 % of the consumption of its days is known.
3. A cost that is uncertain, because the time of consumption is not measured, is compared with the
   nearest possible cost.

Pure: bills and daily costs in, findings out.
"""

import math
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import Final

import msgspec

from analytics.costs.account_days import AccountDays
from analytics.costs.cost_result import BilledAmounts
from analytics.costs.cost_sums import cost_sums, own_part
from analytics.figures.figure import rounded
from analytics.tariffs.tariff import ReferencePrice
from jieneng.metering.findings import Finding
from jieneng.metering.quantities import CONSUMPTION, QUANTITIES

_LEAST_KNOWN: Final = 0.95
#: Factor between yuan and 万元.
_TEN_THOUSAND: Final = 10_000.0


class Bill(msgspec.Struct, frozen=True):
    """A bill of an account.

    Attributes:
        account: id of the account.
        start: first local day.
        end: local day after the last one.
        amount: amount [kWh, m3 or GJ].
        cost_yuan: cost [yuan]; None if the bill does not state it.
    """

    account: str
    start: date
    end: date
    amount: float
    cost_yuan: float | None

    @property
    def last_day(self) -> date:
        """Last local day of the bill."""
        return self.end - timedelta(days=1)


class ComparedBill(msgspec.Struct, frozen=True):
    """A bill, with the metered amount and the computed cost of its days. Unknown values are NaN.

    Attributes:
        bill: the bill.
        amount: metered consumption.
        least: least possible cost [yuan].
        cost: computed cost [yuan].
        greatest: greatest possible cost [yuan].
    """

    bill: Bill
    amount: float
    least: float
    cost: float
    greatest: float


def compared_bill(bill: Bill, days: AccountDays) -> ComparedBill:
    """Return a bill with the metered amount and the computed cost of its days."""
    unknown = ComparedBill(bill, *[math.nan] * 4)
    if bill.start < days.plan.days[0] or bill.last_day > days.plan.days[-1]:
        return unknown
    span = days.plan.span(bill.start, bill.end)
    sums = cost_sums([own_part(days, span)])
    if not sums.coverage >= _LEAST_KNOWN:
        return unknown
    cost = sums.energy_yuan + float(days.demand_yuan[span].sum())
    greatest = math.inf if days.has_open_demand(span) else cost + sums.too_low
    return ComparedBill(bill, sums.amount, cost - sums.too_high, cost, greatest)


def billed_amounts(bills: Sequence[ComparedBill]) -> BilledAmounts | None:
    """Return the sums of bills; None if there is none."""
    if not bills:
        return None

    def total(values: Iterator[float | None]) -> float | None:
        return rounded(sum(math.nan if value is None else value for value in values))

    return BilledAmounts(
        count=len(bills),
        amount=sum(one.bill.amount for one in bills),
        cost=total(one.bill.cost_yuan for one in bills),
        metered_amount=total(one.amount for one in bills),
        computed_cost=total(one.cost for one in bills),
    )


def bill_findings(
    compared: ComparedBill, days: AccountDays, references: Sequence[ReferencePrice]
) -> Iterator[Finding]:
    """Yield findings about a bill: about its amount, its cost and its unit price."""
    bill, account, medium = compared.bill, days.plan.account, days.plan.medium
    unit = QUANTITIES[CONSUMPTION[medium]].unit
    difference = abs(bill.amount - compared.amount)
    if difference > account.amount_tolerance * abs(compared.amount):
        yield Finding.of(
            "bill_amount_differs",
            account.id,
            first=bill.start,
            last=bill.last_day,
            billed=bill.amount,
            metered=compared.amount,
            unit=unit,
            share=difference / compared.amount if compared.amount else 1.0,
        )
    if bill.cost_yuan is None:
        return
    nearest = min(max(bill.cost_yuan, compared.least), compared.greatest)
    if abs(bill.cost_yuan - nearest) > account.cost_tolerance * abs(nearest):
        yield Finding.of(
            "bill_cost_differs",
            account.id,
            first=bill.start,
            last=bill.last_day,
            billed=bill.cost_yuan,
            computed=compared.cost,
            share=abs(bill.cost_yuan - compared.cost) / compared.cost if compared.cost else 1.0,
        )
    if bill.amount > 0:
        price = bill.cost_yuan / bill.amount
        for row in references:
            if row.medium == medium and not row.least <= price <= row.greatest:
                code = "bill_price_unusual"
                if any(row.least <= one <= row.greatest for one in _slipped(price)):
                    code = "bill_in_other_unit"
                yield Finding.of(
                    code,
                    account.id,
                    first=bill.start,
                    last=bill.last_day,
                    price=price,
                    unit=row.unit,
                    least=row.least,
                    greatest=row.greatest,
                )


def _slipped(price: float) -> tuple[float, float]:
    """Return the prices that would follow if yuan and 万元 were mistaken for each other."""
    return price * _TEN_THOUSAND, price / _TEN_THOUSAND
