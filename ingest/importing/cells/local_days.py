"""Convert stored times to local times and back. Pure."""

from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MS: Final = timedelta(milliseconds=1)
#: Largest day of a month that can also be a month.
_LAST_MONTH: Final = 12


def local_time(time_ms: int, zone: ZoneInfo) -> datetime:
    """Return a UTC time [ms] as a local time."""
    return (_EPOCH + time_ms * _MS).astimezone(zone)


def time_of_local(local: datetime, zone: ZoneInfo) -> int:
    """Return the UTC time [ms] of a local time; the earlier one if it is ambiguous."""
    return (local.replace(tzinfo=zone) - _EPOCH) // _MS


def swapped_day(time_ms: int, zone: ZoneInfo) -> int:
    """Return a time [UTC, ms] with day and month swapped; unchanged if its day can't be a month."""
    local = local_time(time_ms, zone).replace(tzinfo=None)
    if local.day > _LAST_MONTH or local.day == local.month:
        return time_ms
    return time_of_local(local.replace(month=local.day, day=local.month), zone)
