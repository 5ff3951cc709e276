"""The variables that a person chooses on a board."""

from collections.abc import Mapping

from grafana import data_source, queries
from grafana.panels import Json
from jieneng.metering import schema

#: A year, as `period` names it.
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
    """Return a variable whose value is chosen among those of a tag of the indicators.

    Args:
        name: as queries name it, `$name`.
        label: for people.
        tag: of the measurement `indicator`.
        where: as in `queries.latest`.
        pattern: the values that are offered; empty: all.
        newest_first: the last one by name is offered first, as years are.
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
