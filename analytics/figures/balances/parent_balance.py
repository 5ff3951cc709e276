"""Compare each meter with the meters directly below it over a period. Pure.

Laws:

1. The rest of a meter is the energy behind it that neither left the site nor is measured by a meter
   directly below it (`balance_consumption`). What left is shown by itself, because it is no
   consumption: energy that went out through the meter, or through one of the role `export`.
2. Only days count on which a meter is below, and all these meters are known, on both sides.
3. A rest is explained by the tolerance and by amounts that are estimated at the edges of the
   period. Beyond that, a negative rest is a fault: a meter, its ratio or its place in the tree is
   wrong. A positive one is consumption without a meter, which most sites have.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Literal

import msgspec
import numpy as np

from analytics.counters.consumption import zero_where_unknown
from analytics.figures.boundary.flows import Flow
from analytics.figures.boundary.site_structure import SiteStructure
from analytics.figures.consumption_sums.balance_consumption import rest_sign
from analytics.figures.figure import rounded
from analytics.figures.site_consumption import MeterConsumption, SiteConsumption
from analytics.periods import Period, days, windows
from jieneng.metering.findings import Finding
from jieneng.metering.quantities import CONSUMPTION, QUANTITIES, Medium

if TYPE_CHECKING:
    from datetime import date

    from numpy.typing import NDArray

#: Length of the parts of a period that have balances of their own.
BalanceStep = Literal["period", "month", "day"]
BalanceStatus = Literal["agrees", "unmetered", "negative", "insufficient_data"]

#: Usual tolerance of a rest, as a share of the meter above [%]: the limit at which monitoring
#: systems block the closing of a month (Siemens, meter balance). It is the limit of the packaged
#: alert rule `submeters-exceed-main`, too.
TOLERANCE_PCT: Final = 5.0


class ParentBalance(msgspec.Struct, frozen=True, kw_only=True):
    """A meter and the meters directly below it in a period.

    Attributes:
        meter: id of the meter above.
        period: id of the period.
        medium: the medium.
        unit: unit of the amounts: kWh, m3 or GJ.
        children: ids of the meters directly below it.
        amount: energy behind the meter; None if unknown.
        exported: part of it that was exported.
        measured: part of it that was consumed behind the meters below.
        rest: part of it that no meter measures; negative if they measure more. It is `amount`
            less `exported` and `measured`.
        rest_pct: `rest` as a share of `amount` [%].
        estimated: part of the amounts that is estimated at the edges of the period.
        coverage: share of the time for which all these meters are known, 0 to 1.
        status: `agrees` within the tolerance; `unmetered` or `negative` beyond it.
    """

    meter: str
    period: str
    medium: Medium
    unit: str
    children: tuple[str, ...]
    amount: float | None
    exported: float | None
    measured: float | None
    rest: float | None
    rest_pct: float | None
    estimated: float | None
    coverage: float | None
    status: BalanceStatus = "insufficient_data"


def balance_parts(period: Period, step: BalanceStep) -> list[Period]:
    """Return the months or days of a period, or the period itself; empty for a period without days.

    Args:
        period: the period.
        step: length of the parts.
    """
    if not period.days:
        return []
    if step == "period":
        return [period]
    if step == "month":
        months = windows(period.start, period.end, months=1)
        return [Period(f"{start:%Y-%m}", start, end) for start, end in months]
    every = days(period.start, period.end)
    return [Period(f"{day}", day, day + timedelta(days=1)) for day in every]


def parent_balances(
    structure: SiteStructure,
    consumption: SiteConsumption,
    period: Period,
    tolerance_pct: float,
    coverage_floor: float,
) -> list[ParentBalance]:
    """Return the balance of each meter with sub-meters, in the order of `site.toml`.

    Args:
        structure: structure of the site by day.
        consumption: consumption of all meters, on the period's days and possibly more days.
        period: the period.
        tolerance_pct: greatest rest that agrees, as a share of the meter above [%].
        coverage_floor: smallest coverage for a verdict, 0 to 1.
    """
    return [
        _with_status(balance, tolerance_pct, coverage_floor)
        for medium, metered in consumption.days_of(period).items()
        for balance in _medium_balances(structure, medium, metered, period)
    ]


def _medium_balances(
    structure: SiteStructure, medium: Medium, metered: MeterConsumption, period: Period
) -> Iterator[ParentBalance]:
    """Yield the balance of each meter of a medium that has sub-meters, without a verdict."""
    flows, period_days = metered.flows(structure.site), days(period.start, period.end)
    for top, rows in _families(structure, flows, period_days).items():
        members = [flows[row] for row in rows]
        weight = _weights(structure, top, members, period_days)
        has_children = (weight < 0).any(axis=0)
        if not has_children.any():
            continue
        amounts, bounded = metered.amount[rows], metered.bounded[rows]
        is_known = has_children & (np.isfinite(amounts) | (weight == 0)).all(axis=0)
        known_share = np.where(weight != 0, bounded, 1.0).min(axis=0) * is_known
        known = np.where(is_known, zero_where_unknown(amounts), 0.0)
        nothing = 0.0 if is_known.any() else np.nan
        whole = float((weight.clip(0) * known).sum()) + nothing
        outflow = ((-weight).clip(0) * known).sum(axis=1)
        is_export = np.array([flow.kind == "export" for flow in members])
        exported = float(outflow[is_export].sum()) + nothing
        below = float(outflow[~is_export].sum()) + nothing
        size = np.abs(weight)
        at_start = size[:, 0] @ zero_where_unknown(metered.spread_start[rows, 0])
        at_end = size[:, -1] @ zero_where_unknown(metered.spread_end[rows, -1])
        yield ParentBalance(
            meter=top,
            period=period.id,
            medium=medium,
            unit=QUANTITIES[CONSUMPTION[medium]].unit,
            children=tuple(dict.fromkeys(m.meter.id for m in members if m.meter.id != top)),
            amount=rounded(whole),
            exported=rounded(exported),
            measured=rounded(below),
            rest=rounded(whole - exported - below),
            rest_pct=rounded(100 * (whole - exported - below) / whole) if whole > 0 else None,
            estimated=rounded(float(at_start + at_end)),
            coverage=rounded(float(known_share[has_children].mean())),
        )


def rest_finding(balance: ParentBalance, scope_amount: float) -> Finding | None:
    """Return the finding about a negative rest; None if the balance has another verdict.

    Args:
        balance: the balance.
        scope_amount: consumption of the scope, in the same unit; NaN if unknown.
    """
    if balance.status != "negative" or balance.rest is None:
        return None
    share = abs(balance.rest / scope_amount) if scope_amount else np.nan
    return Finding.of(
        "negative_rest",
        balance.meter,
        weight=min(float(share), 1.0) if np.isfinite(share) else None,
        amount=-balance.rest,
        unit=balance.unit,
    )


def _families(
    structure: SiteStructure, flows: Sequence[Flow], period_days: "Sequence[date]"
) -> Mapping[str, list[int]]:
    """Return the rows of each meter and of all meters directly below it on any day, by its id."""
    rows: dict[str, list[int]] = {}
    for row, flow in enumerate(flows):
        rows.setdefault(flow.meter.id, []).append(row)
    tops = [flow.meter.id for flow in flows if flow.kind == "purchase"]
    families = {top: dict.fromkeys(rows[top]) for top in tops}
    for _, on_days in structure.spans(period_days):
        for meter_id, own in rows.items():
            parent = on_days.places[meter_id].parent
            if parent in families:
                families[parent].update(dict.fromkeys(own))
    return {top: list(found) for top, found in families.items() if len(found) > len(rows[top])}


def _weights(
    structure: SiteStructure, top: str, members: Sequence[Flow], period_days: "Sequence[date]"
) -> "NDArray[np.float64]":
    """Return the sign of each flow in the rest of a meter, shape (members, days)."""
    weight = np.zeros((len(members), len(period_days)))
    for span, on_days in structure.spans(period_days):
        for number, flow in enumerate(members):
            weight[number, span] = rest_sign(top, flow, on_days)
    return weight


def _with_status(
    balance: ParentBalance, tolerance_pct: float, coverage_floor: float
) -> ParentBalance:
    """Return a balance with its verdict (law 3)."""
    rest, coverage = balance.rest, balance.coverage
    if rest is None or coverage is None or coverage < coverage_floor:
        return balance
    room = tolerance_pct / 100 * (balance.amount or 0.0) + (balance.estimated or 0.0)
    status: BalanceStatus = "agrees"
    if abs(rest) > room:
        status = "negative" if rest < 0 else "unmetered"
    return msgspec.structs.replace(balance, status=status)
