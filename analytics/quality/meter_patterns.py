"""Find consumption that looks typed, copied or frozen. Pure.

Laws:

1. Equal means equal to the last digit. Small amounts are often equal by chance, because registers
   count in whole units; so only amounts of at least 100 units are compared.
2. Amounts that were distributed between distant readings are not compared: they are equal by
   computation.
"""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING, Final

import numpy as np

from analytics.counters.consumption import zero_where_unknown
from analytics.figures.site_consumption import MeterConsumption, contiguous_ranges
from analytics.quality.concern import Concern
from analytics.quality.month_amounts import MonthAmounts
from jieneng.metering.findings import Finding
from jieneng.metering.quantities import CONSUMPTION, QUANTITIES, Medium
from jieneng.metering.site import Site

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Smallest amount that is compared [kWh, m3 or GJ].
_LEAST_AMOUNT: Final = 100.0
#: Largest relative difference of equal amounts: rounding of sums.
_EQUAL: Final = 1e-9
#: Number of equal months from which on they are not a coincidence.
_LEAST_MONTHS: Final = 3
#: Number of equal days from which on they are not a coincidence (a choice; no official number is
#: known).
_LEAST_DAYS: Final = 14
#: Shortest period in which a meter should count something [days].
_ZERO_DAYS: Final = 90
_FULL: Final = 0.99
#: Greatest share of a day's consumption that may lie at its midnights between distant readings.
_MAX_SPREAD: Final = 0.02


def flat_lines(
    metered: MeterConsumption, days: Sequence[date], medium: Medium
) -> Iterator[Concern]:
    """Yield a concern for each meter with equal amounts on at least 14 consecutive days."""
    registers = metered.without_exports()
    amount = zero_where_unknown(registers.amount)
    spread = registers.spread_start + registers.spread_end  # NaN is not measured
    is_measured = (registers.coverage >= _FULL) & (spread <= _MAX_SPREAD * amount)
    is_large = is_measured & (amount * _ZERO_DAYS >= _LEAST_AMOUNT)
    is_equal = np.abs(np.diff(amount, axis=1)) <= _EQUAL * np.abs(amount[:, 1:])
    is_flat = is_equal & is_large[:, 1:] & is_large[:, :-1]
    for index in np.flatnonzero(is_flat.any(axis=1)).tolist():
        runs = contiguous_ranges(is_flat[index])
        first, end = max(runs, key=lambda run: run[1] - run[0])
        count = end - first + 1
        if count < _LEAST_DAYS:
            continue
        finding = Finding.of(
            "flat_line",
            registers.meters[index],
            amount=float(amount[index, first]),
            unit=QUANTITIES[CONSUMPTION[medium]].unit,
            days=count,
            first=days[first],
            last=days[first] + timedelta(days=count - 1),
        )
        yield Concern(finding, float(amount[index, first : end + 1].sum()))


def zero_lines(metered: MeterConsumption, days: Sequence[date]) -> Iterator[Concern]:
    """Yield a concern for each meter that was read and counted nothing in 90 days or more."""
    registers = metered.without_exports()
    if len(days) < _ZERO_DAYS:
        return
    is_read = registers.bounded.mean(axis=1) >= _FULL
    is_zero = is_read & (registers.amount == 0).all(axis=1)
    for index in np.flatnonzero(is_zero).tolist():
        yield Concern(Finding.of("zero_line", registers.meters[index], days=len(days)), 0.0)


def copied_months(
    now: MonthAmounts, before: MonthAmounts | None, meters: Sequence[str]
) -> Iterator[Concern]:
    """Yield a concern for each meter whose months equal those of the last year or each other."""
    for index, meter in enumerate(meters):
        own = now.amount[index]
        if before is not None and now.months and len(before.months) == len(now.months):
            found = _equal(own, before.amount[index])
            if found.sum() >= _LEAST_MONTHS:
                first = int(np.flatnonzero(found)[0])
                yield _copied(meter, own, found, now.months[first], before.months[first])
                continue
        repeated = _equal(own[1:], own[:-1])
        runs = [run for run in contiguous_ranges(repeated) if run[1] - run[0] >= _LEAST_MONTHS - 1]
        if runs:
            first, end = max(runs, key=lambda run: run[1] - run[0])
            is_copy = np.zeros(len(own), dtype=np.bool_)
            is_copy[first + 1 : end + 1] = True
            yield _copied(meter, own, is_copy, now.months[first + 1], now.months[first])


def _copied(
    meter: str, amount: "NDArray[np.float64]", is_copy: "NDArray[np.bool_]", first: date, of: date
) -> Concern:
    finding = Finding.of("copied_months", meter, months=int(is_copy.sum()), first=first, copied=of)
    return Concern(finding, float(amount[is_copy].sum()))


def copied_meters(now: MonthAmounts, meters: Sequence[str], site: Site) -> Iterator[Concern]:
    """Yield a concern for each meter whose months all equal those of another meter.

    A meter is not compared with the meter above it, because a branch with one meter may be equal,
    and a virtual meter with none, because its formula may name just one meter.

    Args:
        now: consumption by month.
        meters: ids of the meters.
        site: the site, for parents and formulas.
    """
    first_of: dict[tuple[float, ...], str] = {}
    for meter, amount in zip(meters, now.amount, strict=True):
        months = tuple(np.round(amount, 6).tolist())
        is_long = len(set(months)) >= _LEAST_MONTHS and (amount >= _LEAST_AMOUNT).all()
        if site.meters[meter].formula is not None or not is_long:
            continue
        other = first_of.setdefault(months, meter)
        related = (site.meters[meter].parent, site.meters[other].parent)
        if other != meter and other != related[0] and meter != related[1]:
            finding = Finding.of("copied_meter", meter, other=other, months=len(months))
            yield Concern(finding, float(amount.sum()))


def _equal(one: "NDArray[np.float64]", other: "NDArray[np.float64]") -> "NDArray[np.bool_]":
    """Return True where two amounts are known, large enough and equal."""
    is_equal: NDArray[np.bool_] = (one >= _LEAST_AMOUNT) & (np.abs(one - other) <= _EQUAL * one)
    return is_equal
