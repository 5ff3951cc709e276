"""Forecast the consumption of a year from its days so far and from earlier years.

Method. The remaining days are forecast from the same days of last year, scaled by the ratio of this
year to last year so far:

    remainder = last year's remainder * (this year so far / last year so far) ** persistence

With a persistence of 1, the change so far would go on; with 0, the remaining days would be as last
year. The constants lie in between: a cold March hardly affects October. They were chosen by the
median errors on 14 university buildings of the Cambridge Estates Building Energy Archive, in 2021
and 2022, at the ends of March, June and September.

The band is computed from past forecast errors: the same forecast is made for each earlier year at
the same day of the year, and compared with the real consumption. By Student's t distribution, the
band contains 80 % of outcomes if the error of this year is like the errors of the years before.

Pure: arrays in, structs out.
"""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from jieneng.metering.quantities import Medium

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Persistence: exponent of the change so far, by medium. The change of heating fuels persists more
#: than the change of electricity. The archive has no water data: like electricity, water depends
#: on the people in a building.
PERSISTENCE: Final[Mapping[Medium, float]] = MappingProxyType(
    {"electricity": 0.3, "water": 0.3, "gas": 0.5, "heat": 0.5}
)
#: Quantile 0.9 of Student's t distribution, by degrees of freedom: it bounds 80 % on both sides.
#: Source: NIST/SEMATECH e-Handbook of Statistical Methods, section 1.3.6.7.2.
_QUANTILES: Final = (math.nan, 3.078, 1.886, 1.638, 1.533, 1.476, 1.440, 1.415, 1.397, 1.383, 1.372)
#: Least share of known days in each part of a year from which a forecast is computed.
_KNOWN_MIN: Final = 0.9


class Forecast(msgspec.Struct, frozen=True):
    """The consumption that is expected from a day to the end of its year.

    Attributes:
        remainder: the expected amount, in the medium's unit; NaN if last year is not known.
        least: lower end of the band that holds 80 % of outcomes; NaN if no year before last year is
            known.
        greatest: upper end of the band.
    """

    remainder: float
    least: float
    greatest: float

    def plus(self, amount: float) -> "Forecast":
        """Return the forecast with an amount added."""
        return Forecast(self.remainder + amount, self.least + amount, self.greatest + amount)


#: The forecast if no data are known.
NO_FORECAST: Final = Forecast(math.nan, math.nan, math.nan)


def forecast_remainder(
    medium: Medium,
    years: "Sequence[NDArray[np.float64]]",
    so_far: "NDArray[np.float64]",
    days: int,
) -> Forecast:
    """Return the expected consumption of the remaining days of a year.

    Args:
        medium: the medium.
        years: daily consumption of the calendar years before, the oldest first, each of shape
            (365,) or (366,), in the medium's unit; NaN where unknown.
        so_far: shape (n,), daily consumption of the first days of the year.
        days: number of days of the year.
    """
    if not years:
        return NO_FORECAST
    day, persistence = len(so_far), PERSISTENCE[medium]
    remainder = _remainder(years[-1], so_far, days - day, persistence)
    if not math.isfinite(remainder):
        return NO_FORECAST
    errors = [
        error
        for last, year in pairwise(years)
        if math.isfinite(error := _log_error(last, year, day, persistence))
    ]
    band = math.exp(_spread(errors))
    return Forecast(remainder, remainder / band, remainder * band)


def _remainder(
    last: "NDArray[np.float64]", so_far: "NDArray[np.float64]", days: int, persistence: float
) -> float:
    """Return the expected amount of the days that follow the days of `so_far`.

    Args:
        last: shape (365,) or (366,), the year before.
        so_far: shape (n,), the days so far.
        days: number of days that remain.
        persistence: exponent of the change so far.
    """
    rest = last[len(so_far) :]
    if days == 0:
        return 0.0
    if not _is_known(rest):
        return math.nan
    expected = float(np.nanmean(rest)) * days
    is_known = np.isfinite(so_far) & np.isfinite(last[: len(so_far)])
    now, before = float(so_far[is_known].sum()), float(last[: len(so_far)][is_known].sum())
    if not len(so_far) or is_known.mean() < _KNOWN_MIN:
        return expected
    return expected * (now / before) ** persistence if now > 0 and before > 0 else expected


def _log_error(
    last: "NDArray[np.float64]", year: "NDArray[np.float64]", day: int, persistence: float
) -> float:
    """Return log(outcome / forecast) of an earlier year; NaN if outcome or forecast is unknown."""
    rest = year[day:]
    if not len(rest) or not _is_known(rest):
        return math.nan
    outcome = float(np.nanmean(rest)) * len(rest)
    forecast = _remainder(last, year[:day], len(rest), persistence)
    return math.log(outcome / forecast) if outcome > 0 and forecast > 0 else math.nan


def _is_known(amount: "NDArray[np.float64]") -> bool:
    return bool(len(amount)) and float(np.isfinite(amount).mean()) >= _KNOWN_MIN


def _spread(errors: Sequence[float]) -> float:
    """Return the half width of the band, as a logarithm; NaN if no error is known."""
    if not errors:
        return math.nan
    quantile = _QUANTILES[min(len(errors), len(_QUANTILES) - 1)]
    return quantile * math.sqrt(math.fsum(error * error for error in errors) / len(errors))
