"""Panels that show the rating of the data: scores, issues, and stored readings by point."""

from collections.abc import Mapping
from typing import Final

from grafana.board_frame import board_link, panel_text
from grafana.board_parts.finding_panels import code_words, register_words
from grafana.board_site import BoardSite
from grafana.field_display import FieldOverride, Json, good_from
from grafana.panels import table_panel
from grafana.queries import extremes, latest, newest_rows
from grafana.verdicts import Mappings, indicator_names, name_values
from jieneng.metering import schema
from jieneng.metering.errors import Msgid

#: Largest number of rows in a table.
_ROWS: Final = 200
#: Score from which the data of a figure are good (a choice).
_GOOD_SCORE: Final = 95.0
#: Share of the readings of a point that must be stored.
_LEAST_STORED: Final = 0.90


def scores(site: BoardSite) -> Json:
    """Return a table of the score of each scope and figure, with its parts."""
    tr = site.tr
    text = panel_text(
        site,
        "Scores",
        "Quality of the data of the year, 0 to 100: completeness 40, plausibility 25, consistency"
        " 25 and denominators 10 points. An issue costs the share of the figure that it concerns,"
        " times the points of its part; missing consumption, times those of the first three.",
        "The data were not rated yet; this happens once a day.",
    )
    tags = {
        "scope": FieldOverride(tr("Scope"), values=name_values(site.scopes), width=130),
        "figure": FieldOverride(tr("Figure"), values=indicator_names(tr), width=110),
    }
    fields = {
        "score": FieldOverride(
            tr("Score"), decimals=1, thresholds=good_from(_GOOD_SCORE), width=75
        ),
        "completeness": FieldOverride(tr("Complete"), decimals=1, width=75),
        "plausibility": FieldOverride(tr("Plausible"), decimals=1, width=75),
        "consistency": FieldOverride(tr("Consistent"), decimals=1, width=80),
        "denominators": FieldOverride(tr("Denominators"), decimals=1, width=105),
    }
    query = latest(schema.DATA_QUALITY, tuple(fields), {"site": "$site"}, tuple(tags))
    return table_panel(text, "none", [query], {**tags, **fields}, sort=("score", False))


def issues(site: BoardSite) -> Json:
    """Return a table of the issues of the chosen scope, those with most points first."""
    tr = site.tr
    text = panel_text(
        site,
        "What to correct first",
        "Findings about the data of the chosen scope, by the points that the score gains if they"
        " are corrected, and by the share of the figure (energy in kgce, water in m³) that they"
        " concern.",
        "There are no issues.",
    )
    subjects = {**site.meter_names(), **site.scopes}
    tags = {
        "subject": FieldOverride(
            tr("Meter or scope"),
            values=name_values(subjects),
            link=(tr("Open this meter"), board_link("one-meter", "meter")),
            width=190,
        ),
        "code": FieldOverride(tr("Finding"), values=_code_words(site), width=105),
        "figure": FieldOverride(tr("Figure"), values=indicator_names(tr), width=105),
    }
    fields = {
        "points": FieldOverride(tr("Points"), decimals=2, width=60),
        "share": FieldOverride(tr("Share of the figure"), "percentunit", 2, width=85),
        "amount": FieldOverride(tr("Amount"), decimals=1, width=85),
    }
    where = {"site": "$site", "scope": "$scope"}
    query = newest_rows(schema.QUALITY_ISSUE, tuple(fields), tuple(tags), where, limit=_ROWS)
    return table_panel(text, "none", [query], {**tags, **fields}, sort=("points", True))


def stored_readings(site: BoardSite) -> Json:
    """Return a table of the stored share of each point's readings, the worst first."""
    tr = site.tr
    text = panel_text(
        site,
        "Stored readings by point",
        "Share of the expected readings of a day that are stored, on the latest day and on the"
        " worst day of the time range. At least 90 % are required.",
        "No meter was polled on a whole day.",
    )
    limit = good_from(_LEAST_STORED)
    overrides = {
        "meter": FieldOverride(tr("Meter"), values=name_values(site.meter_names()), width=170),
        "quantity": FieldOverride(tr("Quantity"), width=130),
        "latest": FieldOverride(tr("Latest day"), "percentunit", 1, thresholds=limit),
        "least": FieldOverride(tr("Worst day"), "percentunit", 1, thresholds=limit),
    }
    query = extremes(
        schema.COMPLETENESS,
        (("last", "share", "latest"), ("min", "share", "least")),
        {"site": "$site"},
        ("meter", "quantity"),
    )
    return table_panel(text, "none", [query], overrides, sort=("least", False))


def _code_words(site: BoardSite) -> Mappings:
    return register_words(site) | code_words(site, _WORDS)


#: Short names of findings about the data, by code.
_WORDS: Final[Mapping[str, Msgid]] = {
    "no_readings": "No readings",
    "not_read": "Estimated, not read",
    "spread_edge": "Estimated at the edges",
    "incomplete_point": "Readings not stored",
    "year_change": "Unlike another year",
    "unit_slip": "Wrong unit",
    "flat_line": "Equal days",
    "zero_line": "Counts nothing",
    "copied_months": "Equal months",
    "copied_meter": "Equal to another meter",
    "meter_balance": "Less than the meters below",
    "negative_balance": "Negative balance",
    "bill_amount_differs": "Unlike the bill",
    "bill_other_year": "Bill of another year",
    "bill_in_other_unit": "Cost in a wrong unit",
    "periods_not_annual": "Sum of parts unlike the year",
    "denominator_change": "Floor area or headcount",
    "no_floor_area": "No floor area",
    "no_headcount": "No headcount",
    "above_quota": "Above the quota",
    "below_guide": "Below the guide level",
}
