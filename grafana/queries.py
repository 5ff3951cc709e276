"""Build the InfluxQL queries of boards, with names of `jieneng.metering.schema` only.

Laws: a name that is not in the schema raises `ValueError`. Every query is bounded by `$timeFilter`.
A query selects stored values and never computes.

The queries use the subset that InfluxDB 1.x, 2.x, 3 Core and openGemini share: `last` of fields,
equality and regular expressions of tags, `GROUP BY` tags and time.
"""

from collections.abc import Mapping, Sequence

import msgspec

from jieneng.metering import schema


class Query(msgspec.Struct, frozen=True):
    """Query of a panel, a target in Grafana's JSON.

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
    """Return the query of the latest value of each field, with a row for each value of `by`.

    Args:
        measurement: name of a measurement.
        fields: fields of the measurement.
        where: value or `/regular expression/` by tag.
        by: tags by which rows are grouped.

    Raises:
        ValueError: a name is not in the schema.
    """
    return Query(_select(measurement, fields, where, by), table=True)


def time_series(
    measurement: str,
    fields: Sequence[str],
    where: Mapping[str, str],
    by: Sequence[str] = (),
    alias: str = "$col",
) -> Query:
    """Return the query of fields over time: the latest value in each interval of the panel.

    Intervals without a point are left out. `alias` names the series; see `latest` for the others.
    """
    text = _select(measurement, fields, where, ("time($__interval)", *by))
    return Query(f"{text} fill(none)", table=False, alias=alias)


def tag_values(measurement: str, tag: str, where: Mapping[str, str]) -> str:
    """Return the query of the values of a tag, for a variable."""
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
