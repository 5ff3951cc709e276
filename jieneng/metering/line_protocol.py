"""Encode points as InfluxDB line protocol. Pure: points in, bytes out.

Laws: a value or name that the protocol can't express exactly is refused: NaN, infinity, an empty
name, a name with a line break or a backslash at its end. Floats are written as the shortest text
that reads back as the same number. Floats are never written as integers, because the first write of
a field decides its type.

Source: InfluxDB line protocol reference (v1.8 and v2), section "Special characters".
"""

import math
from collections.abc import Iterable
from functools import lru_cache

import msgspec

from jieneng.metering.schema import Point, Value

_MEASUREMENT = str.maketrans({",": "\\,", " ": "\\ "})
_KEY = str.maketrans({",": "\\,", " ": "\\ ", "=": "\\="})
_TEXT = str.maketrans({'"': '\\"', "\\": "\\\\"})


def encode(points: Iterable[Point]) -> bytes:
    """Return a line for each point, joined by line feeds, with times in milliseconds.

    Raises:
        ValueError: line protocol can't express a name or value.
    """
    return b"\n".join([encode_point(point) for point in points])


def encode_point(point: Point) -> bytes:
    """Return the line of a point, without a line feed. Raises as `encode`."""
    if not point.names:
        raise ValueError(f"a point of {point.measurement} without fields")
    # The JSON encoder writes all numbers at once, several times as fast as `repr` one by one.
    numbers = _encode_json(point.values)[1:-1]
    if numbers.count(b".") == len(point.values) and b'"' not in numbers:
        values = numbers.split(b",")
    else:  # a text, an unknown value, or a number that has no decimal point
        values = [_value(value).encode() for value in point.values]
    fields = _fields(point.names) % tuple(values)
    return b"%b %b %d" % (_series(point.measurement, point.tags), fields, point.time_ms)


_encode_json = msgspec.json.Encoder().encode


@lru_cache(maxsize=65536)
def _series(measurement: str, tags: tuple[tuple[str, str], ...]) -> bytes:
    """Return measurement and tags: equal for all points of a series, so built once."""
    parts = [_checked(measurement).translate(_MEASUREMENT)]
    parts += [f"{_key(name)}={_key(value)}" for name, value in tags]
    return ",".join(parts).encode()


@lru_cache(maxsize=4096)
def _fields(names: tuple[str, ...]) -> bytes:
    """Return the fields with a place for each value: equal for all points of a layout."""
    keys = [_key(name).replace("%", "%%") for name in names]
    return ",".join([f"{key}=%b" for key in keys]).encode()


@lru_cache(maxsize=4096)
def _key(name: str) -> str:
    return _checked(name).translate(_KEY)


def _checked(name: str) -> str:
    if not name or name.endswith("\\") or not name.isprintable():
        raise ValueError(f"{name!r} can't be a name in line protocol")
    return name


def _value(value: Value) -> str:
    if isinstance(value, str):
        return f'"{value.translate(_TEXT)}"'
    if not math.isfinite(value):
        raise ValueError(f"{value} can't be stored: omit the field of an unknown value")
    return repr(float(value))
