"""Panels that show findings about registers, from the measurement `finding`."""

from collections.abc import Mapping
from typing import Final

from grafana.board_frame import board_link, panel_text
from grafana.board_site import BoardSite
from grafana.colours import GREY, ORANGE, VERMILION
from grafana.field_display import FieldOverride, Json
from grafana.panels import table_panel
from grafana.queries import newest_rows
from grafana.verdicts import name_values
from jieneng.metering import schema
from jieneng.metering.errors import Msgid
from jieneng.metering.findings import KINDS

#: Largest number of rows in a table.
_ROWS: Final = 200
_COLOURS: Final = {"info": GREY, "warning": ORANGE, "error": VERMILION}


def findings_of_meter(site: BoardSite) -> Json:
    """Return a table of the findings about the chosen meter."""
    return _findings(site, {"site": "$site", "scope": "$meter"}, shows_meter=False)


def findings_of_site(site: BoardSite) -> Json:
    """Return a table of the findings about all meters."""
    return _findings(site, {"site": "$site"}, shows_meter=True)


def _findings(site: BoardSite, where: Mapping[str, str], *, shows_meter: bool) -> Json:
    tr = site.tr
    text = panel_text(
        site,
        "Findings",
        "Findings about registers, newest first. The doubt is the largest amount by which"
        " the consumption may be wrong. If the doubt is empty, no limit is known.",
        "There are no findings in this time range.",
    )
    meter = FieldOverride(
        tr("Meter"),
        values=name_values(site.meter_names()),
        link=(tr("Open this meter"), board_link("one-meter", "meter")),
        width=170,
        hidden=not shows_meter,
    )
    overrides = {
        "Time": FieldOverride(tr("Time"), "time:YYYY-MM-DD HH:mm", width=150),
        "scope": meter,
        "code": FieldOverride(tr("Finding"), values=register_words(site)),
        schema.UNTIL_MS: FieldOverride(tr("Until"), "time:YYYY-MM-DD HH:mm", width=150),
        schema.DOUBT: FieldOverride(tr("Doubt"), decimals=1, width=110),
    }
    fields = (schema.UNTIL_MS, schema.DOUBT)
    query = newest_rows(schema.FINDING, fields, ("scope", "code"), where, limit=_ROWS)
    return table_panel(text, "none", [query], overrides)


def register_words(site: BoardSite) -> dict[str, tuple[str, str]]:
    """Return name and colour of the findings about registers, by code."""
    return code_words(site, _WORDS)


def code_words(site: BoardSite, words: Mapping[str, Msgid]) -> dict[str, tuple[str, str]]:
    """Return name and colour of kinds of findings, by code.

    Args:
        site: the site.
        words: names of the kinds, by code.
    """
    return {code: (site.tr(words[code]), _COLOURS[KINDS[code].severity]) for code in words}


#: Short names of findings about registers, by code. A finding without a name is shown by its code.
_WORDS: Final[Mapping[str, Msgid]] = {
    "set_aside": "Readings set aside",
    "no_value": "Register without a value",
    "negative_interval": "Negative interval",
    "above_nameplate": "Above the nameplate",
    "counter_reset": "Register was reset",
    "counter_rollover": "Register rolled over",
    "rollover_guess": "Rollover, guessed",
    "unusual_step": "Unusual step",
    "stood_still": "Stood still",
    "looks_like_register": "Looks like a register",
    "other_unit": "Other unit",
    "unclear_fall": "Unclear fall",
    "ran_backwards": "Ran backwards",
    "late_ratio": "Ratio entered late",
    "after_removal": "Readings after the removal",
    "counted_before": "Not 0 at the first reading",
    "gap": "Readings missing",
}
