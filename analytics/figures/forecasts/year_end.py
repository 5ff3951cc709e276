"""Forecast the indicators of a scope to the end of a running year.

Laws:

1. The value of an indicator at the end of the year is computed from three amounts: the consumption
   so far, an estimate of the missing consumption so far, and the forecast of each medium. Factors
   and classes of supply stay as they were so far. Floor area and headcount are the means of the
   whole year.
2. The forecast errors of media are independent of each other, so their bands add as squares.
3. Areas that joined or left since the beginning of last year are forecast on their own. After an
   area joined, the forecast is its mean consumption of this year since then. After it left, the
   forecast is 0. A scope that was built or closed itself in this time has no forecast, because its
   last year is not complete.

Pure: structs in, structs out.
"""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from analytics.figures.area_history.area_changes import (
    AreaChange,
    area_changes,
    like_for_like_scopes,
    own_changes,
)
from analytics.figures.boundary.flows import CountedFlows
from analytics.figures.figure import FactorSeries
from analytics.figures.forecasts.forecast import Forecast, forecast_remainder
from analytics.figures.forecasts.scope_amounts import ScopeAmounts, scope_amounts
from analytics.figures.indicator_values import (
    IndicatorInputs,
    indicator_parts,
    value_of_parts,
)
from analytics.figures.roll_up import Scope, daily_denominator
from analytics.figures.site_consumption import SiteConsumption
from analytics.periods import Period, calendar_year, days
from jieneng.metering.indicators import Denominator, Indicator
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
        """Return the amount to save so that the year ends at a limit [kWh, m3, GJ], at least 0.

        The amount is NaN without a forecast or a limit.
        """
        amount = (self.value - limit) / self.per_unit if self.per_unit > 0 else math.nan
        return max(0.0, amount) if math.isfinite(amount) else math.nan


#: The year's end if there is no forecast.
NO_YEAR_END = YearEnd(math.nan, math.nan, math.nan)
#: The forecast, without a band, of a medium that is consumed only by areas that joined.
_NOTHING = Forecast(0.0, math.nan, math.nan)


class ScopeForecast(msgspec.Struct, frozen=True):
    """Forecast of a scope for a running year.

    Attributes:
        media: forecast of each medium for the remaining days.
        floor_area_m2: mean floor area of the whole year; NaN if unknown.
        headcount: mean headcount of the whole year [persons]; NaN if unknown.
    """

    media: Mapping[Medium, Forecast] = {}
    floor_area_m2: float = math.nan
    headcount: float = math.nan


#: The forecast if no data are known.
NO_SCOPE_FORECAST: Final = ScopeForecast()


def scope_forecasts(
    scopes: Sequence[Scope],
    history: Sequence[SiteConsumption],
    elapsed: Period,
    current: SiteConsumption,
    counted: CountedFlows,
) -> dict[str, ScopeForecast]:
    """Return the forecast of each scope for the remaining days of the year, by scope id.

    Args:
        scopes: the scopes.
        history: consumption of the calendar years before, the oldest first, without a gap.
        elapsed: the complete days of the year.
        current: consumption on these days, and possibly on more days.
        counted: flows that enter into energy.
    """
    if not history or not scopes:
        return {}
    site = scopes[0].structure.site
    compared = [calendar_year(history[-1].start.year), elapsed]
    changes, remaining = like_for_like_scopes(site, scopes, area_changes(site, compared))
    new = own_changes(site, scopes, compared)
    so_far, same_so_far = (
        scope_amounts(of, current, elapsed, counted.energy) for of in (scopes, remaining)
    )
    whole, alike = (
        _forecasts(of, history, amounts, elapsed.year, counted)
        for of, amounts in ((scopes, so_far), (remaining, same_so_far))
    )

    def media(scope: Scope) -> Mapping[Medium, Forecast]:
        if scope.id in new:
            return {}
        if scope.id not in alike:
            return whole[scope.id]
        same = alike[scope.id]
        rest = _changed_remainders(
            changes[scope.id], elapsed, so_far[scope.id], same_so_far[scope.id]
        )
        return {medium: same.get(medium, _NOTHING).plus(more) for medium, more in rest.items()}

    return {
        scope.id: ScopeForecast(
            media(scope),
            _year_mean(scope, "floor_area_m2", elapsed.year),
            _year_mean(scope, "headcount", elapsed.year),
        )
        for scope in scopes
    }


def _forecasts(
    scopes: Sequence[Scope],
    history: Sequence[SiteConsumption],
    so_far: ScopeAmounts,
    year: int,
    counted: CountedFlows,
) -> dict[str, dict[Medium, Forecast]]:
    """Return the forecast of each medium by scope id, from the years before of the scope."""
    years = [
        scope_amounts(scopes, before, calendar_year(before.start.year), counted.energy)
        for before in history
    ]
    return {
        scope.id: {
            medium: forecast_remainder(
                medium,
                [one[scope.id][medium] for one in years if medium in one[scope.id]],
                amount,
                calendar_year(year).days,
            )
            for medium, amount in so_far[scope.id].items()
        }
        for scope in scopes
    }


def _changed_remainders(
    changes: Sequence[AreaChange],
    elapsed: Period,
    whole: "Mapping[Medium, NDArray[np.float64]]",
    alike: "Mapping[Medium, NDArray[np.float64]]",
) -> dict[Medium, float]:
    """Return the expected amount of the areas that joined or left, by medium (law 3).

    Args:
        changes: the areas.
        elapsed: the complete days of the year.
        whole: daily consumption of the scope on these days, by medium.
        alike: daily consumption of the scope without the areas, by medium.
    """
    joined = [change.day for change in changes if change.kind == "joined"]
    first = max(((day - elapsed.start).days for day in joined), default=elapsed.days)
    days_left = calendar_year(elapsed.year).days - elapsed.days
    found: dict[Medium, float] = {}
    for medium, amount in whole.items():
        changed = (amount - alike.get(medium, 0.0))[max(first, 0) :]
        known = changed[np.isfinite(changed)]
        mean = float(known.mean()) if len(known) else math.nan
        found[medium] = mean * days_left if joined else 0.0
    return found


def _year_mean(scope: Scope, name: Denominator, year: int) -> float:
    """Return the mean of a denominator over the days of a year on which it is known."""
    whole = calendar_year(year)
    by_day = daily_denominator(scope, name, days(whole.start, whole.end))
    known = by_day[np.isfinite(by_day)]
    return float(known.mean()) if len(known) else math.nan


def year_end(
    indicator: Indicator,
    inputs: IndicatorInputs,
    series: FactorSeries | None,
    forecast: ScopeForecast,
    missing: Mapping[Medium, float],
) -> YearEnd:
    """Return the expected value of an indicator for the whole year.

    Args:
        indicator: the indicator's row; one that is not linear in consumption has no forecast.
        inputs: inputs of the days so far.
        series: series of the carbon factors; None if no carbon factor enters.
        forecast: forecast of the scope.
        missing: estimate of the missing consumption of the days so far, by medium.
    """
    parts = indicator_parts(indicator, inputs, series)
    media = [medium for medium in indicator.media if medium in inputs.consumption]
    forecasts = {
        medium: forecast.media[medium].plus(missing.get(medium, 0.0))
        for medium in media
        if medium in forecast.media
    }
    if not media or len(forecasts) < len(media) or indicator.sum_of is None:
        return NO_YEAR_END
    whole_year = msgspec.structs.replace(
        inputs, floor_area_m2=forecast.floor_area_m2, headcount=forecast.headcount
    )
    expected = {medium: one.remainder for medium, one in forecasts.items()}

    def grown(remainders: Mapping[Medium, float]) -> float:
        """Return the indicator if each part grows like its medium, in proportion to its days."""
        growth = {m: _growth(inputs.amounts[m], more) for m, more in remainders.items()}
        all_parts = {medium: part * growth.get(medium, 1.0) for medium, part in parts.items()}
        return value_of_parts(indicator, whole_year, all_parts)

    value = grown(expected)
    if not math.isfinite(value):
        return NO_YEAR_END

    def deviation(medium: Medium, remainder: float) -> float:
        """Return the change of the indicator if the remainder of one medium changes."""
        return grown({**expected, medium: remainder}) - value

    below = math.hypot(*(deviation(medium, one.least) for medium, one in forecasts.items()))
    above = math.hypot(*(deviation(medium, one.greatest) for medium, one in forecasts.items()))
    saved = "electricity" if "electricity" in media else media[0]
    per_unit = deviation(saved, expected[saved] + 1)
    return YearEnd(value, value - below, value + above, saved, per_unit)


def _growth(so_far: float, more: float) -> float:
    """Return the ratio of an amount of a whole year to that of its days so far."""
    if so_far:
        return 1 + more / so_far
    return 1.0 if more == 0 else math.nan
