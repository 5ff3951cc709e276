"""Read new readings of a measurement in rounds, with few queries.

Laws:

1. A round reads all series of a field in one query, from shortly before the end of the last round.
   If all readings are stored with a longer delay, the query begins before the newest reading.
2. When a subject returns after a silence, its agent may have kept older readings on disk. The agent
   sends them oldest first, so when the newest reading is stored, the older ones are stored too.
   They are read then: by queries for this subject or, if many subjects return, for all series.
3. In each round, older readings of a few silent subjects are read, in turn: if the clock of an
   agent is behind, its readings are always older than the time that law 1 reads.
4. No query returns more than about `_MAX_READINGS`. The rest is read in the next call.
5. A round that fails changes nothing.
6. After a start, all readings since the last round before the start are read. For subjects without
   such readings, the time of the newest reading is looked up, so that law 2 applies to them.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from analytics.alerts.signals.sampling import HELD_INTERVALS, Readings, joined
from jieneng.storage import Store

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Length of the time before the end of the last round that a round reads again [ms].
OVERLAP_MS: Final = 60_000
#: Longest delay of storing for which law 1 reads further back [ms].
_LONGEST_DELAY_MS: Final = 900_000
#: Greatest time by which a reading may lie in the future [ms], because clocks differ.
FUTURE_MS: Final = 300_000
_MAX_READINGS: Final = 500_000
#: From this number of returning subjects on, one query reads all series.
_MANY_RETURNS: Final = 20
#: Number of silent subjects whose older readings are read in a round (law 3).
_PROBES: Final = 2
#: Number of silent subjects whose newest readings are looked up in a round (law 6).
_LOOK_UPS: Final = 50
#: Longest time that is read back for a subject [ms].
LOOKBACK_MS: Final = 40 * 86_400_000


def window_start_ms(read_to_ms: int, newest_ms: int, now_ms: int) -> int:
    """Return the time from which a round reads all series [UTC, ms].

    Args:
        read_to_ms: end of the last round.
        newest_ms: time of the newest message of all subjects; 0 if there is none.
        now_ms: the time [UTC, ms].
    """
    reached_ms = max(newest_ms, now_ms - _LONGEST_DELAY_MS) if newest_ms else read_to_ms
    return min(read_to_ms, reached_ms) - OVERLAP_MS


class FeedSource(msgspec.Struct, frozen=True):
    """The stored series of a feed.

    Attributes:
        site: id of the site.
        measurement: the measurement.
        tag: tag with the id of the subject: `meter` or `agent`.
        fields: fields to read; a reading counts if it has all of them.
    """

    site: str
    measurement: str
    tag: str
    fields: tuple[str, ...]


class FieldReader:
    """Reader of the fields of a source.

    Args:
        store: the store, prepared.
        source: the series.
        subjects: ids of the subjects, in the order of their rows.
    """

    def __init__(self, store: Store, source: FeedSource, subjects: Sequence[str]) -> None:
        self._store = store
        self._source = source
        self._subjects = subjects
        self._numbers: Mapping[str, int] = {name: row for row, name in enumerate(subjects)}

    async def read(self, start_ms: int, end_ms: int, row: int | None = None) -> Readings:
        """Return the readings in `start_ms <= time < end_ms`, of one row or of all.

        The number of the step of each reading is 0.
        """
        where = {"site": self._source.site}
        if row is not None:
            where[self._source.tag] = self._subjects[row]
        fields = [
            await self._store.read(
                self._source.measurement, field, where=where, start_ms=start_ms, end_ms=end_ms
            )
            for field in self._source.fields
        ]
        by_row: dict[int, list[tuple[NDArray[np.int64], NDArray[np.float64]]]] = {}
        for number, found in enumerate(fields):
            for series in found:
                owner = self._numbers.get(series.tags.get(self._source.tag, ""))
                if owner is not None and len(by_row.setdefault(owner, [])) == number:
                    by_row[owner].append((series.times_ms, series.values))
        complete = sorted(row for row, series in by_row.items() if len(series) == len(fields))
        return _flat([(row, _common_times(by_row[row])) for row in complete], len(fields))

    async def newest_ms(self, row: int) -> int:
        """Return the time of the last stored reading of a row [UTC, ms]; 0 if there is none."""
        where = {"site": self._source.site, self._source.tag: self._subjects[row]}
        field = self._source.fields[0]
        span = await self._store.span(self._source.measurement, where=where, field=field)
        return 0 if span is None else span[1]


class ReadingFeed:
    """Reader of the new readings of some subjects in each round.

    Args:
        reader: reader of the readings.
        interval_ms: interval at which each subject is read, shape (m,) [ms].
        since_ms: time of the last round before the start [UTC, ms]; 0 if there was none.
    """

    def __init__(
        self, reader: FieldReader, interval_ms: "NDArray[np.int64]", since_ms: int
    ) -> None:
        self._reader = reader
        self._interval_ms = interval_ms
        self._lag_ms = np.maximum((interval_ms * HELD_INTERVALS).astype(np.int64), OVERLAP_MS)
        self._newest_ms = np.zeros(len(interval_ms), dtype=np.int64)
        self._since_ms = since_ms
        self._read_to_ms = 0
        #: Rows of returning subjects, with the time from which on each is still to be read.
        self._returning: dict[int, int] = {}
        self._unknown: list[int] | None = None
        self._next_probe = 0
        self.is_behind = False

    async def next_readings(self, now_ms: int) -> Readings:
        """Return the readings that are newer than all earlier readings of their subject."""
        if not self._read_to_ms:
            longest_ms = min(self._chunk_ms(_MAX_READINGS), int(self._lag_ms.max(initial=0)))
            self._read_to_ms = max(self._since_ms or now_ms - longest_ms, now_ms - LOOKBACK_MS)
        start_ms = window_start_ms(self._read_to_ms, int(self._newest_ms.max(initial=0)), now_ms)
        end_ms = min(now_ms + FUTURE_MS, start_ms + self._chunk_ms(_MAX_READINGS))
        found = self._unread(await self._reader.read(start_ms, end_ms))
        returning = {**self._returning, **self._returns(found, start_ms)}
        probes = self._probes(now_ms, returning)
        earlier = [
            self._unread(await self._reader.read(int(self._newest_ms[row]) + 1, start_ms, row))
            for row in probes
        ]
        past, left = await self._past(returning, start_ms)
        looked_up = await self._looked_up(found) if end_ms >= now_ms else {}
        # All reads have succeeded: from here on the state changes (law 5).
        is_left = np.isin(found.rows, list(left))
        taken = joined([*past, *earlier, found.chosen(~is_left)])
        np.maximum.at(self._newest_ms, taken.rows, taken.times_ms)
        for row, newest_ms in looked_up.items():
            self._newest_ms[row] = max(self._newest_ms[row], min(newest_ms, now_ms))
        self._returning = left
        self._read_to_ms = min(now_ms, end_ms)
        self._next_probe += len(probes)
        self.is_behind = bool(left) or end_ms < now_ms
        return taken

    def _chunk_ms(self, max_readings: int) -> int:
        """Return the time in which all subjects together have about a given number of readings."""
        per_ms = float((1.0 / self._interval_ms).sum()) or 1e-9
        return min(int(max_readings / per_ms) + OVERLAP_MS + FUTURE_MS, LOOKBACK_MS)

    def _unread(self, found: Readings) -> Readings:
        return found.chosen(found.times_ms > self._newest_ms[found.rows])

    def _returns(self, found: Readings, start_ms: int) -> dict[int, int]:
        """Return the returning subjects, with the time from which on each is to be read (law 2)."""
        rows, first = np.unique(found.rows, return_index=True)
        newest_ms = self._newest_ms[rows]
        silence_ms = found.times_ms[first] - newest_ms
        is_return = (newest_ms > 0) & (newest_ms < start_ms) & (silence_ms > self._lag_ms[rows])
        return {int(row): int(self._newest_ms[row]) + 1 for row in rows[is_return]}

    def _probes(self, now_ms: int, returning: Mapping[int, int]) -> list[int]:
        """Return the silent subjects whose older readings are read in this round (law 3)."""
        silent = np.flatnonzero(
            (self._newest_ms > 0) & (now_ms - self._newest_ms > self._lag_ms + FUTURE_MS)
        )
        silent = silent[~np.isin(silent, list(returning))]
        count = min(_PROBES, len(silent))
        return [int(silent[(self._next_probe + number) % len(silent)]) for number in range(count)]

    async def _looked_up(self, found: Readings) -> dict[int, int]:
        """Look up the newest readings of some subjects that were silent since the start (law 6)."""
        if self._unknown is None:
            is_known = self._newest_ms > 0
            is_known[found.rows] = True
            self._unknown = np.flatnonzero(~is_known).tolist()
        rows, self._unknown = self._unknown[:_LOOK_UPS], self._unknown[_LOOK_UPS:]
        return {row: await self._reader.newest_ms(row) for row in rows}

    async def _past(
        self, returning: Mapping[int, int], end_ms: int
    ) -> tuple[list[Readings], dict[int, int]]:
        """Read a chunk of the time for which returning subjects were silent.

        Returns:
            The readings, and the time from which on each subject is still to be read.
        """
        if not returning:
            return [], {}
        if len(returning) > _MANY_RETURNS:
            # A few subjects that were silent for very long are read separately, after the others.
            from_ms = sorted(returning.values())[_MANY_RETURNS]
            rows = [row for row, since_ms in returning.items() if since_ms >= from_ms]
            to_ms = min(end_ms, from_ms + self._chunk_ms(_MAX_READINGS))
            found = self._unread(await self._reader.read(from_ms, to_ms))
            parts = [found.chosen(np.isin(found.rows, rows))]
            left = {row: to_ms for row in rows if to_ms < end_ms}
            return parts, {**{r: t for r, t in returning.items() if r not in rows}, **left}
        parts, left = [], {}
        for row, since_ms in returning.items():
            max_ms = _MAX_READINGS // len(returning) * int(self._interval_ms[row])
            to_ms = min(end_ms, since_ms + max_ms)
            parts.append(self._unread(await self._reader.read(since_ms, to_ms, row)))
            if to_ms < end_ms:
                left[row] = to_ms
        return parts, left


def _common_times(
    series: "Sequence[tuple[NDArray[np.int64], NDArray[np.float64]]]",
) -> "tuple[NDArray[np.int64], tuple[NDArray[np.float64], ...]]":
    """Return the times that all fields of a subject have, and their values."""
    times = series[0][0]
    if len(series) == 1:
        return times, (series[0][1],)
    for others, _ in series[1:]:
        times = np.intersect1d(times, others, assume_unique=True)
    values = tuple(column[np.searchsorted(own, times)] for own, column in series)
    return times, values


def _flat(
    found: "Sequence[tuple[int, tuple[NDArray[np.int64], tuple[NDArray[np.float64], ...]]]]",
    fields: int,
) -> Readings:
    """Return the readings of some rows as one sequence."""
    if not found:
        nothing = np.zeros(0, dtype=np.int64)
        return Readings(nothing, nothing, nothing, (np.zeros(0),) * fields)
    counts = [len(times) for _, (times, _) in found]
    rows = np.repeat(np.array([row for row, _ in found], dtype=np.int64), counts)
    times = np.concatenate([times for _, (times, _) in found])
    columns = tuple(
        np.concatenate([values[number] for _, (_, values) in found]) for number in range(fields)
    )
    return Readings(rows, times, np.zeros(len(times), dtype=np.int64), columns)
