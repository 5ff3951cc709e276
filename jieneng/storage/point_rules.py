"""Reject points that not every store can hold. Pure: a point in, the reason out.

Law: every store rejects the same points for the same reasons, although databases differ. InfluxDB
drops a field named `time`, ignores an empty tag, and lets the first write decide whether a field is
a number or a text. SQLite ignores the case of names. Points whose storage would depend on such a
difference are rejected here.
"""

import math
import re
from functools import lru_cache
from typing import Final

from jieneng.metering.schema import TEXT_FIELDS, Point
from jieneng.storage.store import SeriesColumns

_NAME: Final = re.compile(r"[a-z][a-z0-9_]*\Z")

#: Columns of every SQLite table, and the name of InfluxDB's time column.
_RESERVED: Final = frozenset({"series", "time", "time_ms"})

#: InfluxDB keeps nanoseconds in 64 bits: 1677-09-21 to 2262-04-11 [ms since 1970].
EARLIEST_MS: Final = -9_223_372_036_854
LATEST_MS: Final = 9_223_372_036_854


def rejection_reason(point: Point) -> str | None:
    """Return the reason to reject a point; None if every store can hold it."""
    if not point.names:
        return "no fields"
    if not EARLIEST_MS < point.time_ms < LATEST_MS:
        return f"time {point.time_ms} ms is out of range"
    if reason := _series_reason(point.measurement, point.tags):
        return reason
    return _field_reason(point.names) or _value_reason(point)


def is_plain(measurement: str, series: SeriesColumns) -> bool:
    """Return True if no point of a series is rejected, and each point has all fields."""
    names, times = tuple(series.columns), series.times_ms
    return (
        _series_reason(measurement, tuple(sorted(series.tags.items()))) is None
        and bool(names)
        and _field_reason(names) is None
        and not _has_text(names)
        and (len(times) == 0 or EARLIEST_MS < int(times[0]) <= int(times[-1]) < LATEST_MS)
        # A sum is finite only if each number is finite.
        and all(math.isfinite(column.sum()) for column in series.columns.values())
    )


def _value_reason(point: Point) -> str | None:
    try:
        # A sum is finite only if each number is finite. This check is enough for most points.
        if math.isfinite(sum(point.values)) and not _has_text(point.names):  # type: ignore[arg-type]  # a text raises
            return None
    except TypeError:
        pass
    for name, value in point.fields:
        is_text = isinstance(value, str)
        if is_text is not (name in TEXT_FIELDS):
            return f"field {name} holds {'a number' if is_text else 'text'}, not {value!r}"
        if not is_text and not math.isfinite(value):  # type: ignore[arg-type]  # not text
            return f"field {name} is {value}: omit the field of an unknown value"
    return None


@lru_cache(maxsize=4096)
def _has_text(names: tuple[str, ...]) -> bool:
    return not TEXT_FIELDS.isdisjoint(names)


@lru_cache(maxsize=65536)
def _series_reason(measurement: str, tags: tuple[tuple[str, str], ...]) -> str | None:
    for name in (measurement, *(name for name, _ in tags)):
        if not _NAME.match(name):
            return f"{name!r} is not a name: use a-z, 0-9 and _"
    for name, value in tags:
        if not value or not value.isprintable() or value.endswith("\\"):
            return f"tag {name} can't be {value!r}"
    if list(tags) != sorted(dict(tags).items()):
        return "tags are not sorted by name, each once"
    return None


@lru_cache(maxsize=4096)
def _field_reason(names: tuple[str, ...]) -> str | None:
    for name in names:
        if name in _RESERVED or not _NAME.match(name):
            return f"{name!r} is not the name of a field"
    return f"a field occurs twice in {names}" if len(set(names)) != len(names) else None
