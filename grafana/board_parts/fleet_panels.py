"""Panels that show agents, polls and counts of readings, for several boards."""

from typing import Final

from grafana import colours
from grafana.board_frame import board_link, panel_text
from grafana.board_site import BoardSite
from grafana.field_display import (
    FieldOverride,
    Json,
    Thresholds,
    bad_from,
    good_from,
    named_series,
)
from grafana.panels import PanelText, stat_panel, table_panel, time_series_lines
from grafana.queries import extremes, latest, latest_series, time_series
from grafana.verdicts import name_values, online_values, yes_values
from jieneng.metering import schema

_SITE: Final = {"site": "$site"}
#: Lower than any share, and than any number of days until a certificate expires.
_FAR_BELOW: Final = -36_500.0


def agents_online(site: BoardSite) -> Json:
    """Return a panel with the connection state of each agent."""
    text = panel_text(
        site,
        "Agents online",
        "Connection of each agent to the message broker. An agent without a connection"
        " continues to poll, and stores its readings on its own disk.",
        "No agent has ever reported. Start one: jieneng edge run.",
    )
    query = latest_series(schema.AGENT, "online", _SITE, ("agent",), "$tag_agent")
    overrides = {"/.*/": FieldOverride(values=online_values(site.tr))}
    return stat_panel(text, "none", [query], overrides, beside=True)


def ledger(site: BoardSite) -> Json:
    """Return a table of each agent's counts of readings: read, stored, pending, ..."""
    tr = site.tr
    fields = {
        "read": FieldOverride(tr("Read"), width=95),
        "stored": FieldOverride(tr("Stored"), width=95),
        "quarantined": FieldOverride(tr("Set aside"), width=95, thresholds=bad_from(1)),
        "pending": FieldOverride(tr("Pending"), width=95),
        "dropped": FieldOverride(tr("Dropped"), width=95, thresholds=bad_from(1)),
    }
    query = latest(schema.LEDGER, tuple(fields), _SITE, ("agent",))
    text = panel_text(
        site,
        "Account of readings",
        "Number of readings since each agent was installed. Read = stored + set aside +"
        " pending + dropped. Dropped readings are lost.",
        "No agent has ever reported. Start one: jieneng edge run.",
    )
    agent = FieldOverride(tr("Agent"), width=110)
    return table_panel(text, "locale", [query], {"agent": agent, **fields})


def pending(site: BoardSite) -> Json:
    """Return a panel with the number of readings on the disk of each agent."""
    text = panel_text(
        site,
        "Pending readings",
        "Readings on the agent's disk that are not yet confirmed as stored.",
    )
    return _of_agents(site, schema.LEDGER, "pending", "locale", text)


def spool_age(site: BoardSite) -> Json:
    """Return a panel with the age of the oldest reading on the disk of each agent."""
    text = panel_text(
        site,
        "Age of the oldest pending batch",
        "Time for which the oldest batch has been waiting on the agent's disk.",
    )
    return _of_agents(site, schema.AGENT, "spool_age_s", "dthms", text)


def unacknowledged(site: BoardSite) -> Json:
    """Return a panel with the time since the ingest last acknowledged a batch, by agent."""
    text = panel_text(
        site,
        "Published but not acknowledged",
        "Time since the ingest last acknowledged a batch, while the agent publishes"
        " batches; normally 0.",
    )
    return _of_agents(site, schema.AGENT, "unacknowledged_s", "dthms", text)


def bus_load(site: BoardSite) -> Json:
    """Return a panel with the load of each bus."""
    text = panel_text(
        site,
        "Load of the buses",
        "Share of the time in which a bus was busy. If it is above the dashed line, a"
        " meter that does not answer delays the polls of other meters.",
    )
    buses = {bus.id: bus.id for bus in site.site.bus}
    query = time_series(schema.BUS, ("load",), _SITE, ("bus",), "$tag_bus")
    panel = time_series_lines(
        text, "percentunit", [query], named_series(buses), thresholds=bad_from(0.8)
    )
    panel["fieldConfig"]["defaults"]["min"] = 0
    return panel


def clocks(site: BoardSite) -> Json:
    """Return a table with the clock state and the uptime of each agent."""
    tr = site.tr
    # Grafana's own unit of days says "29 weeks".
    days = f"suffix: {tr('{count} d').format(count='').strip()}"
    fields = {
        "online": FieldOverride(tr("Connection"), values=online_values(tr)),
        "clock_ok": FieldOverride(tr("Clock"), values=yes_values(tr("trusted"), tr("not trusted"))),
        "clock_jumps": FieldOverride(tr("Clock jumps"), decimals=0, thresholds=bad_from(1)),
        "uptime_s": FieldOverride(tr("Uptime"), "dtdhms", width=125),
        "spool_bytes": FieldOverride(tr("Pending data"), "decbytes"),
        "spool_share": FieldOverride(
            tr("Spool"), "percentunit", 0, thresholds=_known(bad_from(0.5, worse=0.9)), width=75
        ),
        "disk_used": FieldOverride(
            tr("Disk"), "percentunit", 0, thresholds=_known(bad_from(0.85, worse=0.95)), width=75
        ),
        "certificate_days": FieldOverride(
            tr("Certificate"), days, 0, thresholds=_known(good_from(21)), width=95
        ),
        "boot": FieldOverride(tr("Run")),
    }
    query = latest(schema.AGENT, tuple(fields), _SITE, ("agent",))
    text = panel_text(
        site,
        "Agents",
        "Latest report of each agent. Readings taken while the clock was not trusted are"
        " marked; their times are not changed.",
        "No agent has ever reported. Start one: jieneng edge run.",
    )
    return table_panel(text, "none", [query], {"agent": FieldOverride(tr("Agent")), **fields})


def polls_by_meter(site: BoardSite) -> Json:
    """Return a table with the last poll and the worst poll of each meter."""
    tr = site.tr
    answered = yes_values(tr("answered"), tr("no answer"))
    columns = {
        "ok": FieldOverride(tr("Last poll"), values=answered),
        "worst": FieldOverride(tr("Worst poll"), values=answered),
        "attempts": FieldOverride(tr("Most attempts"), decimals=0, thresholds=bad_from(2)),
        "slowest": FieldOverride(tr("Slowest reply"), "s"),
    }
    query = extremes(
        schema.POLL,
        (
            ("last", "ok", "ok"),
            ("min", "ok", "worst"),
            ("max", "attempts", "attempts"),
            ("max", "duration_s", "slowest"),
        ),
        _SITE,
        ("meter",),
    )
    text = panel_text(
        site,
        "Polls by meter",
        "Last poll of each meter, and its worst poll of the last hour. A meter that does"
        " not answer is polled less often, so that it does not delay the other meters.",
        "No meter was polled in the last hour.",
    )
    name = FieldOverride(
        tr("Meter"),
        values=name_values(site.meter_names()),
        link=(tr("Open this meter"), board_link("one-meter", "meter")),
        width=240,
    )
    panel = table_panel(text, "none", [query], {"meter": name, **columns}, sort=("worst", False))
    # Only one hour, because the query reads every poll. A day of 1,000 meters has nine million.
    return {**panel, "timeFrom": "1h", "hideTimeOverride": True}


def receipts(site: BoardSite) -> Json:
    """Return a table with the number of each agent's readings that the ingest set aside."""
    tr = site.tr
    fields = {
        "held": FieldOverride(tr("Set aside"), width=95, thresholds=bad_from(1)),
        "replayed": FieldOverride(tr("Replayed"), width=95),
        "dropped": FieldOverride(tr("Dropped by a person"), width=110),
        "missing": FieldOverride(tr("Batches not seen"), width=110),
    }
    query = latest(schema.RECEIPT, tuple(fields), _SITE, ("agent", "machine"))
    text = panel_text(
        site,
        "Quarantine of the ingest",
        "Readings that the ingest set aside. `jieneng ingest quarantine list` shows the"
        " reasons. Once a cause is removed, `jieneng ingest quarantine replay` stores its"
        " readings.",
        "Nothing has been received in this time range.",
    )
    tags = {
        "agent": FieldOverride(tr("Agent"), width=110),
        "machine": FieldOverride(tr("Machine"), width=110),
    }
    return table_panel(text, "locale", [query], {**tags, **fields})


def _known(thresholds: Thresholds) -> Thresholds:
    """Return thresholds in which an unknown value has the colour of text."""
    (_, first), *others = thresholds
    return ((None, colours.TEXT), (_FAR_BELOW, first), *others)


def _of_agents(site: BoardSite, measurement: str, field: str, unit: str, text: PanelText) -> Json:
    names = {agent: agent for agent in site.agents}
    query = time_series(measurement, (field,), _SITE, ("agent",), "$tag_agent")
    panel = time_series_lines(text, unit, [query], named_series(names), stepped=True)
    panel["fieldConfig"]["defaults"]["min"] = 0
    return panel
