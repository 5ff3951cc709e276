"""Decide when a refusal is final if the store refuses a point with an unknown message. Pure.

A suspect is a point that was refused with an unknown message, and whose refusal is not final yet.

Laws:

- A refusal is final after the point was refused alone three times, while the store accepted other
  points in the same call. The third refusal must be at least an hour after the first.
- A refusal counts only if it is at least half an hour after the one before. Until then the point is
  not written again, to save requests. Its batch stays unacknowledged.
- A point that was stored is no longer a suspect.
- Memory is bounded. Beyond the limit, refused points are written every time, and their refusal
  never becomes final. They become suspects when there is room again: when the refusal of other
  suspects became final, or other suspects were not refused for a day.

`PointWriter` keeps one `Suspects` as long as the process lives, and uses it like this:

    due = [point for point in points if suspects.is_due(point)]
    result = await store.write(due)                       # if it raises, no point is suspect
    final = suspects.add(result.unclear)                  # the points to quarantine
    suspects.forget(points of `due` that are stored)      # cheap without suspects

A batch is acknowledged only after each of its points is stored or quarantined.

A suspect must be written together with other points: a call in which no point was accepted raises
`StoreUnavailable`, and does not count as a refusal. So after such an error, the suspect is written
again together with the points that have arrived since.
"""

from collections.abc import Callable, Iterable
from typing import Final, TypeAlias

import msgspec

from jieneng.metering.schema import Point
from jieneng.storage import RejectedPoint
from jieneng.storage.store import UNCLEAR

#: Number of refusals that make a refusal final, and least time from the first to the last [s].
TIMES: Final = 3
SPAN_S: Final = 3600.0
#: Least time between two refusals that count [s].
PAUSE_S: Final = SPAN_S / (TIMES - 1)
#: A suspect that was not refused for this long is forgotten if others need its place [s].
FORGOTTEN_AFTER_S: Final = 86_400.0

#: Measurement, tags, time and names of the fields.
PointKey: TypeAlias = tuple[str, tuple[tuple[str, str], ...], int, tuple[str, ...]]


class _Suspect(msgspec.Struct):
    first_s: float
    last_s: float
    refusals: int


class Suspects:
    """Counts the refusals of each point."""

    def __init__(self, now_s: Callable[[], float], *, most: int = 100_000) -> None:
        """Begin without suspects.

        Args:
            now_s: a clock that never goes back, such as `loop.time` [s].
            most: number of suspects to keep, about 300 bytes each.
        """
        self._now_s = now_s
        self._most = most
        self._suspects: dict[PointKey, _Suspect] = {}

    def __len__(self) -> int:
        return len(self._suspects)

    def is_due(self, point: Point) -> bool:
        """Return True unless the point was refused less than half an hour ago."""
        if not self._suspects:
            return True
        suspect = self._suspects.get(point_key(point))
        return suspect is None or self._now_s() - suspect.last_s >= PAUSE_S

    def add(self, unclear: Iterable[RejectedPoint]) -> list[RejectedPoint]:
        """Count the refusals of one call, and return the points whose refusal is now final."""
        now_s = self._now_s()
        aside = []
        for refused in unclear:
            if refused.code != UNCLEAR:
                continue
            key = point_key(refused.point)
            suspect = self._suspects.get(key)
            if suspect is None:
                if self._has_room(now_s):
                    self._suspects[key] = _Suspect(now_s, now_s, 1)
            elif now_s - suspect.last_s >= PAUSE_S:
                suspect.last_s = now_s
                suspect.refusals += 1
                if suspect.refusals >= TIMES and now_s - suspect.first_s >= SPAN_S:
                    del self._suspects[key]
                    aside.append(refused)
        return aside

    def forget(self, stored: Iterable[Point]) -> None:
        """Remove points from the suspects, because they are stored or quarantined."""
        if self._suspects:
            for point in stored:
                self._suspects.pop(point_key(point), None)

    def _has_room(self, now_s: float) -> bool:
        if len(self._suspects) >= self._most:
            oldest_s = now_s - FORGOTTEN_AFTER_S
            kept = {key: one for key, one in self._suspects.items() if one.last_s > oldest_s}
            self._suspects = kept
        return len(self._suspects) < self._most


def point_key(point: Point) -> PointKey:
    """Return the identity of a point: everything but its values."""
    return (
        point.measurement,
        point.tags,
        point.time_ms,
        point.names,
    )
