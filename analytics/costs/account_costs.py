"""Return the cost of an account in a period, with findings.

Laws:

1. Days that are not over are left out; the result states its last day.
2. The unmetered consumption is that of the account's own meters, less that of the meters directly
   below them.

Pure: daily costs in, results out.
"""

from collections.abc import Sequence

import msgspec
import numpy as np

from analytics.costs.account_days import AccountDays
from analytics.costs.bill_comparison import Bill, bill_findings, billed_amounts, compared_bill
from analytics.costs.cost_findings import (
    amount_findings,
    demand_findings,
    level_findings,
    price_findings,
    rest_findings,
    step_findings,
)
from analytics.costs.cost_result import CostResult
from analytics.costs.cost_sums import CostSums, cost_part, cost_result, cost_sums, own_part
from analytics.figures.boundary.site_structure import SiteStructure
from analytics.figures.figure import rounded
from analytics.periods import Period
from analytics.tariffs.tariff import ReferencePrice


def account_cost(
    days: AccountDays,
    period: Period,
    structure: SiteStructure,
    bills: Sequence[Bill],
    references: Sequence[ReferencePrice],
) -> CostResult:
    """Return the cost of an account in a period.

    Args:
        days: consumption and cost of the account, at least on the days of the period that are over.
        period: the period.
        structure: the structure of the site by day.
        bills: bills of the account.
        references: usual prices, by which bills are checked.
    """
    account = days.plan.account
    span = days.plan.span(period.start, period.end)
    sums = cost_sums([own_part(days, span)])
    rest = _rest(days, span, structure)
    compared = [
        compared_bill(bill, days) for bill in bills if period.start <= bill.last_day < period.end
    ]
    result = cost_result(
        sums,
        float(days.demand_yuan[span].sum()),
        kind="account",
        subject=account.id,
        medium=days.plan.medium,
        period=period,
        last_day=days.plan.days[span][-1],
    )
    return msgspec.structs.replace(
        result,
        greatest=None if days.has_open_demand(span) else result.greatest,
        unmetered_amount=None if rest is None else rounded(rest.amount),
        unmetered_cost=None if rest is None else rounded(rest.energy_yuan),
        billed=billed_amounts(compared),
        findings=(
            *price_findings(days, span),
            *level_findings(days, sums, references),
            *step_findings(days, span),
            *amount_findings(account.id, sums),
            *demand_findings(days, span),
            *rest_findings(days, rest, sums),
            *(one for bill in compared for one in bill_findings(bill, days, references)),
        ),
    )


def _rest(days: AccountDays, span: slice, structure: SiteStructure) -> CostSums | None:
    """Return the unmetered consumption of an account (law 2); None without sub-meters."""
    own, rows = days.own[:, span].astype(np.float64), {m: row for row, m in enumerate(days.meters)}
    weight = own.copy()
    for of_days, of_structure in structure.spans(days.plan.days[span]):
        for row, meter in enumerate(days.meters):
            above = rows.get(of_structure.places[meter].parent or "")
            if above is not None:
                weight[row, of_days] -= own[above, of_days]
    if not (weight < 0).any():
        return None
    return cost_sums([cost_part(days, span, weight)])
