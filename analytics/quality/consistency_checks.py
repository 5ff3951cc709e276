"""Compare consumption with sub-meters and bills, and published years with their parts. Pure."""

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np

from analytics.figures.site_consumption import MeterConsumption
from analytics.quality.concern import Concern
from analytics.quality.month_amounts import month_sums
from analytics.quality.year_changes import power_of_ten
from jieneng.metering.findings import Finding, Value
from jieneng.metering.indicators import INDICATORS
from jieneng.metering.quantities import CONSUMPTION, QUANTITIES, Medium

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Largest share of a meter by which the meters below it may exceed it (meter balance, 5 %).
_BALANCE: Final = 0.05
#: Largest difference of a bill and the sum of its days ("daily sum against monthly", 5 %).
_BILL: Final = 0.05
#: Largest difference at which a bill is taken as that of another year.
_SAME: Final = 0.01
#: Smallest number of bills of a meter from which the usual price is computed, as the median.
_LEAST_BILLS: Final = 3
#: Largest relative difference of a published year and the sum of its published parts: rounding.
_ROUNDING: Final = 1e-6

#: Indicators whose months add up to the year.
ADDITIVE: Final = frozenset(
    {"energy_total", "water_total", "carbon_total", "electricity", "gas", "water"}
)


class BilledAmount(msgspec.Struct, frozen=True, kw_only=True):
    """A bill of a meter, compared with the meter's consumption.

    Attributes:
        meter: id of the meter.
        medium: medium of the meter.
        start: first local day of the bill.
        last: last local day of the bill.
        amount: amount of the bill [kWh, m3 or GJ].
        cost_yuan: cost of the bill; None if unknown.
        metered: consumption of the meter on the days of the bill; NaN if unknown.
        other_years: consumption on the same days of other years, by year.
    """

    meter: str
    medium: Medium
    start: date
    last: date
    amount: float
    cost_yuan: float | None
    metered: float
    other_years: Mapping[int, float]


def meter_balance(
    rests: "Mapping[str, NDArray[np.float64]]", metered: MeterConsumption, days: Sequence[date]
) -> Iterator[Concern]:
    """Yield a concern for each meter that counted less in a month than the meters below it.

    Args:
        rests: daily consumption behind a meter that no meter below it measures, shape (days,), by
            its id; NaN if unknown.
        metered: consumption of the meters above.
        days: local days of the period.
    """
    for meter, by_day in rests.items():
        if meter not in metered.meters:
            continue
        own = metered.amount[metered.meters.index(meter)]
        months, rest = month_sums(by_day, days)
        _, amount = month_sums(np.where(np.isnan(by_day), np.nan, own), days)
        share = np.divide(rest, amount, out=np.full(len(months), np.nan), where=amount > 0)
        is_exceeded = share < -_BALANCE
        if is_exceeded.any():
            finding = Finding.of(
                "meter_balance",
                meter,
                months=int(is_exceeded.sum()),
                share=float(-share[is_exceeded].min()),
                first=months[int(np.flatnonzero(is_exceeded)[0])],
            )
            yield Concern(finding, float(-rest[is_exceeded].sum()))


def bill_differences(bills: Sequence[BilledAmount]) -> Iterator[Concern]:
    """Yield a concern for each bill that differs from the meter or has a cost in a wrong unit."""
    by_meter: dict[str, list[BilledAmount]] = {}
    for bill in bills:
        by_meter.setdefault(bill.meter, []).append(bill)
        if math.isfinite(bill.metered) and not _agrees(bill.amount, bill.metered, _BILL):
            yield _difference(bill)
    for of_meter in by_meter.values():
        yield from _cost_slips(of_meter)


def _difference(bill: BilledAmount) -> Concern:
    values: dict[str, Value] = {
        "first": bill.start,
        "last": bill.last,
        "billed": bill.amount,
        "metered": bill.metered,
        "unit": QUANTITIES[CONSUMPTION[bill.medium]].unit,
    }
    same = [y for y, amount in bill.other_years.items() if _agrees(bill.amount, amount, _SAME)]
    if same:
        code, values["year"] = "bill_other_year", same[0]
    else:
        code = "bill_amount_differs"
        values["share"] = abs(bill.amount / bill.metered - 1) if bill.metered else 1.0
    return Concern(Finding(code, bill.meter, tuple(values.items())), bill.amount - bill.metered)


def _cost_slips(bills: Sequence[BilledAmount]) -> Iterator[Concern]:
    """Yield a concern for each bill of a meter whose price is a power of ten of the usual price."""
    prices = {
        bill.start: bill.cost_yuan / bill.amount
        for bill in bills
        if bill.cost_yuan and bill.amount > 0
    }
    if len(prices) < _LEAST_BILLS:
        return
    usual = float(np.median(list(prices.values())))
    slips = {start for start, price in prices.items() if power_of_ten(price / usual) is not None}
    others = [price for start, price in prices.items() if start not in slips]
    for bill in bills:
        if bill.start in slips:
            finding = Finding.of(
                "bill_in_other_unit",
                bill.meter,
                first=bill.start,
                last=bill.last,
                price=prices[bill.start],
                least=min(others),
                greatest=max(others),
                unit=f"yuan/{QUANTITIES[CONSUMPTION[bill.medium]].unit}",
            )
            yield Concern(finding, 0.0)


def _agrees(one: float, other: float, limit: float) -> bool:
    return abs(one - other) <= limit * max(abs(one), abs(other))


def periods_not_annual(
    year: Sequence[Mapping[str, Any]], parts: Sequence[Sequence[Mapping[str, Any]]], period: str
) -> Iterator[Finding]:
    """Yield a finding for each published year that is not the sum of its published parts.

    Args:
        year: published figures of the year, as elements of their JSON form.
        parts: published figures of all months or all quarters of the year.
        period: id of the year.
    """
    sums: dict[tuple[str, str, str | None], float] = {}
    for figures in parts:
        for key, value in _additive(figures):
            sums[key] = sums.get(key, 0.0) + value
    for key, value in _additive(year):
        total = sums.get(key)
        if total is not None and abs(total - value) > _ROUNDING * abs(value) + 12 * _ROUNDING:
            scope, indicator, _ = key
            yield Finding.of(
                "periods_not_annual",
                scope,
                weight=abs(total - value) / abs(value) if value else 1.0,
                indicator=indicator,
                period=period,
                unit=INDICATORS[indicator].unit,
                total=total,
                value=value,
            )


def _additive(
    figures: Sequence[Mapping[str, Any]],
) -> Iterator[tuple[tuple[str, str, str | None], float]]:
    for one in figures:
        if one["indicator"] in ADDITIVE and one["value"] is not None:
            yield (one["scope"], one["indicator"], one["factor_series"]), one["value"]
