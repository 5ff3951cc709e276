"""Days of spreadsheets: numbers of days since 1900, with the time of day as fraction. Pure.

Law: a number with few decimals names the whole minute that it was rounded from; a number that could
name several is refused. 45296.0104 is 2024-01-05 00:15, not 00:14:58.
"""

from datetime import datetime, timedelta
from typing import Final

# Spreadsheets count from 1900 and take 1900 for a leap year, which shifts all days since by one.
_FIRST_DAY: Final = datetime(1899, 12, 30)  # noqa: DTZ001 - times of a sheet are local
_FROM_1904: Final = 1462  # days between the two beginnings
_DAY_S: Final = 86_400
#: 2000-01-01 and 2100-01-01.
_EARLIEST: Final = 36_526
_LATEST: Final = 73_051


class RoundedTooFar(Exception):
    """Raised for a day whose fraction has too few decimals to tell the minute."""


def is_serial_day(number: float, *, from_1904: bool) -> bool:
    """Return True for a number of a day from 2000 to 2099."""
    return _EARLIEST <= number + (_FROM_1904 if from_1904 else 0) < _LATEST


def moment_of_serial_day(number: float, text: str, *, from_1904: bool) -> datetime:
    """Return the local time of a number of days.

    Args:
        number: the number.
        text: its text, whose decimals tell its precision.
        from_1904: True if the spreadsheet counts from 1904.

    Raises:
        RoundedTooFar: several minutes lie within the rounding of the number.
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
