"""Find standstills: days without consumption of a meter that usually has consumption each day.

An example: an office has no electricity consumption from 3 May to 28 June. In the year before it
had consumption on each of these days, and in two years there was no other day without consumption.
Probably the register has stopped, or a logger has written 0 instead of "unknown".

Laws:

1. A standstill is usual, and no finding, if another standstill of the meter was about as long: if
   it is at most twice as long as the other one plus three days.
2. It is also usual if the meter stood still on the same days of any other year.
3. If the same days of no other year are known, there is a finding only if three conditions hold.
   The standstill is short compared with the known past; the past has nearly no days without
   consumption; and the medium is not gas or heat, which may pause for a whole summer.
4. There is a finding only if the missing consumption is at least 0.5 % of a year's consumption.
5. The doubt is the consumption of the same days in other years; if they are not known, it is that
   of as many days with mean consumption. If the register makes up for the standstill on the day
   after, this is deducted.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import numpy as np

from analytics.counters.own_past.day_history import LEAST_DAYS, DayHistory
from analytics.counters.register_finding import RegisterFinding
from jieneng.metering.findings import Finding

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Number of days that law 1 adds to twice the length of the other standstill.
_MORE_DAYS: Final = 3
_OTHER_FACTOR: Final = 2
#: Distances to the same days in the ten years before and after [days]. They are whole weeks,
#: because consumption depends on the day of the week.
_YEARS: Final = tuple(7 * round(365.25 * year / 7) for year in range(-10, 11) if year)
#: Smallest share of the same days that must be known in another year.
_KNOWN_SHARE: Final = 0.8
#: Largest share of days without consumption among the same days of another year.
_ZERO_SHARE_THERE: Final = 0.1
#: Smallest length of the past, as a multiple of the standstill; and largest share of days without
#: consumption in the past (law 3).
_LEAST_PAST: Final = 4
_ZERO_SHARE: Final = 0.02
#: A day with less than this share of the mean consumption counts as without consumption. The limit
#: is not 0, because sums have rounding errors.
_NOTHING: Final = 1e-9


def standstills(meter: str, history: DayHistory, *, seasonal: bool) -> Iterator[RegisterFinding]:
    """Yield a finding for each unusual standstill of a meter.

    Args:
        meter: id of the meter.
        history: consumption of the meter, of its whole history.
        seasonal: True if the medium may pause for a season: gas and heat.
    """
    flowing = history.known & (history.rate > 0)
    if not flowing.any():
        return
    mean = float(np.mean(history.rate[flowing]))
    zero = history.known & (np.abs(np.nan_to_num(history.rate)) <= _NOTHING * mean)
    edges = np.flatnonzero(np.diff(zero.astype(np.int8), prepend=0, append=0))
    rows = [
        (first, end)
        for first, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)
        if flowing[:first].any()  # before its first consumption the meter was not in use
    ]
    lengths = sorted(end - first for first, end in rows)
    for first, end in rows:
        longest_other = next(
            (length for length in lengths[::-1] if length != end - first),
            end - first if lengths.count(end - first) > 1 else 0,
        )
        if end - first <= _OTHER_FACTOR * longest_other + _MORE_DAYS:
            continue
        expected = _expected(history, zero, (first, end), seasonal=seasonal)
        if expected is None:
            continue
        made_up = max(float(np.nansum(history.rate[end : end + 1])) - mean, 0.0)
        doubt = expected - made_up
        if doubt < LEAST_DAYS * float(np.mean(history.rate[history.known])):
            continue
        yield RegisterFinding(
            Finding.of("stood_still", meter, days=float(end - first), expected=expected),
            int(history.edges_ms[first]),
            int(history.edges_ms[end]),
            doubt,
        )


def _expected(
    history: DayHistory,
    zero: "NDArray[np.bool_]",
    row: tuple[int, int],
    *,
    seasonal: bool,
) -> float | None:
    """Return the expected consumption during a standstill; None if the standstill is usual."""
    first, end = row
    there: list[float] = []
    for distance in _YEARS:
        low, high = first + distance, end + distance
        if low < 0 or high > len(zero):
            continue
        known = history.known[low:high]
        if np.mean(known) < _KNOWN_SHARE:
            continue
        if np.mean(zero[low:high][known]) > _ZERO_SHARE_THERE:
            return None
        there.append(float(np.mean(history.rate[low:high][known])) * (end - first))
    if there:
        return float(np.mean(there))
    others = history.known.copy()
    others[first:end] = False
    past = int(others.sum())
    if seasonal or past < _LEAST_PAST * (end - first) or np.mean(zero[others]) > _ZERO_SHARE:
        return None
    return float(np.mean(history.rate[others])) * (end - first)
