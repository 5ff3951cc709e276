"""Convert alerts to points of the store, and back. Pure.

Law: an alert read from its point equals the alert that was written, except for `acknowledged_by`,
`silenced` and `caused_by`. These are computed again from marks, maintenance and the other alerts;
the store has only 1 (set) or 0 (not set) for each.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from analytics.alerts.alert import ENDS, PHASES, Alert
from analytics.alerts.alert_rule import SEVERITIES
from jieneng.metering import schema
from jieneng.metering.schema import Point, Value

#: Values of `told`, with their numbers in the store.
_TOLD: Final = ("", *SEVERITIES)
#: Attributes of an alert that are tags of its point.
_TAGS: Final = ("rule", "signal", "subject", "severity")
#: Fields whose names differ from the names of their attributes.
_FIELD_NAMES: Final = {
    "acknowledged_by": "acknowledged",
    "caused_by": "caused",
}
#: The only field that contains text.
FIRES: Final = "fires"


def _number(value: float) -> float:
    return float(value)


def _has_text(text: str) -> float:
    return float(bool(text))


#: Conversions to numbers, for attributes that are not numbers.
_WRITERS: Final[Mapping[str, Callable[[Any], Value]]] = {
    "phase": lambda phase: float(PHASES.index(phase)),
    "end": lambda end: float(ENDS.index(end)),
    "told": lambda told: float(_TOLD.index(told)),
    FIRES: lambda times_ms: " ".join(map(str, times_ms)),
    "acknowledged_by": _has_text,
    "caused_by": _has_text,
}
#: Conversions from numbers, for attributes that are not floats.
_READERS: Final[Mapping[str, Callable[[Any], object]]] = {
    "phase": lambda number: PHASES[int(number)],
    "end": lambda number: ENDS[int(number)],
    "told": lambda number: _TOLD[int(number)],
    FIRES: lambda text: tuple(map(int, text.split())),
    "held_late": bool,
    "held": int,
    "value": float,
    "limit": float,
    "peak": float,
    "held_peak": float,
}
_ATTRIBUTES: Final = tuple(name for name in Alert.__struct_fields__ if name not in _TAGS)
#: Attributes that are computed again after reading.
_DERIVED: Final = frozenset({"acknowledged_by", "silenced", "caused_by"})
#: Attributes that change with each value; their change alone is not written.
_VOLATILE: Final = {"value": 0.0, "peak": 0.0, "seen_ms": 0}

#: The float fields of a point.
NUMBER_FIELDS: Final = tuple(
    _FIELD_NAMES.get(name, name) for name in _ATTRIBUTES if name != FIRES and name not in _DERIVED
)


def alert_point(site: str, alert: Alert, time_ms: int) -> Point:
    """Return the point of an alert at a time."""
    tags = {"site": site, **{name: getattr(alert, name) for name in _TAGS}}
    fields = (
        (
            _FIELD_NAMES.get(name, name),
            _WRITERS.get(name, _number)(getattr(alert, name)),
        )
        for name in _ATTRIBUTES
    )
    return Point.of(
        schema.ALERT,
        tuple(sorted(tags.items())),
        [(name, value) for name, value in fields if _is_known(value)],
        time_ms,
    )


def episode_point(site: str, episode: Alert) -> Point:
    """Return the point of an ended episode, at the time at which its alert fired.

    If two copies of the service write the same episode, the store has one point.
    """
    fields = {
        "ended_ms": float(episode.ended_ms),
        "lasted_s": (episode.ended_ms - episode.fired_ms) / 1000,
        "peak": episode.peak,
        "limit": episode.limit,
        "end": float(ENDS.index(episode.end)),
    }
    tags = {"site": site, **{name: getattr(episode, name) for name in _TAGS}}
    point = schema.point(schema.ALERT_EPISODE, tags, fields, episode.fired_ms)
    assert point is not None  # noqa: S101 - its end is known
    return point


def alert_from_fields(tags: Mapping[str, str], fields: Mapping[str, Value]) -> Alert:
    """Return the alert of a point.

    Args:
        tags: tags of the point.
        fields: the known fields of the point.
    """
    known = {
        name: _READERS.get(name, int)(fields[name])
        for name in _ATTRIBUTES
        if name in fields and name not in _DERIVED
    }
    unknown = dict.fromkeys(("value", "peak", "limit"), math.nan)
    return msgspec.convert({**{name: tags[name] for name in _TAGS}, **unknown, **known}, Alert)


def is_change(before: Alert | None, after: Alert) -> bool:
    """Return True if two states of an alert differ so much that a point is to be written."""
    if before is None:
        return not is_pristine(after)
    return before != after and _without_volatile(before) != _without_volatile(after)


def is_pristine(alert: Alert) -> bool:
    """Return True if an alert never fired and is inactive, so that its state need not be stored."""
    return alert.phase == "inactive" and not alert.ended_ms and not alert.held


def _without_volatile(alert: Alert) -> tuple[object, ...]:
    steady = msgspec.structs.replace(alert, **_VOLATILE)
    # NaN differs from itself.
    return tuple(
        None if isinstance(value, float) and math.isnan(value) else value
        for value in msgspec.structs.astuple(steady)
    )


def _is_known(value: Value) -> bool:
    return bool(value) if isinstance(value, str) else math.isfinite(value)
