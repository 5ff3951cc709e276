"""Build the variables of a board. A person chooses a name, and the queries get the id."""

from collections.abc import Mapping
from typing import Final

from grafana import data_source, queries
from grafana.board_site import BoardSite
from grafana.field_display import Json
from jieneng.locale.number_texts import unit
from jieneng.metering import schema
from jieneng.metering.indicators import INDICATORS
from jieneng.metering.quantities import Medium

#: Regular expression for values of the tag `period` that are years.
YEAR_PATTERN: Final = "/^[0-9]{4}$/"
_MONTH_PATTERN: Final = "/^[0-9]{4}-[0-9]{2}$/"


def site_variable(site: BoardSite) -> Json:
    """Return the variable `site`."""
    names = {site.id: site.name}
    return _choice("site", site.tr("Site"), names)


def scope_variable(site: BoardSite) -> Json:
    """Return the variable `scope`: the site, an area or an institution."""
    return _choice("scope", site.tr("Scope"), site.scopes)


def meter_variable(site: BoardSite, *media: Medium) -> Json:
    """Return the variable `meter`: a meter of the given media, or of all media."""
    return _choice("meter", site.tr("Meter"), site.meter_names(*media))


def parent_variable(site: BoardSite) -> Json:
    """Return the variable `parent`: a meter that has sub-meters."""
    names = site.meter_names()
    return _choice("parent", site.tr("Meter"), {one: names[one] for one in site.parents})


def limited_variable(site: BoardSite) -> Json:
    """Return the variable `limited`: an indicator that annual quotas or caps limit."""
    names = {
        name: f"{site.indicator_name(name)} [{unit(INDICATORS[name].unit, site.tr)}]"
        for name in site.quotas.limited
    }
    return _choice("limited", site.tr("Indicator"), names)


def year_variable(site: BoardSite) -> Json:
    """Return the variable `period`: a year with figures, the latest one first."""
    query = queries.tag_values(schema.INDICATOR, "period", {"site": "$site"})
    return _latest_first("period", site.tr("Year"), query, YEAR_PATTERN)


def month_variable(site: BoardSite) -> Json:
    """Return the variable `month`: a month with load profiles, the latest one first."""
    query = queries.tag_values(schema.PROFILE, "period", {"site": "$site"})
    return _latest_first("month", site.tr("Month"), query, _MONTH_PATTERN)


def _latest_first(name: str, label: str, query: str, pattern: str) -> Json:
    """Return a variable with the values of a query that match a pattern."""
    return {
        "type": "query",
        "name": name,
        "label": label,
        "datasource": data_source.REFERENCE,
        "query": query,
        "definition": query,
        "regex": pattern,
        "refresh": 1,  # when the board is loaded
        "sort": 2,  # by name, descending
        "multi": False,
        "includeAll": False,
        "hide": 0,
        "options": [],
    }


def _choice(name: str, label: str, names: Mapping[str, str]) -> Json:
    """Return a variable whose values are ids, each with its name."""
    options = [
        {"text": text, "value": one, "selected": place == 0}
        for place, (one, text) in enumerate(names.items())
    ]
    return {
        "type": "custom",
        "name": name,
        "label": label,
        "query": ", ".join(f"{_escaped(text)} : {one}" for one, text in names.items()),
        "current": options[0] if options else {},
        "options": options,
        "multi": False,
        "includeAll": False,
        "hide": 0,
        "skipUrlSync": False,
    }


def _escaped(name: str) -> str:
    """Return a name with Grafana's separators of options and of texts escaped."""
    return name.replace(",", "\\,").replace(" : ", "：")
