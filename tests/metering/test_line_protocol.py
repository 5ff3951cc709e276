"""Line protocol agrees with published vectors, and refuses values that it can't express."""

import json
import math
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from jieneng.metering.line_protocol import encode, encode_point
from jieneng.metering.schema import Point

#: Vectors that say what our points can't, or what we refuse on purpose, and why.
NOT_OURS = {
    "int": "our numbers are floats",
    "uint": "our numbers are floats",
    "bool": "we have none",
    "binary": "we have none",
}


def our_point(point: dict[str, Any]) -> Point | None:
    """A vector's point as ours; None where it holds a type that we have not."""
    fields = []
    for field in point["fields"]:
        ((kind, value),) = field["value"].items()
        if kind in NOT_OURS:
            return None
        fields.append((field["key"], float(value) if kind == "float" else str(value)))
    tags = tuple((tag["key"], tag["value"]) for tag in point["tags"])
    return Point.of(point["name"], tags, tuple(fields), point["time"])


#: A whole number at the end of a field: the corpus writes 1, we write 1.0. Both are that float.
WHOLE = re.compile(r"=(-?\d+)\.0(?=[, ])")


def test_the_published_vectors(measured: Path) -> None:
    """Source: influxdata/line-protocol-corpus (MIT)."""
    text = (measured / "vectors" / "line-protocol-encode.json").read_text(encoding="utf-8")
    compared = 0
    for vector in json.loads(text)["encode"].values():
        point = our_point(vector["input"]["point"])
        if point is None:
            continue
        compared += 1
        if "error" in vector["output"]:
            with pytest.raises(ValueError, match="can't be a name"):
                encode_point(point)
        else:
            line = encode_point(point).decode()
            assert WHOLE.sub(r"=\1", line) == vector["output"]["result"]
    assert compared >= 25


NAMES = st.text(min_size=1)
TEXTS = st.text()
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
POINTS = st.builds(
    Point.of,
    measurement=NAMES,
    tags=st.dictionaries(NAMES, NAMES, max_size=3).map(lambda tags: tuple(sorted(tags.items()))),
    fields=st.dictionaries(NAMES, FLOATS | TEXTS, min_size=1, max_size=4).map(
        lambda fields: tuple(fields.items())
    ),
    time_ms=st.integers(-(2**62), 2**62),
)


def parse(line: str) -> Point:
    """A plain reader, written from the specification: escapes, quotes, then the separators."""
    place = 0

    def until(stops: str, escapable: str = ",= ") -> str:
        nonlocal place
        text = ""
        while place < len(line) and line[place] not in stops:
            escaped = line[place] == "\\" and line[place + 1 : place + 2] in tuple(escapable)
            place += escaped
            text += line[place]
            place += 1
        return text

    def quoted() -> str:
        nonlocal place
        text, place = "", place + 1
        while line[place] != '"':
            place += line[place] == "\\"
            text += line[place]
            place += 1
        place += 1
        return text

    def pairs(*, of_fields: bool) -> list[tuple[str, Any]]:
        nonlocal place
        found: list[tuple[str, Any]] = []
        while place < len(line) and ((of_fields and not found) or line[place] == ","):
            place += line[place] == ","
            name = until("=")
            place += 1
            if of_fields:
                found.append((name, quoted() if line[place] == '"' else float(until(", "))))
            else:
                found.append((name, until(", ")))
        return found

    measurement = until(", ", escapable=", ")  # an equals sign means nothing there
    tags = pairs(of_fields=False)
    place += 1
    fields = pairs(of_fields=True)
    return Point.of(measurement, tuple(tags), tuple(fields), int(line[place + 1 :]))


@given(POINTS)
@example(Point.of("\\=", (), (("0", 0.0),), 0))
def test_a_line_says_the_point_exactly_or_is_refused(point: Point) -> None:
    try:
        line = encode_point(point).decode()
    except ValueError:
        names = (point.measurement, *sum(point.tags, ()), *(name for name, _ in point.fields))
        assert any(name.endswith("\\") or not name.isprintable() for name in names)
        return
    read = parse(line)
    assert read == point
    assert [repr(v) for _, v in read.fields] == [repr(v) for _, v in point.fields]


@given(st.lists(POINTS.filter(lambda p: "\\" not in p.measurement), max_size=3))
def test_points_are_one_a_line(points: list[Point]) -> None:
    try:
        lines = [encode_point(point).decode() for point in points]
    except ValueError:
        return
    assert encode(points) == "\n".join(lines).encode()


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="omit the field of an unknown value"):
        encode_point(Point.of("m", (), (("f", value),), 0))


@pytest.mark.parametrize("name", ["", "a\\", "a\nb", "a\rb", "a\tb", "\x00"])
def test_what_can_t_be_a_name_is_refused_wherever_it_stands(name: str) -> None:
    for point in (
        Point.of(name, (), (("f", 1.0),), 0),
        Point.of("m", ((name, "v"),), (("f", 1.0),), 0),
        Point.of("m", (("t", name),), (("f", 1.0),), 0),
        Point.of("m", (), ((name, 1.0),), 0),
    ):
        with pytest.raises(ValueError, match="can't be a name"):
            encode_point(point)


def test_a_point_without_fields_is_refused() -> None:
    with pytest.raises(ValueError, match="without fields"):
        encode_point(Point.of("m", (), (), 0))


def test_a_whole_number_is_still_a_float() -> None:
    """An integer literal would fix the field's type for ever."""
    assert encode_point(Point.of("m", (), (("f", 3),), 7)) == b"m f=3.0 7"
