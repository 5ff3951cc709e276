"""Compare the consumption of intervals: the true one, and the one in a store. Pure: arrays in.

Law: unknown is no number. A day of which nothing is stored has no error, but coverage 0.
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
        stored: consumption in the store; intervals that it lacks count as 0. None if it lacks all.
        error: stored - flowed.
        error_pct: error in percent of the true consumption; None if that is 0.
        coverage: share of the intervals that the store has.
    """

    flowed: float
    stored: float | None
    error: float | None
    error_pct: float | None
    coverage: float


class DayComparison(ConsumptionComparison, frozen=True, kw_only=True):
    """The comparison of the part of a local day that lies in the run."""

    day: date


def compare_consumption(
    flowed: IntervalAmounts, stored: IntervalAmounts, zone: ZoneInfo
) -> tuple[ConsumptionComparison | None, tuple[DayComparison, ...]]:
    """Return the comparison of the whole run, and of each local day of it."""
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
    """Sum intervals to longer ones. A longer interval with a gap is left out.

    Args:
        amounts: consumption of intervals aligned to the clock.
        length_ms: length of these intervals.
        sum_ms: length of the longer ones, a multiple of `length_ms`.
    """
    numbers, inverse, counts = np.unique(
        amounts.starts_ms // sum_ms, return_inverse=True, return_counts=True
    )
    sums = np.bincount(inverse, amounts.values, len(numbers))
    complete = counts == sum_ms // length_ms
    return IntervalAmounts(numbers[complete] * sum_ms, sums[complete])


def values_at(times_ms: Ints, known_ms: Ints, values: Floats) -> Floats:
    """Return the values at the given times, NaN for times that are not known."""
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
