"""Compare the consumption of meters with the same days of another year. Pure.

A change of one meter is judged by the changes of the other meters of its medium: weather, holidays
and closed offices change all of them. A fixed limit of 10 % flagged 1,844 of 2,080 records of one
city.
"""

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import numpy as np

from analytics.counters.consumption import zero_where_unknown
from analytics.figures.site_consumption import MeterConsumption
from analytics.quality.concern import Concern
from jieneng.metering.findings import Finding, Value
from jieneng.metering.quantities import CONSUMPTION, QUANTITIES, Medium

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Smallest share of both years for which consumption must be known.
_LEAST_BOUNDED: Final = 0.95
#: Deviation from the usual change that is verified: 20 % (a choice; the methods, year on year and
#: fixed base, are those of Hami's statistics rules).
_LIMIT: Final = 0.20
#: Deviation in robust standard deviations of the group that is verified.
_SPREADS: Final = 3.0
#: Robust standard deviation of a normal distribution, as a multiple of its median deviation.
_ROBUST: Final = 1.4826
#: Smallest number of meters whose median change is the usual change.
_LEAST_GROUP: Final = 3
#: Powers of ten of mistakes in units and decimal points: kWh and MWh, 元 and 万元, ratios.
_POWERS: Final = (-4, -3, -2, -1, 1, 2, 3, 4)
#: Largest quotient of a change and a power of ten at which the change is such a mistake.
_NEAR: Final = 1.25


def year_changes(
    now: MeterConsumption, before: MeterConsumption, year: int, medium: Medium
) -> Iterator[Concern]:
    """Yield a concern for each meter whose change deviates from the usual change.

    The usual change is the median of the meters' changes; 0 with fewer than three meters.

    Args:
        now: consumption on the days of the period.
        before: consumption of the same meters on the same days of the other year.
        year: the other year.
        medium: medium of the meters.
    """
    amount, past = _totals(now), _totals(before)
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.where((amount > 0) & (past > 0), np.log(amount / past), np.nan)
    is_known = np.isfinite(logs)
    usual, spread = 0.0, 0.0
    if is_known.sum() >= _LEAST_GROUP:
        usual = float(np.median(logs[is_known]))
        spread = _ROBUST * float(np.median(np.abs(logs[is_known] - usual)))
    unit = QUANTITIES[CONSUMPTION[medium]].unit
    meters = now.without_exports().meters
    for index in np.flatnonzero(is_known).tolist():
        deviation = float(logs[index]) - usual
        if abs(math.expm1(deviation)) <= _LIMIT or abs(deviation) <= _SPREADS * spread:
            continue
        expected = float(past[index]) * math.exp(usual)
        values: dict[str, Value] = {
            "amount": float(amount[index]),
            "expected": expected,
            "unit": unit,
            "year": year,
        }
        power = power_of_ten(math.exp(deviation))
        code = "year_change"
        if power is not None:
            code, values["ratio"] = "unit_slip", 10.0**power
        finding = Finding(code, meters[index], tuple(values.items()))
        yield Concern(finding, float(amount[index]) - expected)


def power_of_ten(ratio: float) -> int | None:
    """Return the power of ten that a ratio is close to, -4 to 4; None for 0 and others."""
    near = [power for power in _POWERS if max(ratio / 10.0**power, 10.0**power / ratio) <= _NEAR]
    return near[0] if near else None


def _totals(metered: MeterConsumption) -> "NDArray[np.float64]":
    """Return the consumption of each register; NaN if less than 95 % of the time is known."""
    registers = metered.without_exports()
    is_known = registers.bounded.mean(axis=1) >= _LEAST_BOUNDED
    return np.where(is_known, zero_where_unknown(registers.amount).sum(axis=1), np.nan)
