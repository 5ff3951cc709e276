"""Render the demo's output: figures, then a live screen on a terminal or plain lines elsewhere.

Pure: snapshots in, renderables out.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec
from rich.console import Group, RenderableType
from rich.text import Text

from analytics.alerts.texts.alert_row import AlertRow, State, more_text
from analytics.figures.figure import Figure
from analytics.report import terminal_tables
from analytics.report.report_data import LatestReading, NamedScope
from ingest.ledger import AgentLedger
from jieneng.locale import Translate

#: Number of meters in the live table; with this number, the table fits on a screen.
_LIVE_ROWS: Final = 8
#: The live screen shows this many alerts.
_ALERT_ROWS: Final = 4
#: Styles of the alerts that are shown, by state.
_ALERT_STYLES: Final[dict[State, str]] = {"firing": "red", "silenced": "dim", "over": "green"}


class DemoSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """Data of the screen at one moment.

    Attributes:
        elapsed_s: time since the demo began [s].
        scopes: the site first.
        periods: the year of the verdict first, the running year last.
        alerts: the alerts, the worst first.
        services: name, process id (None while it is dead) and restarts of each.
    """

    site_name: str
    folder: Path
    page: Path
    elapsed_s: float
    scopes: tuple[NamedScope, ...]
    periods: tuple[str, ...]
    figures: tuple[Figure, ...]
    readings: tuple[LatestReading, ...]
    accounts: Sequence[AgentLedger]
    alerts: tuple[AlertRow, ...]
    services: tuple[tuple[str, int | None, int], ...]


def figures_screen(snapshot: DemoSnapshot, translate: Translate) -> RenderableType:
    """Render the part that changes rarely: the indicators, and the plan's caps."""
    site, verdict, running = snapshot.scopes[0], snapshot.periods[0], snapshot.periods[-1]
    buildings = [scope for scope in snapshot.scopes if scope.kind != "institution"]
    return Group(
        Text(snapshot.site_name, style="bold"),
        terminal_tables.overview_table(
            _of_period(snapshot.figures, verdict), buildings, verdict, translate
        ),
        terminal_tables.caps_table(snapshot.figures, site.id, verdict, translate),
        terminal_tables.overview_table(
            _of_period(snapshot.figures, running), [site], running, translate
        ),
    )


def live_screen(snapshot: DemoSnapshot, translate: Translate) -> RenderableType:
    """Render the part that changes all the time; it fits into a small terminal."""
    return Group(
        terminal_tables.readings_table(live_readings(snapshot.readings), translate),
        *(Text(line, style=style) for style, line in alert_lines(snapshot, translate)),
        Text(counts_line(snapshot.accounts, translate)),
        Text(services_line(snapshot, translate), style="dim"),
        Text(translate("Page: {page}").format(page=snapshot.page.as_uri()), style="bold"),
    )


def alert_lines(snapshot: DemoSnapshot, translate: Translate) -> list[tuple[str, str]]:
    """Return style and text of the lines about alerts: what fires, what ended, how to route it."""
    rows = shown_alerts(snapshot.alerts)
    lines = [(_ALERT_STYLES[row.state], alert_line(row, translate)) for row in rows[:_ALERT_ROWS]]
    hidden = len(rows) - len(lines)
    if hidden > 0:
        lines.append(("dim", more_text(hidden, translate)))
    text = translate(
        "The demo sends no notices. Receivers: docs/alerts.md; then jieneng alerts notify "
        "--try --site {folder}"
    )
    lines.append(("dim", text.format(folder=snapshot.folder)))
    return lines


def alert_line(row: AlertRow, translate: Translate) -> str:
    """Return an alert in a line: state, severity, name, subject, value and time."""
    about = translate("{name}: {text}").format(name=row.name, text=row.subject)
    value = row.value
    if row.value and row.limit:
        value = translate("{name} ({place})").format(name=row.value, place=row.limit)
    return "  ".join(
        filter(None, (row.state_word, row.severity_word, about, value, row.start, row.note))
    )


def shown_alerts(rows: Sequence[AlertRow]) -> list[AlertRow]:
    """Return the alerts that fire or are over, without those that others explain."""
    return [row for row in rows if row.state in _ALERT_STYLES and not row.is_explained]


def plain_lines(
    snapshot: DemoSnapshot, before: DemoSnapshot, translate: Translate
) -> Iterator[str]:
    """Yield lines of a log: counts of samples, some readings, and alerts that are new or over."""
    shown = "  ".join(
        f"{reading.meter} {reading.register:.2f} {reading.unit}"
        for reading in live_readings(snapshot.readings)[:3]
        if reading.register is not None
    )
    yield f"{snapshot.elapsed_s:5.0f} s  {counts_line(snapshot.accounts, translate)}  {shown}"
    known = {(row.key, row.state) for row in shown_alerts(before.alerts)}
    for row in shown_alerts(snapshot.alerts):
        if (row.key, row.state) not in known:
            yield f"         {alert_line(row, translate)}"


def live_readings(readings: Sequence[LatestReading]) -> list[LatestReading]:
    """Return the readings with the highest rates, of meters that have answered."""
    answered = [reading for reading in readings if reading.time is not None]
    return sorted(answered, key=lambda reading: -(reading.rate or 0.0))[:_LIVE_ROWS]


def counts_line(accounts: Sequence[AgentLedger], translate: Translate) -> str:
    """Return the ledger summed over all agents: read = stored + quarantined + pending + dropped."""
    return translate(
        "samples: read {read} = stored {stored} + set aside {quarantined} + pending {pending} "
        "+ dropped {dropped}"
    ).format(
        read=sum(account.read for account in accounts),
        stored=sum(account.stored for account in accounts),
        quarantined=sum(account.quarantined for account in accounts),
        pending=sum(account.pending for account in accounts),
        dropped=sum(account.dropped for account in accounts),
    )


def services_line(snapshot: DemoSnapshot, translate: Translate) -> str:
    """Return the process ids, so that a tester can kill a service and watch."""
    shown = ", ".join(
        f"{name} {pid if pid is not None else translate('down')}"
        + (f" (×{restarts})" if restarts else "")
        for name, pid, restarts in snapshot.services
    )
    return translate("processes (kill one: nothing is lost): {services}").format(services=shown)


def _of_period(figures: Sequence[Figure], period: str) -> list[Figure]:
    return [figure for figure in figures if figure.period == period]
