"""The simulated days: presence at work and outdoor temperature. Pure.

Law: the values of a day depend on its date, the seed and the site alone. Any day can be computed
directly, and a longer span never changes an earlier day.

Calendar. Days off and moved workdays are those of the library `chinese_calendar`. It follows the
notices of the General Office of the State Council, with the extended Spring Festival of 2020. A
year that it does not know yet has weekends only.

Climate. Monthly means are those of Nanjing in 2008 and 2009 (China Statistical Yearbook 2009,
table 11-13, and 2010, table 12-13), averaged and lowered by 1.5 K: Huai'an lies 150 km further
north, and its annual mean is given as 14.1 to 14.8 degrees. The daily swing of 8 K and the
weather's deviation of about 2.5 K, lasting for some days, are assumptions of this simulation.
"""

from collections.abc import Iterable
from datetime import date
from typing import Final

import chinese_calendar
import msgspec
import numpy as np
import numpy.typing as npt

from simulators.load.seeded_noise import Floats, Ints, near_normal, noise_key

Dates = npt.NDArray[np.datetime64]

FIRST_DAY: Final = date(2019, 1, 1)

MONTHLY_MEAN_C: Final = (
    (0.4, 3.4, 9.1, 14.6, 20.6, 23.5, 27.0, 25.6, 22.4, 18.1, 8.5, 3.6)
)  # fmt: skip
_WEATHER_DEVIATION_C: Final = 2.5
#: Share of a day's deviation that is left on the next day.
_WEATHER_MEMORY: Final = 0.7

_HOLIDAYS: Final[Dates] = np.array(list(chinese_calendar.holidays), "datetime64[D]")
_WORKED_WEEKENDS: Final[Dates] = np.array(list(chinese_calendar.workdays), "datetime64[D]")


class ReducedPresence(msgspec.Struct, frozen=True, kw_only=True, rename={"from_": "from"}):
    """A period of days on which only a part of the staff came, both ends included."""

    from_: date
    to: date
    presence: float
    source: str


class PresenceFile(msgspec.Struct, frozen=True):
    """The contents of `data/presence.toml`: reduced presence, which no calendar lists."""

    reduced: tuple[ReducedPresence, ...] = ()


class SimulatedDays(msgspec.Struct, frozen=True):
    """Consecutive days from `FIRST_DAY`, as arrays.

    Attributes:
        month: 1 to 12.
        presence: share of the staff at work, 0 to 1.
        mean_c: outdoor temperature, mean of the day.
    """

    dates: Dates
    month: Ints
    presence: Floats
    mean_c: Floats


def simulate_days(presence: PresenceFile, last_year: int, seed: int, site: str) -> SimulatedDays:
    """Return the days from 2019 to the end of `last_year`."""
    dates = np.arange(np.datetime64(FIRST_DAY), np.datetime64(date(last_year + 1, 1, 1)))
    month = dates.astype("datetime64[M]").astype(np.int64) % 12 + 1
    return SimulatedDays(
        dates, month, _presence(presence, dates), _mean_c(dates, month, seed, site)
    )


def years_with_unknown_holidays(years: Iterable[int]) -> list[int]:
    """Return the years whose holidays the library does not know; they have weekends only."""
    known = {day.year for day in chinese_calendar.holidays}
    return [year for year in years if year not in known]


def _presence(presence: PresenceFile, dates: Dates) -> Floats:
    workday = np.is_busday(dates, holidays=_HOLIDAYS) | np.isin(dates, _WORKED_WEEKENDS)
    share = workday.astype(np.float64)
    for period in presence.reduced:
        in_period = (dates >= np.datetime64(period.from_)) & (dates <= np.datetime64(period.to))
        share[in_period] *= period.presence
    return share


def _mean_c(dates: Dates, month: Ints, seed: int, site: str) -> Floats:
    """Return the climate, linear between the middles of the months, plus the weather."""
    first_of_month = dates.astype("datetime64[M]")
    first_day = first_of_month.astype("datetime64[D]")
    days_of_month = (first_of_month + 1).astype("datetime64[D]") - first_day
    days_passed = (dates - first_day).astype(np.float64) + 0.5
    # 0.0 is the middle of January, 1.0 that of February.
    month_position = month - 1.5 + days_passed / days_of_month.astype(np.float64)
    means = np.asarray([MONTHLY_MEAN_C[-1], *MONTHLY_MEAN_C, MONTHLY_MEAN_C[0]])
    climate = np.interp(month_position, np.arange(-1.0, 13.0), means)
    day_number = dates.astype(np.int64)
    weather, weight = np.zeros(len(dates)), 1.0
    for days_back in range(12):
        weather += weight * near_normal(noise_key(seed, site, "weather"), day_number - days_back)
        weight *= _WEATHER_MEMORY
    scale = _WEATHER_DEVIATION_C * np.sqrt(1.0 - _WEATHER_MEMORY**2)
    return np.asarray(climate + scale * weather)
