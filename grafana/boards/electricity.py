"""Board 用电: load today, yesterday and a week ago, peak and base load, phases of a meter."""

from typing import Final

from grafana import colours
from grafana.board_frame import BoardText, Words, frame, panel_text, words_text
from grafana.board_parts.consumption_panels import SCOPE, amounts, by_hour, least_and_greatest_hour
from grafana.board_parts.figure_panels import by_month
from grafana.board_site import BoardSite
from grafana.field_display import FieldOverride, Json, named_series
from grafana.panel_layout import PanelRow
from grafana.panels import PanelText, time_series_bars, time_series_lines
from grafana.queries import one_of, stored_points, time_series
from grafana.variables import meter_variable, scope_variable, site_variable, year_variable
from jieneng.metering import schema

_METER: Final = {"site": "$site", "meter": "$meter"}


def board(site: BoardSite) -> Json | None:
    """Return the JSON of the board; None for a site that meters no electricity."""
    if "electricity" not in site.media:
        return None
    tr = site.tr
    text = BoardText(
        tr("Electricity use"), tr("Current and earlier load, peak and base load, phases of a meter")
    )
    variables = [
        site_variable(site),
        scope_variable(site),
        year_variable(site),
        meter_variable(site, "electricity"),
    ]
    return frame("electricity", text, site, variables, _rows(site), begin="now-7d", refresh="1m")


def _rows(site: BoardSite) -> list[PanelRow]:
    tr = site.tr
    return [
        PanelRow(8, (_mains(site),), tr("Load now")),
        PanelRow(
            7,
            tuple(_day(site, *row) for row in _DAYS),
            tr("Quarters of an hour · ${scope:text}"),
        ),
        PanelRow(
            8,
            (by_hour(site, "electricity", _hour_text(site)), _extremes(site)),
            tr("Daily profile, peak and night base load · ${scope:text}"),
        ),
        PanelRow(8, (by_month(site, "electricity"),), tr("Months · ${scope:text} · $period")),
        PanelRow(7, _own_generation(site), tr("Photovoltaics and export")),
        PanelRow(
            8,
            tuple(_phases(site, *row) for row in (_POWERS, _CURRENTS, _VOLTAGES)),
            tr("Phases · ${meter:text}"),
        ),
    ]


#: Panels that compare days: the texts of each panel, and by how much its time range is shifted.
_DAYS: Final = (
    (Words("Last 24 hours", "Consumption of each quarter of an hour, until now."), None),
    (Words("A day before", "Consumption of the same quarters of an hour, one day earlier."), "1d"),
    (
        Words("A week before", "Consumption of the same quarters of an hour, seven days earlier."),
        "7d",
    ),
)
#: Roles of meters that count no consumption, and the texts of their panels.
_FLOWS: Final = (
    (
        "generation",
        Words(
            "Generation by day", "Energy that the site's own plants, such as photovoltaics, gave."
        ),
    ),
    ("export", Words("Export by day", "Energy that left the site through meters of its own.")),
)
_PHASES: Final = (Words("Phase A"), Words("Phase B"), Words("Phase C"), Words("All phases"))
_POWERS: Final = (
    Words(
        "Active power", "Power of each phase and of all phases together, as the meter reports them."
    ),
    ("power_a_kw", "power_b_kw", "power_c_kw", "power_kw"),
)
_CURRENTS: Final = (
    Words("Current", "Current of each phase, as the meter reports it."),
    ("current_a_a", "current_b_a", "current_c_a"),
)
_VOLTAGES: Final = (
    Words("Voltage", "Voltage of each phase, as the meter reports it."),
    ("voltage_a_v", "voltage_b_v", "voltage_c_v"),
)


def _mains(site: BoardSite) -> Json:
    mains = {
        meter.id: site.meter_names()[meter.id]
        for meter in site.meters("electricity")
        if meter.parent is None and meter.role == "consumption"
    }
    where = {"site": "$site", "meter": one_of(tuple(mains))}
    query = time_series("electricity", ("power_kw",), where, ("meter",), "$tag_meter")
    text = panel_text(
        site,
        "Power of the mains",
        "Momentary active power of the meters at the top of the meter tree.",
        "No main meter reports its power in this time range.",
    )
    return time_series_lines(text, site.unit("kW"), [query], named_series(mains))


def _day(site: BoardSite, words: Words, shift: str | None) -> Json:
    text = words_text(site, words, "Values of each quarter of an hour are kept for one month.")
    panel = amounts(site, ("electricity",), "15min", SCOPE, text)
    moved = {} if shift is None else {"timeShift": shift}
    return {**panel, "timeFrom": "24h", "hideTimeOverride": True, **moved}


def _hour_text(site: BoardSite) -> PanelText:
    return panel_text(
        site,
        "Consumption by hour",
        "Consumption of the scope in each hour: its daily profile.",
        "Hourly values are kept for one month.",
    )


def _extremes(site: BoardSite) -> Json:
    text = panel_text(
        site,
        "Peak and night base load",
        "Largest and smallest hourly consumption of each local day. The smallest is the"
        " load that remains when the building is empty.",
        "Hourly values are kept for one month.",
    )
    return least_and_greatest_hour(site, "electricity", text)


def _own_generation(site: BoardSite) -> tuple[Json, ...]:
    """Return panels of what the site generates and exports, if it has meters of these."""
    names = site.meter_names("electricity")
    panels = []
    for role, words in _FLOWS:
        ids = [one.id for one in site.meters("electricity") if one.role == role]
        if ids:
            query = stored_points(
                schema.CONSUMPTION,
                ("energy_kwh",),
                {
                    "site": "$site",
                    "kind": "meter",
                    "scope": one_of(ids),
                    "medium": "electricity",
                    "interval": "day",
                },
                ("scope",),
                "$tag_scope",
            )
            overrides = named_series({one: names[one] for one in ids})
            panel = time_series_bars(
                words_text(site, words), site.unit("kWh"), [query], overrides, stacked=True
            )
            panels.append(panel)
    return tuple(panels)


def _phases(site: BoardSite, words: Words, fields: tuple[str, ...]) -> Json:
    text = words_text(
        site,
        words,
        "This meter does not report its phases, or has no readings in this time range.",
    )
    shades = (colours.ORANGE, colours.GREEN, colours.VERMILION, colours.GREY)
    overrides = {
        field: FieldOverride(site.tr(phase.title), colour=shade)
        for field, phase, shade in zip(fields, _PHASES, shades, strict=False)
    }
    query = time_series("electricity", fields, _METER)
    panel = time_series_lines(text, site.quantity_unit(fields[0]), [query], overrides)
    return {**panel, "timeFrom": "24h", "hideTimeOverride": True}
