"""Compute the night base load, the leak level and the share of days off. Pure.

Laws:

1. The smallest load of a night is that of its hour with the smallest mean load. It is known if all
   hours of the night were measured (`night_flow`).
2. The leak level of a day is the 20th percentile of the smallest flows of the seven nights up to
   this day. The level includes a leak, which runs in every night. It excludes water that is drawn
   in one or two nights, because the other nights have smaller flows. With fewer than five known
   nights the level is unknown.
"""

from typing import TYPE_CHECKING, Final

import numpy as np

from analytics.profiles.known_quantiles import known_quantile

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from analytics.calendar.hour_grid import HourConsumption

#: Number of nights of a leak level, and the least number of these that must be known.
LEAK_NIGHTS: Final = 7
_FEWEST_NIGHTS: Final = 5
_LEAK_SHARE: Final = 0.2


def night_base_load(
    least: "NDArray[np.float64]", is_workday: "NDArray[np.bool_]"
) -> "tuple[NDArray[np.float64], NDArray[np.float64]]":
    """Return the median load of the nights that end on working days, and the coverage, shape (m,).

    Args:
        least: smallest load of each night, shape (m, days) [kW or m3/h].
        is_workday: True for working days, shape (days,).

    Returns:
        The load [kW or m3/h], NaN if no such night is known; and the share of known nights.
    """
    nights = least[:, is_workday]
    known = np.isfinite(nights).sum(axis=1)
    return known_quantile(nights, 0.5), known / max(nights.shape[1], 1)


def leak_levels(
    least: "NDArray[np.float64]",
) -> "tuple[NDArray[np.float64], NDArray[np.float64]]":
    """Return the leak level of each day, and the coverage, shape (m, days) (law 2).

    Args:
        least: smallest flow of each night, shape (m, days) [m3/h].

    Returns:
        The level [m3/h], NaN if unknown; and the share of the seven nights that are known.
    """
    before = np.full((len(least), LEAK_NIGHTS - 1), np.nan)
    padded = np.concatenate([before, least], axis=1)
    nights = np.lib.stride_tricks.sliding_window_view(padded, LEAK_NIGHTS, axis=1)
    known = np.isfinite(nights).sum(axis=-1)
    level = np.where(known >= _FEWEST_NIGHTS, known_quantile(nights, _LEAK_SHARE), np.nan)
    return level, known / LEAK_NIGHTS


def days_off_share(hours: "HourConsumption") -> "NDArray[np.float64]":
    """Return the share of the measured consumption that falls on days off, shape (m,).

    The share is NaN if the days contain no day off, or nothing was consumed.

    Args:
        hours: consumption by hour [kWh or m3], with coverage 0 where it was not measured.
    """
    grid = hours.grid
    amount = np.nan_to_num(hours.known)
    total = amount.sum(axis=1)
    off = amount[:, ~grid.is_workday[grid.day_numbers]].sum(axis=1)
    is_known = (total > 0) & (not grid.is_workday.all())
    return np.where(is_known, off / np.where(is_known, total, 1.0), np.nan)
