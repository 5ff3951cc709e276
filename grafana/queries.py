"""Build the InfluxQL queries of boards, with names from `jieneng.metering.schema` only.

Laws: a name that is not in the schema raises `ValueError`. Every query is bounded by `$timeFilter`.
A query never computes a new value: it uses only `last`, `min` and `max`, which return stored
values.

The queries use only the part of InfluxQL that InfluxDB 1.x, 2.x, 3 Core and openGemini all support:
selectors of fields, comparisons of tags and fields, regular expressions for tags, `GROUP BY` tags
and time.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from jieneng.metering import schema

Selector = Literal["last", "min", "max"]


class Query(msgspec.Struct, frozen=True):
    """Query of a panel, called a target in Grafana's JSON.

    Attributes:
        text: InfluxQL with Grafana's `$variables`.
        table: True for the format `table`, False for `time_series`.
        alias: name of each series, e.g. `$tag_agent`; empty for the name of the field.
    """

    text: str
    table: bool
    alias: str = ""


def latest(
    measurement: str, fields: Sequence[str], where: Mapping[str, str], by: Sequence[str] = ()
) -> Query:
    """Return the query for the latest value of each field, with a row for each value of `by`.

    Args:
        measurement: name of a measurement.
        fields: fields of the measurement.
        where: for each tag, the value or the `/regular expression/` that it must match.
        by: tags by which rows are grouped.

    Raises:
        ValueError: a name is not in the schema.
    """
    columns = [("last", field, field) for field in fields]
    return Query(_select(measurement, columns, where, by), table=True)


def latest_series(
    measurement: str, field: str, where: Mapping[str, str], by: Sequence[str], alias: str
) -> Query:
    """Return the query for the latest value of a field, with a series for each value of `by`."""
    text = _select(measurement, [("last", field, field)], where, by)
    return Query(text, table=False, alias=alias)


def extremes(
    measurement: str,
    columns: Sequence[tuple[Selector, str, str]],
    where: Mapping[str, str],
    by: Sequence[str] = (),
) -> Query:
    """Return the query for the last, smallest or largest values of fields, by the tags `by`.

    Args:
        measurement: name of a measurement.
        columns: selector, field and name of each column.
        where: see `latest`.
        by: see `latest`.
    """
    return Query(_select(measurement, columns, where, by), table=True)


def time_series(
    measurement: str,
    fields: Sequence[str],
    where: Mapping[str, str],
    by: Sequence[str] = (),
    alias: str = "$col",
) -> Query:
    """Return the query for fields over time: the latest value in each interval of the panel.

    Intervals without a point are left out. `alias` names the series; see `latest` for the other
    arguments.
    """
    columns = [("last", field, field) for field in fields]
    text = _select(measurement, columns, where, ("time($__interval)", *by))
    return Query(f"{text} fill(none)", table=False, alias=alias)


def daily_extremes(
    measurement: str,
    columns: Sequence[tuple[Selector, str, str]],
    where: Mapping[str, str],
    zone: str,
) -> Query:
    """Return the query for the smallest or largest values in each local day of a time zone."""
    text = _select(measurement, columns, where, ("time(1d)",))
    return Query(f"{text} fill(none) tz('{zone}')", table=False, alias="$col")


def stored_points(
    measurement: str,
    fields: Sequence[str],
    where: Mapping[str, str],
    by: Sequence[str] = (),
    alias: str = "$col",
) -> Query:
    """Return the query for every stored point, for example the consumption of each day.

    Each point holds the amount of a whole interval, so the query must not skip any.
    """
    _check(measurement, fields, (*where, *by))
    columns = ", ".join(f'"{name}"' for name in fields)
    text = _statement(columns, measurement, _conditions(where))
    return Query(text + _grouping(by), table=False, alias=alias)


def newest_rows(
    measurement: str,
    fields: Sequence[str],
    tags: Sequence[str],
    where: Mapping[str, str],
    *,
    limit: int,
    condition: tuple[str, str, float] | None = None,
) -> Query:
    """Return the query for the newest points, one row for each point, with its tags.

    Args:
        measurement: name of a measurement.
        fields: fields that are columns.
        tags: tags that are columns.
        where: see `latest`.
        limit: largest number of rows.
        condition: condition that a point must meet: field, comparison operator and number.
    """
    compared = (condition[0],) if condition else ()
    _check(measurement, (*fields, *compared), (*where, *tags))
    columns = ", ".join(f'"{name}"' for name in (*tags, *fields))
    conditions = _conditions(where)
    if condition:
        field, comparison, number = condition
        conditions.append(f'"{field}" {comparison} {number:g}')
    text = _statement(columns, measurement, conditions)
    return Query(f"{text} ORDER BY time DESC LIMIT {limit}", table=True)


def tag_values(measurement: str, tag: str, where: Mapping[str, str]) -> str:
    """Return the query for the values of a tag, for a variable."""
    _check(measurement, (), (tag, *where))
    text = f'SHOW TAG VALUES FROM "{measurement}" WITH KEY = "{tag}"'
    conditions = " AND ".join(_conditions(where))
    return f"{text} WHERE {conditions}" if conditions else text


def one_of(values: Sequence[str]) -> str:
    """Return the regular expression that matches the given tag values, for `where`."""
    return f"/^({'|'.join(values)})$/"


def _select(
    measurement: str,
    columns: Sequence[tuple[str, str, str]],
    where: Mapping[str, str],
    by: Sequence[str],
) -> str:
    tags = tuple(name for name in by if not name.startswith("time("))
    _check(measurement, [field for _, field, _ in columns], (*where, *tags))
    text = ", ".join(f'{selector}("{field}") AS "{name}"' for selector, field, name in columns)
    return _statement(text, measurement, _conditions(where)) + _grouping(by)


def _statement(columns: str, measurement: str, conditions: Sequence[str]) -> str:
    bounds = " AND ".join([*conditions, "$timeFilter"])
    return f'SELECT {columns} FROM "{measurement}" WHERE {bounds}'  # noqa: S608 - the schema's names


def _grouping(by: Sequence[str]) -> str:
    groups = ", ".join(name if name.startswith("time(") else f'"{name}"' for name in by)
    return f" GROUP BY {groups}" if groups else ""


def _conditions(where: Mapping[str, str]) -> list[str]:
    return [
        f'"{tag}" =~ {value}' if value.startswith("/") else f"\"{tag}\" = '{value}'"
        for tag, value in where.items()
    ]


def _check(measurement: str, fields: Sequence[str], tags: Sequence[str]) -> None:
    if measurement not in schema.MEASUREMENTS:
        raise ValueError(f"no measurement {measurement} in the schema")
    for field in fields:
        if field not in schema.FIELDS[measurement]:
            raise ValueError(f"{measurement} has no field {field} in the schema")
    for tag in tags:
        if tag not in schema.TAGS[measurement]:
            raise ValueError(f"{measurement} has no tag {tag} in the schema")
