"""Convert day numbers of spreadsheets (days since 1900, time of day as fraction) to times. Pure.

Law: a number with few decimals is read as the whole minute from which it was rounded: 45296.0104 is
2024-01-05 00:15, not 00:14:58. If several minutes are possible, the number is refused.
"""

from datetime import datetime, timedelta
from typing import Final

# Spreadsheets count from 1900 and treat 1900 as a leap year, which shifts all later days by one.
_FIRST_DAY: Final = datetime(1899, 12, 30)  # noqa: DTZ001 - times of a sheet are local
_FROM_1904: Final = 1462  # days between the two epochs, 1900 and 1904
_DAY_S: Final = 86_400
#: Day numbers of 2000-01-01 and 2100-01-01.
_EARLIEST: Final = 36_526
_LATEST: Final = 73_051


class RoundedTooFar(Exception):
    """Raised for a day number with too few decimals to determine the minute."""


def is_serial_day(number: float, *, from_1904: bool) -> bool:
    """Return True for a number of a day from 2000 to 2099."""
    return _EARLIEST <= number + (_FROM_1904 if from_1904 else 0) < _LATEST


def moment_of_serial_day(number: float, text: str, *, from_1904: bool) -> datetime:
    """Return the local time of a number of days.

    Args:
        number: the number.
        text: text of the number; its number of decimals gives the precision.
        from_1904: True if the spreadsheet counts days from 1904.

    Raises:
        RoundedTooFar: the number may be the rounded value of several minutes.
    """
    day, fraction = divmod(number, 1)
    start = _FIRST_DAY + timedelta(days=day + (_FROM_1904 if from_1904 else 0))
    return start + timedelta(seconds=_seconds(fraction, len(text.partition(".")[2])))


def _seconds(fraction: float, decimals: int) -> float:
    seconds = fraction * _DAY_S
    minute = round(seconds / 60) * 60
    rounding_s = 0.5 * _DAY_S / 10**decimals
    if abs(seconds - minute) < 1e-6:
        return minute
    if rounding_s > 30:
        raise RoundedTooFar
    if abs(seconds - minute) <= rounding_s + 1e-5:
        return minute
    whole = round(seconds)
    return whole if abs(seconds - whole) <= rounding_s + 1e-3 else round(seconds, 3)
