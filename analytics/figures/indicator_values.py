"""Compute indicators from the consumption, factors and denominators of a scope in a period.

Laws:

1. An indicator is computed here and nowhere else. One that is linear in consumption is a row of
   `jieneng.metering.indicators` and needs no code. Any other is such a row and a function here.
2. The value of a linear row at the estimated part of the consumption is the part of its value that
   is estimated. A function states what it needs beside the daily sums, and may be any; its
   coverage and its estimated share are those of what it needs.
3. NaN is unknown: it comes in where a denominator is not known, and goes out as no value.
"""

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

import msgspec

from analytics.figures.interval_series import IntervalSeries, Need
from jieneng.metering.indicators import Denominator, Indicator
from jieneng.metering.quantities import CARRIERS, Medium

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Basis(msgspec.Struct, frozen=True, kw_only=True):
    """Input of all indicators of a single scope and period.

    Attributes:
        amount: consumption by day, of the media that are measured there; kWh, m3, m3, GJ.
        coal: kgce per unit of consumption, by day.
        carbon: kgCO2 per unit of consumption, by day.
        floor_area_m2: mean of the period's days; NaN where unknown.
        headcount: mean of the period's days [persons]; NaN where unknown.
        series: what the indicator's function needs, as far as the scope has it.
    """

    amount: "Mapping[Medium, NDArray[np.float64]]"
    coal: "Mapping[Medium, NDArray[np.float64]]"
    carbon: "Mapping[Medium, NDArray[np.float64]]"
    floor_area_m2: float = math.nan
    headcount: float = math.nan
    series: Mapping[Need, IntervalSeries] = {}


class IndicatorFunction(msgspec.Struct, frozen=True):
    """The function of an indicator that is not linear in consumption.

    Attributes:
        value: from the basis to the indicator's value, in the unit of its row.
        needs: the series that it needs beside the daily sums.
    """

    value: Callable[[Basis], float]
    needs: tuple[Need, ...] = ()


#: By the id of the indicator's row.
FUNCTIONS: Mapping[str, IndicatorFunction] = MappingProxyType({})


def needs(indicator: Indicator) -> tuple[Need, ...]:
    """Return the series that an indicator needs beside the daily sums."""
    return FUNCTIONS[indicator.id].needs if indicator.sum_of is None else ()


def value(indicator: Indicator, basis: Basis) -> float:
    """Return an indicator's value in the unit of its row; NaN where it is not known."""
    if indicator.sum_of is None:
        return FUNCTIONS[indicator.id].value(basis)
    whole = indicator.scale * _sum(indicator, basis)
    if indicator.per is None:
        return whole
    denominator = _denominator(indicator.per, basis)
    return whole / denominator if denominator > 0 else math.nan


def _denominator(name: Denominator, basis: Basis) -> float:
    return basis.floor_area_m2 if name == "floor_area_m2" else basis.headcount


def _sum(indicator: Indicator, basis: Basis) -> float:
    match indicator.sum_of:
        case "coal_equivalent":
            return _weighted_sum(basis, basis.coal)
        case "carbon":
            return _weighted_sum(basis, basis.carbon)
        case None:
            return math.nan
        case medium:
            return float(basis.amount[medium].sum()) if medium in basis.amount else math.nan


def _weighted_sum(basis: Basis, factors: "Mapping[Medium, NDArray[np.float64]]") -> float:
    """Sum consumption times factor over the energy carriers that are measured.

    NaN if a measured carrier has no factor, since a part is not the total, or if none is measured.
    """
    parts = [
        float(basis.amount[medium] @ factors[medium]) if medium in factors else math.nan
        for medium in CARRIERS
        if medium in basis.amount
    ]
    return math.fsum(parts) if parts else math.nan
