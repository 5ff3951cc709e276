"""Points that the store refuses in unknown words, until the refusal is believed. Pure.

Laws:

- A point is set aside after it was refused alone three times while the store accepted other points
  in the same call; the last time must be at least an hour after the first.
- Refusals count if they are at least half an hour apart. A point that is not due is held back, so
  that it costs no requests meanwhile. It is neither stored nor set aside, so its batch stays
  unacknowledged.
- A stored point is no suspect any more.
- Memory is bounded. Beyond the limit, refused points are written every time and never set aside.
  They become suspects once there is room: others were set aside, or were not refused for a day.

How the batcher uses it, with `suspects` kept for the life of the process:

    due = [point for point in points if suspects.is_due(point)]
    result = await store.write(due)                       # raises: nobody is suspect
    aside = suspects.add(result.unclear)                  # to the quarantine, with these reasons
    suspects.forget(points of `due` that are stored)      # cheap where there are no suspects

Points that were held back are neither stored nor set aside, and neither are points of
`result.unclear` that `add` did not return. A batch is acknowledged once each of its points is one
of both.

Write suspects together with other points: a call in which nothing was accepted raises
`StoreUnavailable`. After that, write again with the points that have arrived since, or a point
alone would be waited for without end.
"""

from collections.abc import Callable, Iterable
from typing import Final, TypeAlias

import msgspec

from jieneng.metering.schema import Point
from jieneng.storage import RejectedPoint
from jieneng.storage.store import UNCLEAR

#: Refusals before a point is set aside, and the least time from the first to the last [s].
TIMES: Final = 3
SPAN_S: Final = 3600.0
#: Time between two refusals that count [s].
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
    """Counts the refusals of points, by their identity."""

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
        """Count the refusals of one call, and return the points that are to be set aside now."""
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
        """Clear points of suspicion, because they are stored or set aside."""
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
    """Return the identity of a point: a later value of it is the same point."""
    return (
        point.measurement,
        point.tags,
        point.time_ms,
        point.names,
    )
