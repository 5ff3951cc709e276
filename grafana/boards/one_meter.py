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


def board(of: BoardSite) -> Json:
    """Return the JSON of the board."""
    tr = of.tr
    text = BoardText(
        tr("One meter"), tr("Readings, consumption, coverage, polls and findings of one meter")
    )
    variables = [site_variable(of), meter_variable(of)]
    return frame("one-meter", text, of, variables, _rows(of), begin="now-7d", refresh="1m")


def _rows(of: BoardSite) -> list[PanelRow]:
    tr = of.tr
    hours = panel_text(
        of,
        "Consumption by hour",
        "Growth of the register from hour to hour, corrected for replacements and rollovers.",
    )
    days = panel_text(
        of,
        "Consumption by day",
        "Growth of the register from local midnight to local midnight, corrected for replacements"
        " and rollovers.",
    )
    return [
        PanelRow(4, (_last_poll(of), _last_values(of)), tr("Now · ${meter:text}"), widths=(8, 16)),
        PanelRow(8, (_register(of), _rate(of)), tr("Readings · ${meter:text}")),
        PanelRow(
            8,
            (
                amounts(of, of.media, "hour", METER, hours),
                amounts(of, of.media, "day", METER, days),
            ),
            tr("Consumption · ${meter:text}"),
        ),
        PanelRow(
            7,
            (coverage_by_day(of, METER), _polls(of)),
            tr("Quality · ${meter:text}"),
        ),
        PanelRow(8, (findings_of_meter(of), _marked(of))),
        PanelRow(7, (alerts_of_meter(of),), tr("Alerts · ${meter:text}")),
    ]


def _last_poll(of: BoardSite) -> Json:
    tr = of.tr
    overrides = {
        "ok": FieldOverride(
            tr("Answer"), "none", values=yes_values(tr("answered"), tr("no answer"))
        ),
        "duration_s": FieldOverride(tr("Duration"), "s", colour=colours.TEXT),
        "attempts": FieldOverride(tr("Attempts"), "none", 0, thresholds=bad_from(2)),
    }
    text = panel_text(
        of,
        "Last poll",
        "Last poll of the meter: answered or not, duration, and number of requests.",
        "This meter was not polled in this time range: it is read by hand, or its agent is not"
        " running.",
    )
    query = latest(schema.POLL, tuple(overrides), _METER)
    return stat_panel(text, "none", [query], overrides, beside=True)


def _last_values(of: BoardSite) -> Json:
    text = panel_text(
        of,
        "Latest readings",
        "Latest register value and momentary values of the meter, on the primary side of"
        " its transformers.",
        "This meter has no readings in this time range.",
    )
    queries = [
        latest(medium, (CONSUMPTION[medium], *_RATES[medium]), _METER) for medium in of.media
    ]
    overrides = {
        name: msgspec.structs.replace(override, colour=colours.TEXT)
        for name, override in _value_overrides(of).items()
    }
    return stat_panel(text, "none", queries, overrides, beside=True)


def _register(of: BoardSite) -> Json:
    text = panel_text(
        of,
        "Register",
        "The meter's counter as it was read, on the primary side of its transformers. It"
        " only falls at a rollover or a replacement.",
        "This meter has no readings in this time range.",
    )
    queries = [time_series(medium, (CONSUMPTION[medium],), _METER) for medium in of.media]
    return time_series_lines(text, "none", queries, _value_overrides(of))


def _rate(of: BoardSite) -> Json:
    text = panel_text(
        of,
        "Power or flow",
        "Momentary power or flow as the meter reports it.",
        "This meter reports no momentary value, or has no readings in this time range.",
    )
    queries = [time_series(medium, _RATES[medium], _METER) for medium in of.media]
    return time_series_lines(text, "none", queries, _value_overrides(of))


def _polls(of: BoardSite) -> Json:
    text = panel_text(
        of,
        "Duration of polls",
        "Duration of each poll; a poll without an answer lasts until its time-out.",
        "This meter was not polled in this time range.",
    )
    query = time_series(schema.POLL, ("duration_s",), _METER)
    overrides = {"duration_s": FieldOverride(of.tr("Duration"), colour=colours.SKY)}
    return time_series_lines(text, "s", [query], overrides)


def _marked(of: BoardSite) -> Json:
    tr = of.tr
    text = panel_text(
        of,
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
        for medium in of.media
    ]
    overrides = {
        "Time": FieldOverride(tr("Time"), width=180),
        schema.QUALITY: FieldOverride(tr("Quality code"), decimals=0, values=_quality_words(of)),
        "meter": FieldOverride(hidden=True),
    }
    return table_panel(text, "none", queries, overrides)


def _quality_words(of: BoardSite) -> Mappings:
    """Return the word for each single quality code. A sum of codes is shown as a number."""
    tr = of.tr
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


def _value_overrides(of: BoardSite) -> dict[str, FieldOverride]:
    tr = of.tr
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
        "power_kw": FieldOverride(tr("Power"), of.quantity_unit("power_kw"), colour=colours.ORANGE),
        "flow_m3_h": FieldOverride(
            tr("Flow"), of.quantity_unit("flow_m3_h"), 2, colour=colours.SKY
        ),
    }
