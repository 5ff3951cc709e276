"""Compute indicators from the consumption, factors and denominators of a scope in a period.

Laws:

1. Indicators are computed only here. Each indicator is a row of `jieneng.metering.indicators`. If
   it is linear in consumption, this row is enough. Otherwise it also needs a function here.
2. A linear indicator is a sum with one part for each medium, divided by the denominator. The parts
   are the same for many indicators, so they are added up once.
3. The estimated part of a linear indicator is its value computed from the estimated consumption
   alone. For other indicators, coverage and estimated share are those of the series that their
   function needs.
4. NaN means unknown. If the denominator is unknown, the value is NaN.
"""

import math
from collections.abc import Callable, Mapping
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from analytics.figures.boundary.flows import CarbonSource
from analytics.figures.figure import FactorSeries
from analytics.figures.interval_series import IntervalSeries, SeriesNeed
from jieneng.metering.indicators import Indicator
from jieneng.metering.quantities import CARRIERS, Medium

if TYPE_CHECKING:
    from numpy.typing import NDArray


class IndicatorInputs(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """Inputs of all indicators of a single scope and period.

    Attributes:
        consumption: daily consumption by medium, shape (days,) each [kWh, m3 or GJ]; only media
            that are measured in the scope.
        coal_factors: daily factors by energy carrier, shape (days,) each [kgce per unit of
            consumption].
        purchased: daily consumption that causes carbon emissions, by source, shape (days,) each
            [kWh, m3 or GJ].
        carbon_factors: daily factors by series and source, shape (days,) each [kgCO2 per unit of
            consumption].
        floor_area_m2: mean floor area over the period's days; NaN if unknown.
        headcount: mean headcount over the period's days [persons]; NaN if unknown.
        series: the series that indicator functions need, if the scope has them.
    """

    consumption: "Mapping[Medium, NDArray[np.float64]]"
    coal_factors: "Mapping[Medium, NDArray[np.float64]]"
    purchased: "Mapping[CarbonSource, NDArray[np.float64]]"
    carbon_factors: "Mapping[FactorSeries, Mapping[CarbonSource, NDArray[np.float64]]]"
    floor_area_m2: float = math.nan
    headcount: float = math.nan
    series: Mapping[SeriesNeed, IntervalSeries] = {}

    @cached_property
    def amounts(self) -> Mapping[Medium, float]:
        """Consumption of the whole period by medium [kWh, m3 or GJ]."""
        return {medium: float(by_day.sum()) for medium, by_day in self.consumption.items()}

    @cached_property
    def coal_equivalents(self) -> Mapping[Medium, float]:
        """Coal equivalent by energy carrier [kgce]; NaN for a carrier without a factor."""
        return {
            medium: _weighted_sum(by_day, self.coal_factors.get(medium))
            for medium, by_day in self.consumption.items()
            if medium in CARRIERS
        }

    @cached_property
    def carbon_emissions(self) -> Mapping[FactorSeries, Mapping[Medium, float]]:
        """Carbon by series of factors and by medium [kgCO2]; NaN if a source has no factor."""
        media = dict.fromkeys(medium for medium, _ in self.purchased)
        return {
            series: {
                medium: math.fsum(
                    _weighted_sum(by_day, factors.get(source))
                    for source, by_day in self.purchased.items()
                    if source[0] == medium
                )
                for medium in media
            }
            for series, factors in self.carbon_factors.items()
        }

    def times(self, ratio: float) -> "IndicatorInputs":
        """Return the inputs with all daily sums multiplied by a ratio."""
        return msgspec.structs.replace(
            self,
            consumption={medium: by_day * ratio for medium, by_day in self.consumption.items()},
            purchased={source: by_day * ratio for source, by_day in self.purchased.items()},
        )


class IndicatorFunction(msgspec.Struct, frozen=True):
    """The function of an indicator that is not linear in consumption.

    Attributes:
        value: function that returns the indicator's value, in the unit of its row.
        needs: the series that the function needs in addition to the daily sums.
    """

    value: Callable[[IndicatorInputs], float]
    needs: tuple[SeriesNeed, ...] = ()


#: The functions, by the id of the indicator's row.
FUNCTIONS: Mapping[str, IndicatorFunction] = MappingProxyType({})


def series_needs(indicator: Indicator) -> tuple[SeriesNeed, ...]:
    """Return the series that an indicator needs in addition to the daily sums."""
    return FUNCTIONS[indicator.id].needs if indicator.sum_of is None else ()


def indicator_value(
    indicator: Indicator, inputs: IndicatorInputs, series: FactorSeries | None
) -> float:
    """Return an indicator's value in the unit of its row; NaN if it is unknown.

    Args:
        indicator: the indicator's row.
        inputs: the inputs.
        series: series of the carbon factors; None if no carbon factor enters.
    """
    if indicator.sum_of is None:
        return FUNCTIONS[indicator.id].value(inputs)
    return value_of_parts(indicator, inputs, indicator_parts(indicator, inputs, series))


def indicator_parts(
    indicator: Indicator, inputs: IndicatorInputs, series: FactorSeries | None
) -> Mapping[Medium, float]:
    """Return the parts of a linear indicator's sum by medium (law 2); empty if none is measured.

    Args:
        indicator: the indicator's row.
        inputs: the inputs.
        series: series of the carbon factors; None if no carbon factor enters.
    """
    match indicator.sum_of:
        case "coal_equivalent":
            return inputs.coal_equivalents
        case "carbon":
            return {} if series is None else inputs.carbon_emissions[series]
        case None:
            return {}
        case medium:
            amount = inputs.amounts.get(medium)
            return {} if amount is None else {medium: amount}


def value_of_parts(
    indicator: Indicator, inputs: IndicatorInputs, parts: Mapping[Medium, float]
) -> float:
    """Return a linear indicator's value in the unit of its row; NaN if it is unknown.

    Args:
        indicator: the indicator's row.
        inputs: the inputs, of which the denominator is used.
        parts: parts of its sum, as `indicator_parts` returns them.
    """
    numerator = indicator.scale * math.fsum(parts.values()) if parts else math.nan
    if indicator.denominator is None:
        return numerator
    denominator: float = getattr(inputs, indicator.denominator)
    return numerator / denominator if denominator > 0 else math.nan


def total_by_day(
    indicator: Indicator, inputs: IndicatorInputs, series: FactorSeries | None, days: int
) -> "NDArray[np.float64]":
    """Return a total, such as `energy_total`, on each day, shape (days,), in the unit of its row.

    A day is NaN if nothing is measured, or if a factor is missing.

    Args:
        indicator: the indicator's row; linear in consumption, and without a denominator.
        inputs: the inputs.
        series: series of the carbon factors; None if no carbon factor enters.
        days: number of days of the inputs.
    """
    unknown = np.full(days, math.nan)
    match indicator.sum_of:
        case "coal_equivalent":
            parts = [
                by_day * inputs.coal_factors.get(medium, unknown)
                for medium, by_day in inputs.consumption.items()
                if medium in CARRIERS
            ]
        case "carbon":
            factors = {} if series is None else inputs.carbon_factors[series]
            parts = [
                by_day * factors.get(source, unknown) for source, by_day in inputs.purchased.items()
            ]
        case medium:
            parts = [by_day for one, by_day in inputs.consumption.items() if one == medium]
    total: NDArray[np.float64] = indicator.scale * np.sum(parts or [unknown], axis=0)
    return total


def _weighted_sum(by_day: "NDArray[np.float64]", factors: "NDArray[np.float64] | None") -> float:
    """Return the sum of consumption times factor; NaN without factors."""
    return math.nan if factors is None else float(by_day @ factors)
