"""Find amounts in another unit: a month in MWh or 10,000 kWh that is stored as kWh, or the reverse.

An example: the months of 2024 are imported from a new form. Its header says kWh, but it states MWh.

    month       Jan      Feb      Mar
    2023        12,300   11,700   12,600
    2024        12.4     11.9     12.8

Laws:

1. A step of at least three weeks is compared with the mean consumption of the same days of other
   years; for media without seasons also, if no other year is known, with the median of the meter's
   other steps of this length. Shorter steps are not judged: a holiday may have very little
   consumption.
2. It is in another unit if it is about 1,000 or 10,000 times as large or as small: within a factor
   of two. It can't be known which of the two is right, so both are reported if both are such steps.
3. The doubt is the difference from the expected consumption.
4. Steps beside each other with the same factor are one finding.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import numpy as np

from analytics.counters.own_past.day_history import DayHistory
from analytics.counters.register_finding import RegisterFinding
from jieneng.metering.findings import Finding

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LEAST_DAYS: Final = 20
_FACTORS: Final = (1000.0, 10_000.0)
_WITHIN: Final = 2.0
#: Smallest number of other steps whose median is compared.
_LEAST_STEPS: Final = 5
#: Distances to the same days in the ten years before and after [days].
_YEARS: Final = tuple(round(365.25 * year) for year in range(-10, 11) if year)
#: Smallest share of the same days that must be known in another year.
_KNOWN_SHARE: Final = 0.8


def unit_slips(meter: str, history: DayHistory, *, seasonal: bool) -> Iterator[RegisterFinding]:
    """Yield a finding for each time whose amounts are probably in another unit.

    Args:
        meter: id of the meter.
        history: consumption of the meter, of its whole history.
        seasonal: True if consumption follows the seasons: gas and heat.
    """
    steps = history.steps
    long = np.flatnonzero((steps.days >= _LEAST_DAYS) & (steps.rate > 0))
    usual = float(np.median(steps.rate[long])) if len(long) > _LEAST_STEPS else np.nan
    slips: list[tuple[int, int, float, float]] = []
    for step in long.tolist():
        first, end = int(steps.first[step]), int(steps.first[step] + steps.days[step])
        expected = _same_days(history.rate, first, end)
        if np.isnan(expected) and not seasonal:
            expected = usual
        ratio = _slip(float(steps.rate[step]), expected)
        if ratio is None:
            continue
        if slips and slips[-1][1] == first and slips[-1][2] == ratio:
            first, expected_before = slips[-1][0], slips.pop()[3]
            slips.append((first, end, ratio, expected_before + expected * int(steps.days[step])))
        else:
            slips.append((first, end, ratio, expected * int(steps.days[step])))
    for first, end, ratio, amount in slips:
        counted = float(np.nansum(history.amount[first:end]))
        yield RegisterFinding(
            Finding.of("other_unit", meter, amount=counted, expected=amount, ratio=ratio),
            int(history.edges_ms[first]),
            int(history.edges_ms[end]),
            abs(amount - counted),
        )


def _same_days(rate: "NDArray[np.float64]", first: int, end: int) -> float:
    """Return the median of the mean rates on the same days of other years; NaN if none is known."""
    found = []
    for distance in _YEARS:
        there = rate[max(first + distance, 0) : max(end + distance, 0)]
        known = there[np.isfinite(there)]
        if len(known) >= _KNOWN_SHARE * (end - first) and known.mean() > 0:
            found.append(float(known.mean()))
    return float(np.median(found)) if found else np.nan


def _slip(rate: float, expected: float) -> float | None:
    """Return the power of ten by which a rate differs from what is expected; None if none."""
    if not expected > 0:
        return None
    for factor in _FACTORS:
        for ratio in (factor, 1 / factor):
            if 1 / _WITHIN <= rate / (expected * ratio) <= _WITHIN:
                return ratio
    return None
