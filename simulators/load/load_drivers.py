"""Drivers: functions that give the relative consumption of each day, by their names. Pure.

Heating and cooling are proportional to the difference between the day's mean outdoor temperature
and a base temperature. Boilers and chillers have a maximum output, so the difference counts only up
to a cap.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

import numpy as np

from simulators.load.seeded_noise import Floats
from simulators.load.simulated_days import SimulatedDays

#: Share of heating and cooling in an empty building, for guards and against frost and damp.
_KEPT_ON_WHEN_EMPTY: Final = 0.2
#: Number of meals on a day off, divided by the number on a workday.
_DUTY_MEALS: Final = 0.1


def _occupancy(days: SimulatedDays) -> Floats:
    return _KEPT_ON_WHEN_EMPTY + (1.0 - _KEPT_ON_WHEN_EMPTY) * days.presence


def _degrees_above(days: SimulatedDays, base_c: float, cap: float) -> Floats:
    return np.clip(days.mean_c - base_c, 0.0, cap)


def _degrees_below(days: SimulatedDays, base_c: float, cap: float) -> Floats:
    return np.clip(base_c - days.mean_c, 0.0, cap)


def _boiler(days: SimulatedDays) -> Floats:
    """Return the relative demand on boilers for each day; they run from November to March only."""
    season = (days.month >= 11) | (days.month <= 3)
    return np.asarray(_degrees_below(days, 14.0, 12.0) * _occupancy(days) * season)


def _irrigation(days: SimulatedDays) -> Floats:
    """Return the relative demand of gardens for each day; 0 from November to March."""
    season = (days.month >= 4) & (days.month <= 10)
    return np.asarray(_degrees_above(days, 12.0, 18.0) * season)


DRIVERS: Final[Mapping[str, Callable[[SimulatedDays], Floats]]] = MappingProxyType(
    {
        "day": lambda days: np.ones_like(days.presence),
        "presence": lambda days: days.presence,
        "meals": lambda days: _DUTY_MEALS + (1.0 - _DUTY_MEALS) * days.presence,
        "cooling": lambda days: _degrees_above(days, 22.0, 6.0) * _occupancy(days),
        "heating": lambda days: _degrees_below(days, 14.0, 14.0) * _occupancy(days),
        "warmth": lambda days: _degrees_above(days, 10.0, 20.0),
        "boiler": _boiler,
        "growing": _irrigation,
    }
)
