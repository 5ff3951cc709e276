"""Add up the consumption of a scope's meters over the days of a period.

Laws:

1. A day of a meter counts only if the meter has a weight in the scope on that day.
2. Between two readings, the distribution of consumption over the days is estimated. This matters
   only at the edges: the beginning and the end of the period, or of the meter's time in the scope.
   Between the edges the sum is known. The estimated amount is never more than the total.
3. If a register is reset to 0, its last value before the reset was usually not read. This
   consumption is estimated at any place in the period. It is recognised as the estimated part of a
   day with full coverage.
4. Missing consumption is estimated from the meter's mean rate; if nothing of the meter is known,
   from the average meter. It is stated separately, and not added to the amount.
"""

from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from analytics.counters.consumption import zero_where_unknown

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from analytics.figures.site_consumption import MeterConsumption

#: Smallest weight of a meter in its scope's coverage, as a share of the average meter's
#: consumption. Gaps of a meter without consumption must lower the coverage, too.
_MIN_COVERAGE_WEIGHT: Final = 0.1
#: Largest estimated share of a value that allows a verdict or a forecast. For example, most of a
#: year's value is estimated if the year lies between two readings that are several years apart.
ESTIMATED_MAX: Final = 0.5


class PeriodTotals(msgspec.Struct, frozen=True):
    """Totals of the meters of a medium over the days of a period, in arrays of shape (meters,).

    Attributes:
        amount: consumption that each meter adds to the scope [kWh, m3 or GJ]; NaN if nothing is
            known.
        coverage: share of the meter's days without gaps, 0 to 1.
        bounded: share of the meter's days for which consumption is known, 0 to 1.
        importance: weight of the meter in the scope's coverage; 0 if it does not count.
        estimated: shape (meters, days), absolute estimated amount at the edges (law 2), and of
            consumption that was never read (law 3).
        unread: shape (meters, days), absolute amount that was never read (law 3).
        missing: shape (meters, days), estimate of the missing consumption (law 4).
    """

    amount: "NDArray[np.float64]"
    coverage: "NDArray[np.float64]"
    bounded: "NDArray[np.float64]"
    importance: "NDArray[np.float64]"
    estimated: "NDArray[np.float64]"
    unread: "NDArray[np.float64]"
    missing: "NDArray[np.float64]"

    @property
    def scope_amount(self) -> float:
        """Sum of the known amounts; NaN if no amount is known."""
        known = np.isfinite(self.amount)
        return float(self.amount[known].sum()) if known.any() else np.nan

    @property
    def scope_coverage(self) -> float:
        """Mean of the meters' `bounded`, weighted by importance; 0 to 1."""
        return min(float(self.importance @ self.bounded / self.importance.sum()), 1.0)


def mean_of_meters(metered: "MeterConsumption") -> float:
    """Return the mean consumption of the known meters over a period; 1 if it is 0."""
    known = np.isfinite(metered.amount).any(axis=1)
    of_meters = zero_where_unknown(metered.amount).sum(axis=1)[known]
    mean = float(of_meters.mean()) if len(of_meters) else 0.0
    return mean if mean > 0 else 1.0


def period_totals(
    weight: "NDArray[np.float64]", metered: "MeterConsumption", mean: float | None = None
) -> PeriodTotals:
    """Return the totals of a scope's meters over a period.

    Args:
        weight: shape (meters, days), result of `boundary_weights`; at least one weight is not 0.
        metered: consumption of the meters on the same days.
        mean: `mean_of_meters` for more meters than these; None for the mean of these meters.
    """
    is_member = weight != 0
    days = is_member.sum(axis=1)
    amount, unread = _amount(weight, metered), _unread(weight, metered)
    mean = mean_of_meters(metered) if mean is None else mean
    importance = _importance(mean * days / metered.amount.shape[1], amount)
    return PeriodTotals(
        amount,
        (metered.coverage * is_member).sum(axis=1) / np.maximum(days, 1),
        (metered.bounded * is_member).sum(axis=1) / np.maximum(days, 1),
        importance,
        _estimated(weight, metered, amount, unread),
        unread,
        _missing(weight, metered, amount, importance),
    )


def estimated_by_day(
    weight: "NDArray[np.float64]", metered: "MeterConsumption"
) -> "NDArray[np.float64]":
    """Return `estimated` of `period_totals` alone, shape (meters, days)."""
    return _estimated(weight, metered, _amount(weight, metered), _unread(weight, metered))


def _amount(weight: "NDArray[np.float64]", metered: "MeterConsumption") -> "NDArray[np.float64]":
    """Return what each meter adds to the scope, shape (meters,); NaN where nothing is known."""
    is_known = (weight != 0) & np.isfinite(metered.amount)
    total = (weight * zero_where_unknown(metered.amount)).sum(axis=1)
    amount: NDArray[np.float64] = np.where(is_known.any(axis=1), total, np.nan)
    return amount


def _unread(weight: "NDArray[np.float64]", metered: "MeterConsumption") -> "NDArray[np.float64]":
    """Return the magnitude of what was never read, shape (meters, days) (law 3)."""
    unread: NDArray[np.float64] = np.abs(weight) * np.where(
        metered.coverage >= 1, metered.estimated, 0.0
    )
    return unread


def _missing(
    weight: "NDArray[np.float64]",
    metered: "MeterConsumption",
    amount: "NDArray[np.float64]",
    importance: "NDArray[np.float64]",
) -> "NDArray[np.float64]":
    """Return the estimate of the missing consumption, shape (meters, days) (law 4)."""
    size = np.abs(weight)
    known_days = (size * metered.bounded).sum(axis=1)
    is_known = np.isfinite(amount) & (known_days > 0)
    flowed = np.where(is_known, np.abs(amount), importance)
    in_days = np.where(is_known, known_days, size.sum(axis=1))
    rate = flowed / np.where(in_days > 0, in_days, 1.0)
    missing: NDArray[np.float64] = weight * (1 - metered.bounded).clip(0, 1) * rate[:, None]
    return missing


def _importance(
    in_scope: "NDArray[np.float64]", amount: "NDArray[np.float64]"
) -> "NDArray[np.float64]":
    """Return the weight of each meter in the coverage of the scope.

    The weight is the meter's consumption. If it is unknown, the weight is `in_scope`: the
    consumption of the average meter in the same number of days.
    """
    importance: NDArray[np.float64] = np.where(
        np.isfinite(amount),
        np.maximum(np.abs(amount), _MIN_COVERAGE_WEIGHT * in_scope),
        in_scope,
    )
    return importance


def _estimated(
    weight: "NDArray[np.float64]",
    metered: "MeterConsumption",
    amount: "NDArray[np.float64]",
    unread: "NDArray[np.float64]",
) -> "NDArray[np.float64]":
    """Return the estimated amounts, shape (meters, days) (laws 2 and 3).

    Days stored by an earlier version have no amounts for the edges. For them, the whole estimated
    share of the day is used.
    """
    size = np.abs(weight)
    rises = size[:, 1:] > size[:, :-1]
    before = np.concatenate([size[:, :1] > 0, rises], axis=1)
    falls = size[:, 1:] < size[:, :-1]
    after = np.concatenate([falls, size[:, -1:] > 0], axis=1)
    edges = np.where(before, zero_where_unknown(metered.spread_start), 0.0)
    edges += np.where(after, zero_where_unknown(metered.spread_end), 0.0)
    spread = np.where(
        np.isnan(metered.spread_start), size * metered.estimated, size * edges + unread
    )
    total = np.abs(zero_where_unknown(amount))
    room = np.maximum(total[:, None] - np.cumsum(spread, axis=1) + spread, 0.0)
    estimated: NDArray[np.float64] = np.minimum(spread, room)
    return estimated
