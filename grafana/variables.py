"""Build the variables of a board, whose values people choose."""

from collections.abc import Mapping

from grafana import data_source, queries
from grafana.panels import Json
from jieneng.metering import schema

#: Regular expression of a `period` that is a year.
YEAR_PATTERN = "/^[0-9]{4}$/"


def tag_variable(
    name: str,
    label: str,
    tag: str,
    where: Mapping[str, str],
    *,
    pattern: str = "",
    newest_first: bool = False,
) -> Json:
    """Return a variable with the values of a tag of the measurement `indicator`.

    Args:
        name: name of the variable, `$name` in queries.
        label: name for people.
        tag: the tag.
        where: value or `/regular expression/` by tag, as in `queries.latest`.
        pattern: regular expression of the offered values; empty for all.
        newest_first: True to offer the values in descending order, as for years.
    """
    query = queries.tag_values(schema.INDICATOR, tag, where)
    return {
        "type": "query",
        "name": name,
        "label": label,
        "datasource": data_source.REFERENCE,
        "query": query,
        "definition": query,
        "regex": pattern,
        "refresh": 2,  # when the time range changes
        "sort": 2 if newest_first else 1,  # by name, down or up
        "multi": False,
        "includeAll": False,
        "hide": 0,
        "options": [],
    }
