"""Board 数据质量: scores, issues to correct first, coverage and findings by meter and day."""

from collections.abc import Mapping
from typing import Final

from grafana import colours
from grafana.board_frame import BoardText, Words, board_link, frame, panel_text, words_text
from grafana.board_parts.consumption_panels import SCOPE
from grafana.board_parts.finding_panels import findings_of_site
from grafana.board_parts.quality_panels import issues, scores, stored_readings
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
#: Largest number of rows in a table.
_ROWS: Final = 300


def board(site: BoardSite) -> Json:
    """Return the JSON of the board."""
    tr = site.tr
    text = BoardText(
        tr("Data quality"), tr("Coverage and findings by meter and day, up to yesterday")
    )
    variables = [site_variable(site), scope_variable(site)]
    return frame(
        "data-quality",
        text,
        site,
        variables,
        _rows(site),
        begin="now-30d/d",
        end="now-1d/d",
        refresh="5m",
    )


def _rows(site: BoardSite) -> list[PanelRow]:
    tr = site.tr
    return [
        PanelRow(
            9,
            (scores(site), issues(site)),
            tr("Scores, and what to correct first · ${scope:text}"),
            widths=(12, 12),
        ),
        PanelRow(9, (_short_days(site), _by_meter(site)), tr("Meters with missing readings")),
        PanelRow(
            7,
            (findings_of_site(site), _late_days(site)),
            tr("Findings, and late readings"),
            widths=(15, 9),
        ),
        PanelRow(7, (stored_readings(site),)),
        PanelRow(
            7,
            tuple(_area_coverage(site, medium) for medium in site.media),
            tr("Coverage by day · ${scope:text}"),
        ),
    ]


def _short_days(site: BoardSite) -> Json:
    tr = site.tr
    text = panel_text(
        site,
        "Days with missing readings",
        "Days with a coverage below the floor, newest first. The consumption between two"
        " readings is never lost: it is distributed over the gap between them and marked"
        " as estimated.",
        "Each day of each meter has reached the coverage floor.",
    )
    overrides = {
        "Time": FieldOverride(tr("Day"), "time:YYYY-MM-DD", width=110),
        "scope": _meter_column(site),
        "coverage": FieldOverride(
            tr("Coverage"), "percentunit", 1, thresholds=good_from(site.coverage_floor), width=100
        ),
        "estimated": FieldOverride(tr("Estimated"), "percentunit", 1),
    }
    query = newest_rows(
        schema.CONSUMPTION,
        ("coverage", "estimated"),
        ("scope",),
        _METERS,
        limit=_ROWS,
        condition=("coverage", "<", site.coverage_floor),
    )
    return table_panel(text, "none", [query], overrides)


def _by_meter(site: BoardSite) -> Json:
    tr = site.tr
    floor = good_from(site.coverage_floor)
    overrides = {
        "scope": _meter_column(site),
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
        site,
        "Coverage by meter",
        "Coverage (share of the day in which readings were accepted without gaps) on the"
        " latest day and on the worst day of the time range, and the largest share of a"
        " day's consumption that was distributed over gaps.",
    )
    return table_panel(text, "none", [query], overrides, sort=("least", False))


def _area_coverage(site: BoardSite, medium: Medium) -> Json:
    text = words_text(site, _COVERAGE[medium], "No meter of this medium in this area.")
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
        "coverage": FieldOverride(site.tr("Coverage"), colour=colours.GREEN),
        "estimated": FieldOverride(site.tr("Estimated"), colour=colours.ORANGE),
    }
    floor = good_from(site.coverage_floor)
    panel = time_series_lines(
        text, "percentunit", [query], overrides, thresholds=floor, stepped=True
    )
    panel["fieldConfig"]["defaults"] |= {"min": 0, "max": 1.02}
    return panel


def _late_days(site: BoardSite) -> Json:
    tr = site.tr
    text = panel_text(
        site,
        "Days with late readings",
        "Local days with readings that were stored more than six hours late. The"
        " analytics computes these days again automatically.",
        "There are no late readings in this time range.",
    )
    meter = FieldOverride(tr("Meter"), values=_names(site))
    overrides = {
        "Time": FieldOverride(tr("Day"), "time:YYYY-MM-DD", width=110),
        "meter": meter,
        schema.WRITTEN_MS: FieldOverride(tr("Written"), "time:YYYY-MM-DD HH:mm", width=160),
    }
    query = newest_rows(
        schema.LATE_DAY, (schema.WRITTEN_MS,), ("meter",), {"site": "$site"}, limit=_ROWS
    )
    return table_panel(text, "none", [query], overrides)


def _meter_column(site: BoardSite) -> FieldOverride:
    link = (site.tr("Open this meter"), board_link("one-meter", "meter"))
    return FieldOverride(site.tr("Meter"), values=_names(site), link=link, width=170)


def _names(site: BoardSite) -> Mappings:
    return name_values(site.meter_names())


_COVERAGE: Final[Mapping[Medium, Words]] = {
    "electricity": Words(
        "Electricity: coverage",
        "Share of the day in which readings of the electricity meters were accepted.",
    ),
    "water": Words(
        "Water: coverage", "Share of the day in which readings of the water meters were accepted."
    ),
    "gas": Words(
        "Gas: coverage", "Share of the day in which readings of the gas meters were accepted."
    ),
    "heat": Words(
        "Heat: coverage", "Share of the day in which readings of the heat meters were accepted."
    ),
}
