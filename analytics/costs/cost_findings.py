"""Find reasons for doubtful or unknown costs. Pure: daily costs in, findings out."""

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from analytics.costs.account_days import LEAST_DEMAND_KNOWN, AccountDays
from analytics.costs.cost_sums import CostSums
from analytics.tariffs.demand_charge import demand_price_key
from analytics.tariffs.tariff import ReferencePrice
from jieneng.metering.findings import Finding

#: Smallest share of time, amount or cost that is worth a finding.
_LEAST_SHARE: Final = 0.005


def price_findings(days: AccountDays, span: slice) -> Iterator[Finding]:
    """Yield findings about days without a price, and about tariffs known only from reports."""
    plan = days.plan
    lacks = (np.isnan(plan.prices[span]) & (days.own_amount[span] != 0)).any(axis=1)
    numbers = np.flatnonzero(lacks).tolist()
    in_span = plan.days[span]
    if numbers:
        tariff = plan.tariffs[span][numbers[0]]
        first, last = in_span[numbers[0]], in_span[numbers[-1]]
        if tariff is None:
            yield Finding.of("no_tariff", plan.account.id, first=first, last=last)
        else:
            yield Finding.of("no_price", plan.account.id, tariff=tariff.id, first=first, last=last)
    used = {tariff.id: tariff for tariff in plan.tariffs[span] if tariff is not None}
    for tariff in used.values():
        if tariff.confidence == "reported":
            yield Finding.of("reported_tariff", tariff.id, source=tariff.source)


def level_findings(
    days: AccountDays, sums: CostSums, references: Sequence[ReferencePrice]
) -> Iterator[Finding]:
    """Yield a finding if the average price without the charge for demand is far from usual."""
    price = sums.energy_yuan / sums.amount if sums.amount > 0 else np.nan
    for row in references:
        if row.medium == days.plan.medium and (price < row.least or price > row.greatest):
            yield Finding.of(
                "price_unusual",
                days.plan.account.id,
                price=price,
                unit=row.unit,
                least=row.least,
                greatest=row.greatest,
            )


def step_findings(days: AccountDays, span: slice) -> Iterator[Finding]:
    """Yield a finding if consumption since the reset is unknown, so that a step may be wrong."""
    plan = days.plan
    last = plan.tariffs[span][-1] if plan.days[span] else None
    if last is None or last.resets != "yearly":
        return
    until = plan.days[span][-1]
    since = plan.span(until.replace(month=1, day=1), until)
    known = days.known[:, since][days.own[:, since]]
    if known.size and known.mean() < 1 - _LEAST_SHARE:
        yield Finding.of(
            "uncertain_step",
            plan.account.id,
            first=plan.days[since][0],
            coverage=float(known.mean()),
        )


def amount_findings(subject: str, sums: CostSums) -> Iterator[Finding]:
    """Yield a finding about unknown consumption, and about consumption at an unknown time."""
    if sums.coverage < 1 - _LEAST_SHARE:
        yield Finding.of("gap", subject, weight=1 - sums.coverage, coverage=sums.coverage)
    slack, cost = sums.too_high + sums.too_low, abs(sums.energy_yuan)
    if slack > _LEAST_SHARE * cost:
        yield Finding.of(
            "unmeasured_distribution",
            subject,
            weight=min(slack / cost, 1.0) if cost else None,
            share=min(sums.unmeasured / abs(sums.amount), 1.0) if sums.amount else 1.0,
            least=sums.energy_yuan - sums.too_high,
            greatest=sums.energy_yuan + sums.too_low,
        )


def demand_findings(days: AccountDays, span: slice) -> Iterator[Finding]:
    """Yield findings if demand has no price, or if too little of the demand is measured."""
    plan = days.plan
    known = days.demand_known[span]
    is_short = known < LEAST_DEMAND_KNOWN
    if is_short.any():
        yield Finding.of("unknown_demand", plan.account.id, coverage=float(known[is_short].min()))
    for number in range(*span.indices(len(plan.days))):
        demand, price = plan.demand_on(plan.days[number]), plan.price_rows[number]
        if demand is None or price is None:
            continue
        key = demand_price_key(demand)
        if getattr(price, key) is None:
            yield Finding.of("no_demand_price", plan.account.id, first=plan.days[number], key=key)
            return


def rest_findings(days: AccountDays, rest: CostSums | None, whole: CostSums) -> Iterator[Finding]:
    """Yield a finding about the part of an account that no sub-meter measures."""
    if rest is None or not whole.amount or not rest.coverage >= 1 - _LEAST_SHARE:
        return
    share = rest.amount / whole.amount
    if abs(share) >= _LEAST_SHARE and np.isfinite(rest.energy_yuan):
        code = "unmetered_cost" if share > 0 else "cost_exceeds_account"
        yield Finding.of(
            code, days.plan.account.id, share=min(abs(share), 1.0), cost=abs(rest.energy_yuan)
        )
