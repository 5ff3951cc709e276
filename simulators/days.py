"""The simulated days: who is at work, and how warm it is. Pure.

Law: a day's facts depend on its date, the seed and the site alone, so any day of any year can be
asked directly, and a longer span never changes an earlier day.

Climate. Monthly means are those of Nanjing in 2008 and 2009 (China Statistical Yearbook 2009,
table 11-13, and 2010, table 12-13), averaged and lowered by 1.5 K: Huai'an lies 150 km further
north, and its annual mean is given as 14.1 to 14.8 degrees. The daily swing of 8 K and the
weather's deviation of about 2.5 K, lasting for some days, are assumptions of this simulation.
"""

from collections.abc import Iterable
from datetime import date
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from simulators.noise import Floats, Ints, bell, key

Dates = npt.NDArray[np.datetime64]

FIRST: Final = date(2019, 1, 1)

MONTHLY_MEAN_C: Final = (
    (0.4, 3.4, 9.1, 14.6, 20.6, 23.5, 27.0, 25.6, 22.4, 18.1, 8.5, 3.6)
)  # fmt: skip
DAILY_SWING_C: Final = 8.0
_WEATHER_DEVIATION_C: Final = 2.5
_WEATHER_MEMORY: Final = 0.7  # how much of a day's deviation is left on the next one


class Span(msgspec.Struct, frozen=True, rename={"from_": "from"}):
    """Days off, both ends included."""

    from_: date
    to: date


class Year(msgspec.Struct, frozen=True):
    """The arrangement of one year's holidays."""

    year: int
    source: tuple[str, ...]
    off: tuple[Span, ...] = ()
    work: tuple[date, ...] = ()


class Reduced(msgspec.Struct, frozen=True, kw_only=True, rename={"from_": "from"}):
    """Days on which only a part of the people came."""

    from_: date
    to: date
    presence: float
    source: str


class Holidays(msgspec.Struct, frozen=True):
    """The whole of `data/holidays.toml`."""

    year: tuple[Year, ...]
    reduced: tuple[Reduced, ...] = ()


class Days(msgspec.Struct, frozen=True):
    """Consecutive days from `FIRST`, as arrays.

    Attributes:
        month: 1 to 12.
        presence: share of the people who are at work, 0 to 1.
        mean_c: outdoor temperature, mean of the day.
    """

    dates: Dates
    month: Ints
    presence: Floats
    mean_c: Floats


def days(holidays: Holidays, last_year: int, seed: int, site: str) -> Days:
    """The days from 2019 to the end of `last_year`."""
    dates = np.arange(np.datetime64(FIRST), np.datetime64(date(last_year + 1, 1, 1)))
    month = dates.astype("datetime64[M]").astype(np.int64) % 12 + 1
    return Days(dates, month, _presence(holidays, dates), _mean_c(dates, month, seed, site))


def unknown_years(holidays: Holidays, years: Iterable[int]) -> list[int]:
    """The years whose arrangement is not known: they have weekends only."""
    known = {row.year for row in holidays.year}
    return [year for year in years if year not in known]


def _presence(holidays: Holidays, dates: Dates) -> Floats:
    presence = np.is_busday(dates).astype(np.float64)
    for year in holidays.year:
        for span in year.off:
            presence[_between(dates, span.from_, span.to)] = 0.0
        for day in year.work:
            presence[_between(dates, day, day)] = 1.0
    for part in holidays.reduced:
        presence[_between(dates, part.from_, part.to)] *= part.presence
    return presence


def _between(dates: Dates, first: date, last: date) -> npt.NDArray[np.bool_]:
    return (dates >= np.datetime64(first)) & (dates <= np.datetime64(last))


def _mean_c(dates: Dates, month: Ints, seed: int, site: str) -> Floats:
    """The climate, linear between the middles of the months, and the weather upon it."""
    first_of_month = dates.astype("datetime64[M]")
    length = (first_of_month + 1).astype("datetime64[D]") - first_of_month.astype("datetime64[D]")
    passed = (dates - first_of_month.astype("datetime64[D]")).astype(np.float64) + 0.5
    place = month - 1.5 + passed / length.astype(np.float64)  # 0.0: the middle of January
    means = np.asarray([MONTHLY_MEAN_C[-1], *MONTHLY_MEAN_C, MONTHLY_MEAN_C[0]])
    climate = np.interp(place, np.arange(-1.0, 13.0), means)
    number = dates.astype(np.int64)
    weather, weight = np.zeros(len(dates)), 1.0
    for back in range(12):
        weather += weight * bell(key(seed, site, "weather"), number - back)
        weight *= _WEATHER_MEMORY
    scale = _WEATHER_DEVIATION_C * np.sqrt(1.0 - _WEATHER_MEMORY**2)
    return np.asarray(climate + scale * weather)
