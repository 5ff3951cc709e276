"""Follow the time of the newest message of each meter or agent.

Laws:

1. A round reads all series in one query, from shortly before the end of the last round. For a few
   silent subjects, in turn, older messages are read too, because the clock of an agent may be
   behind.
2. After a start, the newest message of each silent subject is looked up, however old it is, for a
   few subjects in each round. If a meter never answered, its age is counted from its first poll.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from analytics.pipeline.signals.reading_feed import (
    FUTURE_MS,
    LOOKBACK_MS,
    FeedSource,
    FieldReader,
    window_start_ms,
)
from jieneng.metering import schema
from jieneng.storage import Store

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from analytics.alerts.signals.sampling import Readings

#: Length of the time that the first round reads [ms]. Older messages are looked up one by one.
_FIRST_SPAN_MS: Final = 600_000
_PROBES: Final = 2
_LOOK_UPS: Final = 50


class NewestMessages:
    """The times of the newest messages.

    Args:
        store: the store, prepared.
        source: the series, with the one field that each message has.
        subjects: ids of the subjects.
        wanted: value of the field in a message that counts; None for any.
    """

    def __init__(
        self, store: Store, source: FeedSource, subjects: Sequence[str], wanted: float | None
    ) -> None:
        self._store = store
        self._source = source
        self._subjects = subjects
        self._reader = FieldReader(store, source, subjects)
        self._wanted = wanted
        self._read_to_ms = 0
        self._next_probe = 0
        self._unknown = list(range(len(subjects)))
        self._numbers = {subject: row for row, subject in enumerate(subjects)}
        self._newest_ms: NDArray[np.int64] = np.zeros(len(subjects), dtype=np.int64)
        self._since_ms: NDArray[np.int64] = np.zeros(len(subjects), dtype=np.int64)

    def of(self, subject: str) -> tuple[int, int]:
        """Return the time of a subject's newest message, and the time since which one is expected.

        Both are in UTC [ms]; 0 if unknown.
        """
        row = self._numbers[subject]
        return int(self._newest_ms[row]), int(self._since_ms[row])

    async def update(self, now_ms: int) -> None:
        """Read the messages since the last call."""
        is_first = not self._read_to_ms
        newest, since = self._newest_ms.copy(), self._since_ms.copy()
        start_ms = now_ms - _FIRST_SPAN_MS
        if not is_first:
            start_ms = window_start_ms(self._read_to_ms, int(newest.max(initial=0)), now_ms)
        self._note(newest, await self._reader.read(start_ms, now_ms + FUTURE_MS))
        silent = np.flatnonzero((newest > 0) & (newest < start_ms - FUTURE_MS))
        for number in range(min(_PROBES, len(silent))):
            row = int(silent[(self._next_probe + number) % len(silent)])
            self._note(newest, await self._reader.read(int(newest[row]) + 1, start_ms, row))
        unknown = [row for row in self._unknown if not newest[row]]
        for row in unknown[:_LOOK_UPS]:
            newest[row] = await self._last_ms(row, now_ms)
            since[row] = 0 if newest[row] else await self.first_poll_ms(row)
        self._unknown = unknown[_LOOK_UPS:]
        self._next_probe += _PROBES
        self._newest_ms, self._since_ms, self._read_to_ms = newest, since, now_ms

    def _note(self, newest: "NDArray[np.int64]", found: "Readings") -> None:
        """Update the newest times from the messages that count."""
        counts = np.ones(len(found.rows), dtype=np.bool_)
        if self._wanted is not None:
            counts = found.values == self._wanted
        np.maximum.at(newest, found.rows[counts], found.times_ms[counts])

    async def _last_ms(self, row: int, now_ms: int) -> int:
        """Return the time of the last message of a subject [UTC, ms]; 0 if there is none."""
        last_ms = await self._reader.newest_ms(row)
        if not last_ms or self._wanted is None:
            return min(last_ms, now_ms)
        return await self.last_before_ms(row, last_ms + 1)

    async def last_before_ms(self, row: int, end_ms: int) -> int:
        """Return the time of the last message before a time [UTC, ms]; 0 if 40 days have none."""
        newest = np.zeros_like(self._newest_ms)
        span_ms = _FIRST_SPAN_MS
        while not newest[row] and span_ms <= LOOKBACK_MS:
            self._note(newest, await self._reader.read(end_ms - span_ms, end_ms, row))
            span_ms *= 8
        return int(newest[row])

    async def first_poll_ms(self, row: int) -> int:
        """Return the time of the first poll of a meter [UTC, ms]; 0 if it was never polled."""
        if self._source.tag != "meter":
            return 0
        where = {"site": self._source.site, "meter": self._subjects[row]}
        span = await self._store.span(schema.POLL, where=where)
        return 0 if span is None else span[0]
