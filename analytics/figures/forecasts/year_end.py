"""Forecast the indicators of a scope to the end of a running year.

Laws:

1. The value of an indicator at the end of the year is computed from the consumption so far plus the
   forecast of each medium. Factors, classes of supply and denominators stay as they were so far.
2. The forecast errors of media are independent of each other, so their bands add as squares.
3. If one meter of the scope is unknown on a day, the day is unknown in the history: a sum over only
   some meters is never used.

Pure: structs in, structs out.
"""

import math
from collections.abc import Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from analytics.figures.boundary.flows import CountedFlows
from analytics.figures.forecasts.forecast import Forecast, forecast_remainder
from analytics.figures.indicator_values import IndicatorInputs, indicator_value
from analytics.figures.roll_up import Scope, boundary_weights
from analytics.figures.site_consumption import SiteConsumption
from analytics.periods import Period, calendar_year, days
from jieneng.metering.indicators import Indicator
from jieneng.metering.quantities import Medium

if TYPE_CHECKING:
    from numpy.typing import NDArray


class YearEnd(msgspec.Struct, frozen=True):
    """The expected value of an indicator for the whole of a running year.

    Attributes:
        value: the expected value, in the indicator's unit; NaN if there is no forecast.
        least: lower end of the band that contains 80 % of outcomes; NaN if there is no band.
        greatest: upper end of the band.
        saved_medium: medium in which a saving is stated: electricity if it is one of several.
        per_unit: increase of the value by one unit of this medium [kWh, m3, GJ].
    """

    value: float
    least: float
    greatest: float
    saved_medium: Medium = "electricity"
    per_unit: float = math.nan

    def to_save(self, limit: float) -> float:
        """Return the amount to save so that the year ends at a limit [kWh, m3, GJ], at least 0."""
        return max(0.0, (self.value - limit) / self.per_unit) if self.per_unit > 0 else math.nan


#: The year's end if there is no forecast.
NO_YEAR_END = YearEnd(math.nan, math.nan, math.nan)


def scope_forecasts(
    scope: Scope,
    history: Sequence[SiteConsumption],
    elapsed: Period,
    current: SiteConsumption,
    counted: CountedFlows,
) -> dict[Medium, Forecast]:
    """Return the forecast of each medium of a scope for the remaining days of the year.

    Args:
        scope: the scope.
        history: consumption of the calendar years before, the oldest first, without a gap.
        elapsed: the complete days of the year.
        current: consumption on these days, at least.
        counted: flows that enter into energy.
    """
    so_far = _daily_amounts(scope, current, elapsed, counted)
    years = [
        _daily_amounts(scope, year, calendar_year(year.start.year), counted) for year in history
    ]
    days_of_year = calendar_year(elapsed.start.year).days
    return {
        medium: forecast_remainder(
            medium,
            [year[medium] for year in years if medium in year],
            amount,
            days_of_year,
        )
        for medium, amount in so_far.items()
    }


def _daily_amounts(
    scope: Scope, consumption: SiteConsumption, period: Period, counted: CountedFlows
) -> "dict[Medium, NDArray[np.float64]]":
    """Return a scope's consumption by medium and day; NaN where one of its meters is unknown."""
    period_days: Sequence[date] = days(period.start, period.end)
    amounts: dict[Medium, NDArray[np.float64]] = {}
    for medium, metered in consumption.days_of(period).items():
        flows = metered.flows(scope.structure.site)
        weight = boundary_weights(scope, flows, period_days, counted.energy)
        if weight.any():
            amounts[medium] = np.where(weight == 0, 0.0, weight * metered.amount).sum(axis=0)
    return amounts


def year_end(
    indicator: Indicator, inputs: IndicatorInputs, forecasts: Mapping[Medium, Forecast]
) -> YearEnd:
    """Return the expected value of an indicator for the whole year.

    Args:
        indicator: the indicator's row; one that is not linear in consumption has no forecast.
        inputs: inputs of the days so far.
        forecasts: forecasts of the media for the remaining days.
    """
    media = [medium for medium in indicator.media if medium in inputs.consumption]
    if indicator.sum_of is None or not media:
        return NO_YEAR_END
    expected = {medium: forecasts[medium].remainder for medium in media if medium in forecasts}
    value = indicator_value(indicator, _grown(inputs, expected))
    if len(expected) < len(media) or not math.isfinite(value):
        return NO_YEAR_END
    below, above = (
        math.hypot(*(_deviation(indicator, inputs, expected, m, end, value) for m, end in ends))
        for ends in (
            [(medium, forecasts[medium].least) for medium in media],
            [(medium, forecasts[medium].greatest) for medium in media],
        )
    )
    saved = "electricity" if "electricity" in media else media[0]
    one_more = expected[saved] + 1
    per_unit = _deviation(indicator, inputs, expected, saved, one_more, value)
    return YearEnd(value, value - below, value + above, saved, per_unit)


def _deviation(
    indicator: Indicator,
    inputs: IndicatorInputs,
    expected: Mapping[Medium, float],
    medium: Medium,
    remainder: float,
    value: float,
) -> float:
    """Return the change of an indicator if the remainder of one medium changes."""
    return indicator_value(indicator, _grown(inputs, {**expected, medium: remainder})) - value


def _grown(inputs: IndicatorInputs, remainders: Mapping[Medium, float]) -> IndicatorInputs:
    """Return inputs in which each medium is grown by an amount, in proportion to its days."""
    growth: dict[Medium, float] = {}
    for medium, by_day in inputs.consumption.items():
        so_far, more = float(by_day.sum()), remainders.get(medium, 0.0)
        growth[medium] = 1 + more / so_far if so_far else (1.0 if more == 0 else math.nan)
    return msgspec.structs.replace(
        inputs,
        consumption={m: by_day * growth[m] for m, by_day in inputs.consumption.items()},
        purchased={
            source: by_day * growth.get(source[0], 1.0)
            for source, by_day in inputs.purchased.items()
        },
    )
