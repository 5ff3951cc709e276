"""Compute the least water flow of each night, and the load of empty buildings. Pure."""

from typing import TYPE_CHECKING, Final

import numpy as np

from analytics.calendar.hour_grid import HOUR_MS, HourConsumption

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Length of the past whose working hours an idle hour is compared with [h].
_IDLE_PAST_HOURS: Final = 28 * 24
#: Least number of known working hours in that past: a week of eight hours a day.
_FEWEST_WORKING_HOURS: Final = 40


def night_flow(hours: HourConsumption) -> "NDArray[np.float64]":
    """Return the least hourly mean flow of each night, shape (m, days) [m3/h].

    If this flow is not 0, water may be leaking. The flow is averaged over hours, not over quarters
    of an hour: at a leak of 0.3 m3/h, a register that counts tenths of a cubic metre does not
    change in every quarter. The flow is unknown if an hour of the night is not fully covered.

    Args:
        hours: consumption of water [m3].
    """
    grid = hours.grid
    found = np.full((len(hours.amounts), len(grid.days)), np.nan)
    flow = hours.known / (np.diff(grid.edges_ms) / HOUR_MS)
    for night in np.unique(grid.nights[grid.nights >= 0]).tolist():
        found[:, night] = flow[:, grid.nights == night].min(axis=1)
    return found


def idle_load(hours: HourConsumption) -> "NDArray[np.float64]":
    """Return the load of each idle hour, relative to the load in working hours, shape (m, h) [%].

    The working hours of the four weeks before the idle hour count. The share is NaN in working
    hours, in hours that are not fully covered, and while fewer than 40 working hours are known.

    Args:
        hours: consumption of electricity of areas [kWh].
    """
    grid = hours.grid
    working = np.where(grid.is_working, hours.known, np.nan)
    count = _trailing_sum(np.isfinite(working).astype(np.float64))
    total = _trailing_sum(np.nan_to_num(working))
    mean = total / np.maximum(count, 1)
    is_wanted = grid.is_idle & (count >= _FEWEST_WORKING_HOURS) & (mean > 0)
    length_h = np.diff(grid.edges_ms) / HOUR_MS
    share = 100.0 * hours.known / length_h / np.where(mean > 0, mean, 1.0)
    found: NDArray[np.float64] = np.where(is_wanted, share, np.nan)
    return found


def _trailing_sum(values: "NDArray[np.float64]") -> "NDArray[np.float64]":
    """Return the sum of the hours before each hour, shape (m, h)."""
    total = np.cumsum(values, axis=1)
    before = np.concatenate([np.zeros((len(values), 1)), total[:, :-1]], axis=1)
    long_ago = np.zeros_like(before)
    long_ago[:, _IDLE_PAST_HOURS:] = before[:, :-_IDLE_PAST_HOURS]
    found: NDArray[np.float64] = before - long_ago
    return found
