"""Compute indicators from the consumption, factors and denominators of a scope in a period.

Laws:

1. Indicators are computed only here. Each indicator is a row of `jieneng.metering.indicators`. If
   it is linear in consumption, this row is enough. Otherwise it also needs a function here.
2. The estimated part of a linear indicator is its value computed from the estimated consumption
   alone. For other indicators, coverage and estimated share are those of the series that their
   function needs.
3. NaN means unknown. If the denominator is unknown, the value is NaN.
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
        consumption: daily consumption by medium, shape (days,) each [kWh, m3 or GJ]; only media
            that are measured in the scope.
        coal_factors: daily factors by energy carrier, shape (days,) each [kgce per unit of
            consumption].
        purchased: daily consumption that causes carbon emissions, by source, shape (days,) each
            [kWh, m3 or GJ].
        carbon_factors: daily factors by source, shape (days,) each [kgCO2 per unit of
            consumption].
        floor_area_m2: mean floor area over the period's days; NaN if unknown.
        headcount: mean headcount over the period's days [persons]; NaN if unknown.
        series: the series that indicator functions need, if the scope has them.
    """

    consumption: "Mapping[Medium, NDArray[np.float64]]"
    coal_factors: "Mapping[Medium, NDArray[np.float64]]"
    purchased: "Mapping[CarbonSource, NDArray[np.float64]]"
    carbon_factors: "Mapping[CarbonSource, NDArray[np.float64]]"
    floor_area_m2: float = math.nan
    headcount: float = math.nan
    series: Mapping[SeriesNeed, IntervalSeries] = {}

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
    """Return the sum of consumption times factor over the measured sources.

    The sum is NaN if no source is measured, or if a measured source has no factor.
    """
    parts = [
        float(by_day @ factors[source]) if source in factors else math.nan
        for source, by_day in consumption.items()
    ]
    return math.fsum(parts) if parts else math.nan
