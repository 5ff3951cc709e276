"""Compute signals of indicators: excess over the glide path, coverage, use of quotas. Pure."""

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Statuses of indicators that are verdicts. Without a verdict, value and path may not be compared:
#: there is not enough data, or the doubts about the data could change the verdict.
VERDICTS: Final = frozenset(("met", "on_track", "at_risk", "missed"))


def path_excess(
    values: "NDArray[np.float64]", paths: "NDArray[np.float64]", has_verdict: "NDArray[np.bool_]"
) -> "NDArray[np.float64]":
    """Return the excess of indicators over their paths on each day, shape (m, d) [%].

    Args:
        values: values of the year so far, shape (m, d), in the indicators' units.
        paths: values that the glide paths allow, shape (m, d).
        has_verdict: True where the status is one of `VERDICTS`, shape (m, d).
    """
    is_known = has_verdict & (paths > 0)
    found: NDArray[np.float64] = np.where(
        is_known, 100.0 * (values / np.where(is_known, paths, 1.0) - 1.0), np.nan
    )
    return found


def coverage(shares: "NDArray[np.float64]") -> "NDArray[np.float64]":
    """Return the least coverage of the indicators of each scope on each day, shape (m, d) [%].

    Args:
        shares: coverage of the month so far, shape (m, indicators, d), 0 to 1; NaN where unknown.
    """
    least = np.where(np.isnan(shares), np.inf, shares).min(axis=1, initial=np.inf)
    found: NDArray[np.float64] = np.where(np.isfinite(least), 100.0 * least, np.nan)
    return found


def greatest_of_quotas(values: "NDArray[np.float64]") -> "NDArray[np.float64]":
    """Return the greatest value of the annual quotas of each indicator on each day, shape (m, d).

    An indicator of a scope may be limited by an annual quota, and by a cap as well.

    Args:
        values: shape (m, quotas, d): the share that is surely used [%], or the number of days for
            which the quota is not expected to last [d]; NaN where unknown.
    """
    known = np.where(np.isnan(values), -np.inf, values).max(axis=1, initial=-np.inf)
    found: NDArray[np.float64] = np.where(np.isfinite(known), known, np.nan)
    return found
