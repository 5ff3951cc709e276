"""Compare the true consumption of intervals with the consumption in a store. Pure: arrays in.

Law: unknown is never 0. A day of which nothing is stored has coverage 0, and its error is None.
"""

from datetime import date, datetime
from zoneinfo import ZoneInfo

import msgspec
import numpy as np

from simulators.load.seeded_noise import Floats, Ints


class IntervalAmounts(msgspec.Struct, frozen=True):
    """Consumption by interval: starts (UTC, ascending) and values [canonical unit]."""

    starts_ms: Ints
    values: Floats


class ConsumptionComparison(msgspec.Struct, frozen=True, kw_only=True):
    """True and stored consumption of a meter [canonical unit].

    Attributes:
        flowed: true consumption.
        stored: consumption in the store; intervals that are not stored count as 0. None if no
            interval is stored.
        error: stored - flowed.
        error_pct: error in percent of the true consumption; None if the true consumption is 0.
        coverage: number of stored intervals divided by the number of intervals.
    """

    flowed: float
    stored: float | None
    error: float | None
    error_pct: float | None
    coverage: float


class DayComparison(ConsumptionComparison, frozen=True, kw_only=True):
    """The comparison for one local day, or for its part that lies in the run."""

    day: date


def compare_consumption(
    flowed: IntervalAmounts, stored: IntervalAmounts, zone: ZoneInfo
) -> tuple[ConsumptionComparison | None, tuple[DayComparison, ...]]:
    """Return the comparison for the whole run, and for each local day in it."""
    starts = flowed.starts_ms
    if not len(starts):
        return None, ()
    stored_values = values_at(starts, stored.starts_ms, stored.values)
    ordinals = np.asarray(
        [datetime.fromtimestamp(start / 1000, zone).toordinal() for start in starts.tolist()]
    )
    days = [
        _compare_day(ordinal, flowed.values, stored_values, ordinals)
        for ordinal in np.unique(ordinals)
    ]
    return _compare(flowed.values, stored_values), tuple(days)


def _compare_day(ordinal: int, flowed: Floats, stored: Floats, ordinals: Ints) -> DayComparison:
    of_day = ordinals == ordinal
    compared = _compare(flowed[of_day], stored[of_day])
    return DayComparison(day=date.fromordinal(int(ordinal)), **msgspec.structs.asdict(compared))


def sum_intervals(amounts: IntervalAmounts, length_ms: int, sum_ms: int) -> IntervalAmounts:
    """Add up the consumption of intervals to longer intervals; those with a gap are left out.

    Args:
        amounts: consumption of intervals aligned to the clock.
        length_ms: length of the intervals in `amounts`.
        sum_ms: length of the longer intervals, a multiple of `length_ms`.
    """
    numbers, inverse, counts = np.unique(
        amounts.starts_ms // sum_ms, return_inverse=True, return_counts=True
    )
    sums = np.bincount(inverse, amounts.values, len(numbers))
    complete = counts == sum_ms // length_ms
    return IntervalAmounts(numbers[complete] * sum_ms, sums[complete])


def values_at(times_ms: Ints, known_ms: Ints, values: Floats) -> Floats:
    """Return the values at the given times; NaN for times without a value."""
    found = np.full(len(times_ms), np.nan)
    _, here, there = np.intersect1d(times_ms, known_ms, return_indices=True)
    found[here] = values[there]
    return found


def _compare(flowed: Floats, stored: Floats) -> ConsumptionComparison:
    known = ~np.isnan(stored)
    true_sum = float(flowed.sum())
    stored_sum = float(stored[known].sum()) if known.any() else None
    error = None if stored_sum is None else stored_sum - true_sum
    return ConsumptionComparison(
        flowed=true_sum,
        stored=stored_sum,
        error=error,
        error_pct=100.0 * error / true_sum if error is not None and true_sum else None,
        coverage=float(known.mean()),
    )
