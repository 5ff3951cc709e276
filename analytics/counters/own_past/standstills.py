"""Find days without consumption of a meter that does not stand still otherwise.

An example, electricity of an office: nothing from 3 May to 28 June, while the year before had
consumption on each day of these weeks, and no other day in two years is without any. The register
has stopped, or a logger has written 0 for what it did not know.

Laws:

1. The meter's own past decides. A row of days without consumption is usual if it is at most twice
   as long as another one of the meter, with three days more.
2. If the same days of other years are known, they decide too: if any of these years had days
   without consumption there, it is usual.
3. If no other year is known, the row must be short beside the past, the past nearly without such
   days, and the medium one that flows in every season: gas and heat pause for a summer.
4. Only what matters for a year is a finding: at least half a percent of a year's consumption.
5. What is doubted is the consumption of the same days in other years or, without these, of as many
   mean days, less what the register made up for on the day after.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import numpy as np

from analytics.counters.own_past.day_history import LEAST_DAYS, DayHistory
from analytics.counters.register_finding import RegisterFinding
from jieneng.metering.findings import Finding

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Days by which a row is longer than twice the other longest one.
_MORE_DAYS: Final = 3
_OTHER_FACTOR: Final = 2
#: Distances of the same days in ten years before and after: whole weeks, as consumption has them.
_YEARS: Final = tuple(7 * round(365.25 * year / 7) for year in range(-10, 11) if year)
#: Least share of days that must be known in another year.
_KNOWN_SHARE: Final = 0.8
#: Greatest share of days without consumption in the same days of another year.
_ZERO_SHARE_THERE: Final = 0.1
#: Least past as a multiple of the row, and greatest share of its days without consumption.
_LEAST_PAST: Final = 4
_ZERO_SHARE: Final = 0.02
#: Share of the mean day up to which a day is one without consumption: the digits of a sum.
_NOTHING: Final = 1e-9


def standstills(meter: str, history: DayHistory, *, seasonal: bool) -> Iterator[RegisterFinding]:
    """Yield a finding for each row of days on which a meter stood still, although it never does.

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
        if flowing[:first].any()  # before the first consumption the meter was not in use
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
    """Return the consumption that was to be expected in a row of days; None if it is usual."""
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
