"""Compute indicators from the consumption, factors and denominators of a scope in a period.

Laws:

1. An indicator is computed here and nowhere else. One that is linear in consumption is a row of
   `jieneng.metering.indicators` and needs no code. Any other is such a row and a function here.
2. Of a linear indicator, the value of the estimated consumption is the estimated part of the value.
   A function may compute anything. It states the series that it needs, and its coverage and
   estimated share are those of these series.
3. NaN means unknown. An unknown denominator makes the value NaN.
"""

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

import msgspec

from analytics.figures.interval_series import IntervalSeries, SeriesNeed
from jieneng.metering.indicators import Denominator, Indicator
from jieneng.metering.quantities import CARRIERS, Medium

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class IndicatorInputs(msgspec.Struct, frozen=True, kw_only=True):
    """Inputs of all indicators of a single scope and period.

    Attributes:
        consumption: by medium that is measured there, shape (days,) each; kWh, m3, m3, GJ.
        coal_factors: by energy carrier, shape (days,) each; kgce per unit of consumption.
        carbon_factors: by energy carrier, shape (days,) each; kgCO2 per unit of consumption.
        floor_area_m2: mean over the period's days; NaN if unknown.
        headcount: mean over the period's days [persons]; NaN if unknown.
        series: the series that the indicator's function needs, if the scope has them.
    """

    consumption: "Mapping[Medium, NDArray[np.float64]]"
    coal_factors: "Mapping[Medium, NDArray[np.float64]]"
    carbon_factors: "Mapping[Medium, NDArray[np.float64]]"
    floor_area_m2: float = math.nan
    headcount: float = math.nan
    series: Mapping[SeriesNeed, IntervalSeries] = {}


class IndicatorFunction(msgspec.Struct, frozen=True):
    """The function of an indicator that is not linear in consumption.

    Attributes:
        value: function that returns the indicator's value, in the unit of its row.
        needs: the series that the function needs beside the daily sums.
    """

    value: Callable[[IndicatorInputs], float]
    needs: tuple[SeriesNeed, ...] = ()


#: The functions, by the id of the indicator's row.
FUNCTIONS: Mapping[str, IndicatorFunction] = MappingProxyType({})


def series_needs(indicator: Indicator) -> tuple[SeriesNeed, ...]:
    """Return the series that an indicator needs beside the daily sums."""
    return FUNCTIONS[indicator.id].needs if indicator.sum_of is None else ()


def indicator_value(indicator: Indicator, inputs: IndicatorInputs) -> float:
    """Return an indicator's value in the unit of its row; NaN if it is unknown."""
    if indicator.sum_of is None:
        return FUNCTIONS[indicator.id].value(inputs)
    numerator = indicator.scale * _sum(indicator, inputs)
    if indicator.denominator is None:
        return numerator
    denominator = _denominator(indicator.denominator, inputs)
    return numerator / denominator if denominator > 0 else math.nan


def _denominator(name: Denominator, inputs: IndicatorInputs) -> float:
    return inputs.floor_area_m2 if name == "floor_area_m2" else inputs.headcount


def _sum(indicator: Indicator, inputs: IndicatorInputs) -> float:
    match indicator.sum_of:
        case "coal_equivalent":
            return _weighted_sum(inputs, inputs.coal_factors)
        case "carbon":
            return _weighted_sum(inputs, inputs.carbon_factors)
        case None:
            return math.nan
        case medium if medium in inputs.consumption:
            return float(inputs.consumption[medium].sum())
        case _:
            return math.nan


def _weighted_sum(
    inputs: IndicatorInputs, factors: "Mapping[Medium, NDArray[np.float64]]"
) -> float:
    """Return the sum of consumption times factor over the energy carriers that are measured.

    NaN if no carrier is measured, or if a measured carrier has no factor: a part is not the total.
    """
    parts = [
        float(inputs.consumption[medium] @ factors[medium]) if medium in factors else math.nan
        for medium in CARRIERS
        if medium in inputs.consumption
    ]
    return math.fsum(parts) if parts else math.nan
