"""What no store takes. Pure: a point in, the reason out.

Law: every store refuses the same points for the same reasons, whatever its server would make of
them. InfluxDB lets the first write decide whether a field is a number or text, drops a field that
is called `time`, and reads an empty tag as none; SQLite's names know no capitals. None of that
may decide what becomes of a reading.
"""

import math
import re
from functools import lru_cache
from typing import Final

from jieneng.metering.schema import TEXT_FIELDS, Point

_NAME: Final = re.compile(r"[a-z][a-z0-9_]*\Z")

#: Columns of every table, and InfluxDB's own name of the time.
_RESERVED: Final = frozenset({"series", "time", "time_ms"})

#: InfluxDB keeps nanoseconds in 64 bits: 1677-09-21 to 2262-04-11 [ms since 1970].
EARLIEST_MS: Final = -9_223_372_036_854
LATEST_MS: Final = 9_223_372_036_854


def reason_against(point: Point) -> str | None:
    """Why no store takes this point; None where every store does."""
    if not point.fields:
        return "no fields"
    if not EARLIEST_MS < point.time_ms < LATEST_MS:
        return f"time {point.time_ms} ms is out of range"
    if reason := _against_series(point.measurement, point.tags):
        return reason
    for name, value in point.fields:
        is_text = isinstance(value, str)
        if is_text is not _holds_text(name):
            return f"field {name} holds {'a number' if is_text else 'text'}, not {value!r}"
        if not is_text and not math.isfinite(value):  # type: ignore[arg-type]  # not text
            return f"field {name} is {value}: unknown is a missing field"
    return _against_fields(tuple([name for name, _ in point.fields]))


@lru_cache(maxsize=4096)
def _holds_text(field: str) -> bool:
    return field in TEXT_FIELDS


@lru_cache(maxsize=65536)
def _against_series(measurement: str, tags: tuple[tuple[str, str], ...]) -> str | None:
    for name in (measurement, *(name for name, _ in tags)):
        if not _NAME.match(name):
            return f"{name!r} is no name: a-z, 0-9 and _"
    for name, value in tags:
        if not value or not value.isprintable() or value.endswith("\\"):
            return f"tag {name} can't be {value!r}"
    if list(tags) != sorted(dict(tags).items()):
        return "tags are not sorted by name, each once"
    return None


@lru_cache(maxsize=4096)
def _against_fields(names: tuple[str, ...]) -> str | None:
    for name in names:
        if name in _RESERVED or not _NAME.match(name):
            return f"{name!r} is no name of a field"
    return f"a field stands twice in {names}" if len(set(names)) != len(names) else None
