"""Forecast the indicators of a scope to the end of a running year.

Laws:

1. The value of an indicator at the end of the year is computed from the consumption so far plus the
   forecast of each medium. Factors, classes of supply and denominators stay as they were so far.
2. The forecast errors of media are independent of each other, so their bands add as squares.

Pure: structs in, structs out.
"""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from analytics.figures.forecasts.forecast import Forecast, forecast_remainder
from analytics.figures.forecasts.scope_amounts import ScopeAmounts
from analytics.figures.indicator_values import IndicatorInputs, indicator_value
from jieneng.metering.indicators import Indicator
from jieneng.metering.quantities import Medium

if TYPE_CHECKING:
    pass


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
    history: Sequence[ScopeAmounts], so_far: ScopeAmounts, days_of_year: int
) -> dict[str, dict[Medium, Forecast]]:
    """Return the forecast of each medium for the remaining days of the year, by scope id.

    Args:
        history: consumption in the calendar years before, the oldest first, without a gap.
        so_far: consumption of the scopes on the complete days of the year.
        days_of_year: number of days of the year.
    """
    return {
        scope_id: {
            medium: forecast_remainder(
                medium,
                [year[scope_id][medium] for year in history if medium in year.get(scope_id, {})],
                amount,
                days_of_year,
            )
            for medium, amount in amounts.items()
        }
        for scope_id, amounts in so_far.items()
    }


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
