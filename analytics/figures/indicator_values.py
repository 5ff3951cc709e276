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
from typing import TYPE_CHECKING, TypeVar

import msgspec

from analytics.figures.boundary.flows import CarbonSource
from analytics.figures.interval_series import IntervalSeries, SeriesNeed
from jieneng.metering.indicators import Denominator, Indicator
from jieneng.metering.quantities import CARRIERS, Medium

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


#: A medium, or a source of carbon.
_Source = TypeVar("_Source")


class IndicatorInputs(msgspec.Struct, frozen=True, kw_only=True):
    """Inputs of all indicators of a single scope and period.

    Attributes:
        consumption: by medium that is measured there, shape (days,) each; kWh, m3, m3, GJ.
        coal_factors: by energy carrier, shape (days,) each; kgce per unit of consumption.
        purchased: consumption that has carbon, by source, shape (days,) each; kWh, m3, GJ.
        carbon_factors: by source, shape (days,) each; kgCO2 per unit of consumption.
        floor_area_m2: mean over the period's days; NaN if unknown.
        headcount: mean over the period's days [persons]; NaN if unknown.
        series: the series that the indicator's function needs, if the scope has them.
    """

    consumption: "Mapping[Medium, NDArray[np.float64]]"
    coal_factors: "Mapping[Medium, NDArray[np.float64]]"
    purchased: "Mapping[CarbonSource, NDArray[np.float64]]"
    carbon_factors: "Mapping[CarbonSource, NDArray[np.float64]]"
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
            energy: dict[Medium, NDArray[np.float64]] = {
                medium: by_day
                for medium, by_day in inputs.consumption.items()
                if medium in CARRIERS
            }
            return _weighted_sum(energy, inputs.coal_factors)
        case "carbon":
            return _weighted_sum(inputs.purchased, inputs.carbon_factors)
        case None:
            return math.nan
        case medium if medium in inputs.consumption:
            return float(inputs.consumption[medium].sum())
        case _:
            return math.nan


def _weighted_sum(
    consumption: "Mapping[_Source, NDArray[np.float64]]",
    factors: "Mapping[_Source, NDArray[np.float64]]",
) -> float:
    """Return the sum of consumption times factor over the sources that are measured.

    NaN if none is measured, or if a measured one has no factor: a part is not the total.
    """
    parts = [
        float(by_day @ factors[source]) if source in factors else math.nan
        for source, by_day in consumption.items()
    ]
    return math.fsum(parts) if parts else math.nan
