"""Board 单表: readings, consumption, quality and findings of one meter."""

import msgspec

from grafana import colours
from grafana.board_frame import BoardText, frame, panel_text
from grafana.board_parts.alert_panels import alerts_of_meter
from grafana.board_parts.consumption_panels import METER, amounts, coverage_by_day
from grafana.board_parts.finding_panels import findings_of_meter
from grafana.board_site import BoardSite
from grafana.field_display import FieldOverride, Json, bad_from
from grafana.panel_layout import PanelRow
from grafana.panels import stat_panel, table_panel, time_series_lines
from grafana.queries import latest, newest_rows, time_series
from grafana.variables import meter_variable, site_variable
from grafana.verdicts import Mappings, yes_values
from jieneng.locale.number_texts import unit
from jieneng.metering import schema
from jieneng.metering.quantities import CONSUMPTION, MEDIA, QUANTITIES
from jieneng.metering.reading import Quality

_METER = {"site": "$site", "meter": "$meter"}
_RATES = {
    "electricity": ("power_kw",),
    "water": ("flow_m3_h",),
    "gas": ("flow_m3_h",),
    "heat": ("power_kw", "flow_m3_h"),
}


def board(site: BoardSite) -> Json:
    """Return the JSON of the board."""
    tr = site.tr
    text = BoardText(
        tr("One meter"), tr("Readings, consumption, coverage, polls and findings of one meter")
    )
    variables = [site_variable(site), meter_variable(site)]
    return frame("one-meter", text, site, variables, _rows(site), begin="now-7d", refresh="1m")


def _rows(site: BoardSite) -> list[PanelRow]:
    tr = site.tr
    hours = panel_text(
        site,
        "Consumption by hour",
        "Growth of the register from hour to hour, corrected for replacements and rollovers.",
    )
    days = panel_text(
        site,
        "Consumption by day",
        "Growth of the register from local midnight to local midnight, corrected for replacements"
        " and rollovers.",
    )
    return [
        PanelRow(
            4, (_last_poll(site), _last_values(site)), tr("Now · ${meter:text}"), widths=(8, 16)
        ),
        PanelRow(8, (_register(site), _rate(site)), tr("Readings · ${meter:text}")),
        PanelRow(
            8,
            (
                amounts(site, site.media, "hour", METER, hours),
                amounts(site, site.media, "day", METER, days),
            ),
            tr("Consumption · ${meter:text}"),
        ),
        PanelRow(
            7,
            (coverage_by_day(site, METER), _polls(site)),
            tr("Quality · ${meter:text}"),
        ),
        PanelRow(8, (findings_of_meter(site), _marked(site))),
        PanelRow(7, (alerts_of_meter(site),), tr("Alerts · ${meter:text}")),
    ]


def _last_poll(site: BoardSite) -> Json:
    tr = site.tr
    overrides = {
        "ok": FieldOverride(
            tr("Answer"), "none", values=yes_values(tr("answered"), tr("no answer"))
        ),
        "duration_s": FieldOverride(tr("Duration"), "s", colour=colours.TEXT),
        "attempts": FieldOverride(tr("Attempts"), "none", 0, thresholds=bad_from(2)),
    }
    text = panel_text(
        site,
        "Last poll",
        "Last poll of the meter: answered or not, duration, and number of requests.",
        "This meter was not polled in this time range: it is read by hand, or its agent is not"
        " running.",
    )
    query = latest(schema.POLL, tuple(overrides), _METER)
    return stat_panel(text, "none", [query], overrides, beside=True)


def _last_values(site: BoardSite) -> Json:
    text = panel_text(
        site,
        "Latest readings",
        "Latest register value and momentary values of the meter, on the primary side of"
        " its transformers.",
        "This meter has no readings in this time range.",
    )
    queries = [
        latest(medium, (CONSUMPTION[medium], *_RATES[medium]), _METER) for medium in site.media
    ]
    overrides = {
        name: msgspec.structs.replace(override, colour=colours.TEXT)
        for name, override in _value_overrides(site).items()
    }
    return stat_panel(text, "none", queries, overrides, beside=True)


def _register(site: BoardSite) -> Json:
    text = panel_text(
        site,
        "Register",
        "The meter's counter as it was read, on the primary side of its transformers. It"
        " only falls at a rollover or a replacement.",
        "This meter has no readings in this time range.",
    )
    queries = [time_series(medium, (CONSUMPTION[medium],), _METER) for medium in site.media]
    return time_series_lines(text, "none", queries, _value_overrides(site))


def _rate(site: BoardSite) -> Json:
    text = panel_text(
        site,
        "Power or flow",
        "Momentary power or flow as the meter reports it.",
        "This meter reports no momentary value, or has no readings in this time range.",
    )
    queries = [time_series(medium, _RATES[medium], _METER) for medium in site.media]
    return time_series_lines(text, "none", queries, _value_overrides(site))


def _polls(site: BoardSite) -> Json:
    text = panel_text(
        site,
        "Duration of polls",
        "Duration of each poll; a poll without an answer lasts until its time-out.",
        "This meter was not polled in this time range.",
    )
    query = time_series(schema.POLL, ("duration_s",), _METER)
    overrides = {"duration_s": FieldOverride(site.tr("Duration"), colour=colours.SKY)}
    return time_series_lines(text, "s", [query], overrides)


def _marked(site: BoardSite) -> Json:
    tr = site.tr
    text = panel_text(
        site,
        "Readings with a quality code",
        "Quality codes: 1 stale, 2 flat, 4 out of range, 8 too fast, 16 clock not"
        " trusted, 32 read by hand or imported. If several apply to a reading, their sum"
        " is shown. Marked readings stay in the store.",
        "No reading with a quality code in this time range.",
    )
    queries = [
        newest_rows(
            medium, (schema.QUALITY,), ("meter",), _METER, limit=100, condition=("quality", ">", 0)
        )
        for medium in site.media
    ]
    overrides = {
        "Time": FieldOverride(tr("Time"), width=180),
        schema.QUALITY: FieldOverride(tr("Quality code"), decimals=0, values=_quality_words(site)),
        "meter": FieldOverride(hidden=True),
    }
    return table_panel(text, "none", queries, overrides)


def _quality_words(site: BoardSite) -> Mappings:
    """Return the word for each single quality code. A sum of codes is shown as a number."""
    tr = site.tr
    words = {
        Quality.STALE: tr("stale"),
        Quality.FLAT: tr("flat"),
        Quality.OUT_OF_RANGE: tr("out of range"),
        Quality.TOO_FAST: tr("too fast"),
        Quality.CLOCK: tr("clock not trusted"),
        Quality.MANUAL: tr("read by hand or imported"),
    }
    return {
        str(code.value): (f"{code.value} {word}", colours.ORANGE) for code, word in words.items()
    }


def _value_overrides(site: BoardSite) -> dict[str, FieldOverride]:
    tr = site.tr
    counters = {
        CONSUMPTION[medium]: FieldOverride(
            # Not scaled to MWh: scaling would hide the last digits, and only these change.
            tr("Register"),
            f"suffix:{unit(QUANTITIES[CONSUMPTION[medium]].unit, tr)}",
            colour=colours.BLUE,
        )
        for medium in MEDIA
    }
    return {
        **counters,
        "power_kw": FieldOverride(
            tr("Power"), site.quantity_unit("power_kw"), colour=colours.ORANGE
        ),
        "flow_m3_h": FieldOverride(
            tr("Flow"), site.quantity_unit("flow_m3_h"), 2, colour=colours.SKY
        ),
    }
