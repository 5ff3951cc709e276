"""Convert local times to UTC. Pure.

Law: a local time that occurred twice or never, because of a clock change, is refused.
"""

from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from ingest.importing.cells.cell import BadCell

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MS: Final = timedelta(milliseconds=1)
_DAY: Final = timedelta(days=1)
_DAY_MS: Final = 86_400_000

#: Accepted range of times [UTC, ms]: 2000-01-01 to 2100-01-01, as for MQTT messages.
_EARLIEST_MS: Final = 946_684_800_000
_LATEST_MS: Final = 4_102_444_800_000


class LocalTimes:
    """Converts local times of a time zone to UTC."""

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone: Final = zone

    def utc_ms(self, moment: datetime, text: str) -> int:
        """Convert a time to UTC [ms]. A time without an offset is local.

        Args:
            moment: the time.
            text: text of the cell, for messages.

        Raises:
            BadCell: the time is ambiguous, or out of range.
        """
        if moment.tzinfo is None:
            moment = self._localize(moment, text)
        # Spreadsheets store times as floats: adding half a millisecond corrects their rounding.
        time_ms = (moment - _EPOCH + _MS / 2) // _MS
        check_range(time_ms, text)
        return time_ms

    def midnight_ms(self, day: date) -> int:
        """Return the beginning of a local day [UTC, ms]; the earlier one of two midnights."""
        return (midnight(day).replace(tzinfo=self._zone) - _EPOCH) // _MS

    def steady_midnight_ms(self, day: date) -> int | None:
        """Return the beginning of a day [UTC, ms]; None on a clock change, or out of range."""
        start, end = (midnight(one).replace(tzinfo=self._zone) for one in (day, day + _DAY))
        start_ms = (start - _EPOCH) // _MS
        in_range = _EARLIEST_MS <= start_ms < _LATEST_MS
        return start_ms if in_range and start.utcoffset() == end.utcoffset() else None

    def _localize(self, local: datetime, text: str) -> datetime:
        first = local.replace(tzinfo=self._zone, fold=0)
        second = local.replace(tzinfo=self._zone, fold=1)
        before, after = first.utcoffset(), second.utcoffset()
        if before == after or before is None or after is None:
            return first
        raise BadCell(
            "column {column}: {cell} occurred twice in the time zone {zone}."
            if before > after
            else "column {column}: {cell} never occurred in the time zone {zone}.",
            "Write it with its offset, such as {example}, or state the time zone of the file.",
            cell=text,
            zone=self._zone.key,
            example=first.isoformat(sep=" ", timespec="minutes"),
        )


def midnight(day: date) -> datetime:
    """Return the local beginning of a day."""
    return datetime(day.year, day.month, day.day)  # noqa: DTZ001 - made local by `LocalTimes`


def check_range(time_ms: int, text: str) -> None:
    """Raise BadCell for a time [UTC, ms] before 2000 or after 2099; `text` is the cell."""
    if not _EARLIEST_MS <= time_ms < _LATEST_MS:
        raise BadCell(
            "column {column}: {cell} is before 2000 or after 2099.",
            "Correct the year.",
            cell=text,
        )
