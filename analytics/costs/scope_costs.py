"""Return the cost of an area, an institution or the site in a period.

Laws:

1. The cost of a scope is the sum of the costs of its meters, each at the prices of its account,
   with the weights of the scope's consumption (`roll_up`). So if scopes make up the site, their
   costs add up to the cost of the site.
2. Only purchased energy has a cost; self-generated energy has none.
3. If a meter that counts belongs to no account, the cost of the scope is unknown.

Pure: daily costs in, results out.
"""

from collections.abc import Sequence
from typing import Final

import msgspec
import numpy as np

from analytics.costs.account_days import AccountDays
from analytics.costs.cost_findings import amount_findings, price_findings
from analytics.costs.cost_result import CostResult
from analytics.costs.cost_sums import cost_part, cost_result, cost_sums, demand_share
from analytics.figures.boundary.flows import Flow, FlowKind
from analytics.figures.roll_up import Scope, boundary_weights
from analytics.periods import Period
from jieneng.metering.findings import Finding
from jieneng.metering.quantities import Medium
from jieneng.metering.site import Site

_PURCHASED: Final[frozenset[FlowKind]] = frozenset({"purchase"})


def scope_cost(
    scope: Scope, medium: Medium, period: Period, accounts: Sequence[AccountDays], site: Site
) -> CostResult | None:
    """Return the cost of a medium in a scope; None if no meter of the medium counts in it.

    Args:
        scope: the area, institution or site.
        medium: the medium.
        period: the period.
        accounts: consumption and cost of all accounts of the medium, at least on the days of the
            period that are over.
        site: the site.
    """
    meters = {meter.id: meter for meter in site.meter if meter.medium == medium}
    parts = []
    for of in accounts:
        span = of.plan.span(period.start, period.end)
        flows = [Flow(meters[one]) for one in of.meters]
        weight = boundary_weights(scope, flows, of.plan.days[span], _PURCHASED)
        weight *= of.is_member[:, span]
        if weight.any():
            parts.append(cost_part(of, span, weight))
    days = accounts[0].plan.days[accounts[0].plan.span(period.start, period.end)]
    every = [Flow(meter) for meter in meters.values()]
    of_none = boundary_weights(scope, every, days, _PURCHASED)
    rows = {meter: row for row, meter in enumerate(meters)}
    for of in accounts:
        span = of.plan.span(period.start, period.end)
        of_none[[rows[one] for one in of.meters]] *= ~of.is_member[:, span]
    unbilled = [one.meter.id for one, row in zip(every, of_none, strict=True) if row.any()]
    if not parts:
        return None
    sums = cost_sums(parts)
    found = [
        *(Finding.of("no_account", meter) for meter in unbilled),
        *(one for part in parts for one in price_findings(part.account, part.span)),
        *amount_findings(scope.id, sums),
    ]
    if unbilled:
        sums = msgspec.structs.replace(sums, costs=np.full_like(sums.costs, np.nan))
    result = cost_result(
        sums,
        sum(map(demand_share, parts)),
        kind=scope.kind,
        subject=scope.id,
        medium=medium,
        period=period,
        last_day=days[-1],
    )
    is_open = any(part.account.has_open_demand(part.span) for part in parts)
    return msgspec.structs.replace(
        result,
        greatest=None if is_open else result.greatest,
        findings=tuple(dict.fromkeys(found)),
    )
