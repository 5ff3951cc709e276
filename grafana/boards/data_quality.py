"""Board 数据质量: coverage and findings by meter and day."""

from collections.abc import Mapping
from typing import Final

from grafana import colours
from grafana.board_frame import BoardText, Words, board_link, frame, panel_text, words_text
from grafana.board_parts.consumption_panels import SCOPE
from grafana.board_parts.finding_panels import findings_of_site
from grafana.board_site import BoardSite
from grafana.field_display import FieldOverride, Json, bad_from, good_from
from grafana.panel_layout import PanelRow
from grafana.panels import table_panel, time_series_lines
from grafana.queries import extremes, newest_rows, stored_points
from grafana.variables import scope_variable, site_variable
from grafana.verdicts import Mappings, name_values
from jieneng.metering import schema
from jieneng.metering.quantities import Medium

_METERS: Final = {"site": "$site", "kind": "meter", "interval": "day"}
#: Greatest number of rows of a list.
_ROWS: Final = 300


def board(of: BoardSite) -> Json:
    """Return the JSON of the board."""
    tr = of.tr
    text = BoardText(
        tr("Data quality"), tr("Coverage and findings by meter and day, until yesterday")
    )
    variables = [site_variable(of), scope_variable(of)]
    return frame(
        "data-quality",
        text,
        of,
        variables,
        _rows(of),
        begin="now-30d/d",
        end="now-1d/d",
        refresh="5m",
    )


def _rows(of: BoardSite) -> list[PanelRow]:
    tr = of.tr
    return [
        PanelRow(9, (_short_days(of), _by_meter(of)), tr("Meters with missing readings")),
        PanelRow(
            7,
            (findings_of_site(of), _late_days(of)),
            tr("Findings, and late readings"),
            widths=(15, 9),
        ),
        PanelRow(
            7,
            tuple(_area_coverage(of, medium) for medium in of.media),
            tr("Coverage by day · ${scope:text}"),
        ),
    ]


def _short_days(of: BoardSite) -> Json:
    tr = of.tr
    text = panel_text(
        of,
        "Days with missing readings",
        "Days on which accepted readings cover less than the floor, the newest first. A gap between"
        " two readings loses no consumption; it is spread over the gap and marked as estimated.",
        "No day of any meter is below the coverage floor.",
    )
    overrides = {
        "Time": FieldOverride(tr("Day"), "time:YYYY-MM-DD", width=110),
        "scope": _meter_column(of),
        "coverage": FieldOverride(
            tr("Coverage"), "percentunit", 1, thresholds=good_from(of.coverage_floor), width=100
        ),
        "estimated": FieldOverride(tr("Estimated"), "percentunit", 1, width=100),
    }
    query = newest_rows(
        schema.CONSUMPTION,
        ("coverage", "estimated"),
        ("scope",),
        _METERS,
        limit=_ROWS,
        condition=("coverage", "<", of.coverage_floor),
    )
    return table_panel(text, "none", [query], overrides)


def _by_meter(of: BoardSite) -> Json:
    tr = of.tr
    floor = good_from(of.coverage_floor)
    overrides = {
        "scope": _meter_column(of),
        "latest": FieldOverride(tr("Latest day"), "percentunit", 1, thresholds=floor),
        "least": FieldOverride(tr("Worst day"), "percentunit", 1, thresholds=floor),
        "estimated": FieldOverride(
            tr("Most estimated"), "percentunit", 1, thresholds=bad_from(0.05, worse=0.5)
        ),
    }
    query = extremes(
        schema.CONSUMPTION,
        (
            ("last", "coverage", "latest"),
            ("min", "coverage", "least"),
            ("max", "estimated", "estimated"),
        ),
        _METERS,
        ("scope",),
    )
    text = panel_text(
        of,
        "Coverage by meter",
        "Share of the latest and of the worst day of the time range with accepted readings at the"
        " usual distances, and the greatest share of a day that was spread over gaps.",
    )
    return table_panel(text, "none", [query], overrides, sort=("least", False))


def _area_coverage(of: BoardSite, medium: Medium) -> Json:
    text = words_text(of, _COVERAGE[medium], "No meter of this medium in this area.")
    query = stored_points(
        schema.CONSUMPTION,
        ("coverage", "estimated"),
        {
            **SCOPE,
            "medium": medium,
            "interval": "day",
        },
    )
    overrides = {
        "coverage": FieldOverride(of.tr("Coverage"), colour=colours.GREEN),
        "estimated": FieldOverride(of.tr("Estimated"), colour=colours.ORANGE),
    }
    floor = good_from(of.coverage_floor)
    panel = time_series_lines(
        text, "percentunit", [query], overrides, thresholds=floor, stepped=True
    )
    panel["fieldConfig"]["defaults"] |= {"min": 0, "max": 1.02}
    return panel


def _late_days(of: BoardSite) -> Json:
    tr = of.tr
    text = panel_text(
        of,
        "Days of which readings came late",
        "Local days of which readings were written more than six hours late. The analytics computes"
        " them again by itself.",
        "No readings came late in this time range.",
    )
    meter = FieldOverride(tr("Meter"), values=_names(of))
    overrides = {
        "Time": FieldOverride(tr("Day"), "time:YYYY-MM-DD", width=110),
        "meter": meter,
        schema.WRITTEN_MS: FieldOverride(tr("Written"), "time:YYYY-MM-DD HH:mm", width=160),
    }
    query = newest_rows(
        schema.LATE_DAY, (schema.WRITTEN_MS,), ("meter",), {"site": "$site"}, limit=_ROWS
    )
    return table_panel(text, "none", [query], overrides)


def _meter_column(of: BoardSite) -> FieldOverride:
    link = (of.tr("Open this meter"), board_link("one-meter", "meter"))
    return FieldOverride(of.tr("Meter"), values=_names(of), link=link, width=170)


def _names(of: BoardSite) -> Mappings:
    return name_values(of.meter_names())


_COVERAGE: Final[Mapping[Medium, Words]] = {
    "electricity": Words(
        "Electricity: coverage",
        "Share of the day with accepted readings of the electricity meters.",
    ),
    "water": Words(
        "Water: coverage", "Share of the day with accepted readings of the water meters."
    ),
    "gas": Words("Gas: coverage", "Share of the day with accepted readings of the gas meters."),
    "heat": Words("Heat: coverage", "Share of the day with accepted readings of the heat meters."),
}
