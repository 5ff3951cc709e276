"""Board 碳排放: carbon with the base year's factor (for the target) and each year's (inventory)."""

from typing import Final

from grafana import colours
from grafana.board_frame import BoardText, frame, no_data_text
from grafana.board_parts.change_panels import carbon_scopes, carbon_sources, carbon_steps
from grafana.board_parts.figure_panels import SCOPE, by_year, ranking, verdict
from grafana.board_site import BoardSite
from grafana.field_display import FieldOverride, Json, indicator_overrides
from grafana.panel_layout import PanelRow
from grafana.panels import PanelText, bar_chart, table_panel
from grafana.queries import latest
from grafana.variables import YEAR_PATTERN, scope_variable, site_variable, year_variable
from grafana.verdicts import factor_values
from jieneng.metering import schema
from jieneng.metering.errors import Msgid

_BOTH: Final = "/^(fixed|current)$/"


def board(site: BoardSite) -> Json:
    """Return the JSON of the board."""
    tr = site.tr
    text = BoardText(
        tr("Carbon"),
        tr(
            "With the base year's factor for the target, and with each year's factor for the"
            " inventory"
        ),
    )
    variables = [site_variable(site), scope_variable(site), year_variable(site)]
    return frame("carbon", text, site, variables, _rows(site), begin="now-1y", refresh="15m")


def _rows(site: BoardSite) -> list[PanelRow]:
    tr = site.tr
    year = {"timeFrom": "10y", "hideTimeOverride": True}
    return [
        PanelRow(
            8,
            (
                {**verdict(site, "carbon_per_floor_area"), **year},
                _both(site, "carbon_per_floor_area"),
            ),
            tr("Target · ${scope:text} · $period"),
            widths=(8, 16),
        ),
        PanelRow(
            9,
            (carbon_steps(site, "carbon_total"), carbon_steps(site, "carbon_per_floor_area")),
            tr("Change since the base year, by cause · ${scope:text} · $period"),
        ),
        PanelRow(7, (carbon_sources(site),)),
        PanelRow(9, (carbon_scopes(site),), tr("Change by cause, of all scopes · $period")),
        PanelRow(
            8,
            (
                by_year(site, "carbon_per_floor_area"),
                _years(site, "fixed", "Total with the base year's factor"),
                _years(site, "current", "Total with each year's factor"),
            ),
            tr("Years · ${scope:text}"),
        ),
        PanelRow(
            8,
            (
                ranking(site, "carbon_total", site.buildings),
                ranking(site, "carbon_per_floor_area", site.buildings),
            ),
            tr("Ranking of the buildings · $period"),
        ),
        PanelRow(9, (_both(site, "carbon_total"),)),
    ]


def _both(site: BoardSite, name: str) -> Json:
    """Return a bar chart of an indicator by year, with each of the two carbon factor series."""
    tr = site.tr
    known = indicator_overrides(site)
    fields = {
        "value": known["value"],
        "baseline": known["baseline"],
        "change_pct": known["change_pct"],
    }
    note = tr(
        "With the base year's factor, only the site's own performance changes the result."
        " With each year's factor, changes of the power grid count as well; the emission"
        " inventory requires this series."
    )
    text = PanelText(
        f"{site.indicator_name(name)} [{site.indicator_unit(name).removeprefix('suffix:')}]",
        f"{site.definition(name)} {note}",
        no_data_text(site),
    )
    tags = {
        "period": FieldOverride(tr("Year"), "string", width=80),
        "series": FieldOverride(tr("Carbon factor"), values=factor_values(tr)),
    }
    where = {**SCOPE, "indicator": name, "period": YEAR_PATTERN, "series": _BOTH}
    query = latest(schema.INDICATOR, tuple(fields), where, tuple(tags))
    panel = table_panel(
        text, site.indicator_unit(name), [query], {**tags, **fields}, sort=("period", True)
    )
    return {**panel, "timeFrom": "10y", "hideTimeOverride": True}


def _years(site: BoardSite, series: str, title: Msgid) -> Json:
    tr = site.tr
    overrides = {"value": FieldOverride(tr("Value"), colour=colours.PURPLE)}
    text = PanelText(site.tr(title), site.definition("carbon_total"), no_data_text(site))
    where = {**SCOPE, "indicator": "carbon_total", "period": YEAR_PATTERN, "series": series}
    query = latest(schema.INDICATOR, ("value",), where, ("period",))
    panel = bar_chart(text, site.indicator_unit("carbon_total"), query, overrides, "period")
    return {**panel, "timeFrom": "10y", "hideTimeOverride": True}
