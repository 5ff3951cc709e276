"""InfluxQL for boards, from the names of `jieneng.metering.schema` only.

Law: a name that is not in the schema raises; every query is bounded by `$timeFilter`; a query
selects what was computed and never computes. The subset is the one that InfluxDB 1.x, 2.x,
3 Core and openGemini share: `last` of fields, equality and regular expressions on tags,
`group by` tags and time.
"""

from collections.abc import Mapping, Sequence

import msgspec

from jieneng.metering import schema


class Query(msgspec.Struct, frozen=True):
    """Query of a panel, which Grafana calls a target.

    Attributes:
        text: InfluxQL with Grafana's `$variables`.
        table: True for rows as they are, False for a time series of each field.
        alias: name of a series, e.g. `$tag_agent`; empty: its field's name.
    """

    text: str
    table: bool
    alias: str = ""


def latest(
    measurement: str, fields: Sequence[str], where: Mapping[str, str], by: Sequence[str] = ()
) -> Query:
    """The latest of each field, a row for each value of the tags in `by`.

    Args:
        measurement: of the schema.
        fields: of the measurement.
        where: condition by tag: a value, or `/regular expression/`.
        by: tags.
    """
    return Query(_select(measurement, fields, where, by), table=True)


def time_series(
    measurement: str,
    fields: Sequence[str],
    where: Mapping[str, str],
    by: Sequence[str] = (),
    alias: str = "$col",
) -> Query:
    """Fields over time, the latest of each of the panel's intervals; gaps stay gaps."""
    text = _select(measurement, fields, where, ("time($__interval)", *by))
    return Query(f"{text} fill(none)", table=False, alias=alias)


def tag_values(measurement: str, tag: str, where: Mapping[str, str]) -> str:
    """The values of a tag, for a variable's list."""
    _check(measurement, (), (tag, *where))
    text = f'SHOW TAG VALUES FROM "{measurement}" WITH KEY = "{tag}"'
    conditions = " AND ".join(_condition(name, value) for name, value in where.items())
    return f"{text} WHERE {conditions}" if conditions else text


def _select(
    measurement: str, fields: Sequence[str], where: Mapping[str, str], by: Sequence[str]
) -> str:
    tags = tuple(name for name in by if not name.startswith("time("))
    _check(measurement, fields, (*where, *tags))
    columns = ", ".join(f'last("{name}") AS "{name}"' for name in fields)
    conditions = [_condition(name, value) for name, value in where.items()]
    groups = ", ".join(name if name.startswith("time(") else f'"{name}"' for name in by)
    text = (
        f'SELECT {columns} FROM "{measurement}" WHERE '  # noqa: S608 - names are the schema's
        + " AND ".join([*conditions, "$timeFilter"])
    )
    return f"{text} GROUP BY {groups}" if groups else text


def _condition(tag: str, value: str) -> str:
    return f'"{tag}" =~ {value}' if value.startswith("/") else f"\"{tag}\" = '{value}'"


def _check(measurement: str, fields: Sequence[str], tags: Sequence[str]) -> None:
    if measurement not in schema.MEASUREMENTS:
        raise ValueError(f"no measurement {measurement} in the schema")
    for field in fields:
        if field not in schema.FIELDS[measurement]:
            raise ValueError(f"{measurement} has no field {field} in the schema")
    for tag in tags:
        if tag not in schema.TAGS[measurement]:
            raise ValueError(f"{measurement} has no tag {tag} in the schema")
