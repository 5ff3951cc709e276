"""What the demo shows: figures, then a living screen on a terminal or plain lines elsewhere.

Pure: views in, renderables out.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec
from rich.console import Group, RenderableType
from rich.text import Text

from analytics.figures.figure import Figure
from analytics.report import terminal_tables
from analytics.report.report_data import Reading, Scope
from ingest.ledger import AgentLedger
from jieneng.locale import Translate

#: The live table shows this many meters, so that all fits on a screen.
_LIVE_ROWS: Final = 8


class View(msgspec.Struct, frozen=True, kw_only=True):
    """Everything on the screen at one moment."""

    site_name: str
    folder: Path
    page: Path
    elapsed_s: float
    scopes: tuple[Scope, ...]
    periods: tuple[str, ...]
    figures: tuple[Figure, ...]
    readings: tuple[Reading, ...]
    accounts: Sequence[AgentLedger]
    services: tuple[tuple[str, int | None, int], ...]


def figures_screen(view: View, translate: Translate) -> RenderableType:
    """What stands still for a while: the indicators of centre and buildings, and the caps."""
    site, verdict, running = view.scopes[0], view.periods[0], view.periods[-1]
    buildings = [scope for scope in view.scopes if scope.kind != "institution"]
    return Group(
        Text(view.site_name, style="bold"),
        terminal_tables.overview_table(_of(view.figures, verdict), buildings, verdict, translate),
        terminal_tables.caps_table(view.figures, site.id, verdict, translate),
        terminal_tables.overview_table(_of(view.figures, running), [site], running, translate),
    )


def live_screen(view: View, translate: Translate) -> RenderableType:
    """What moves; short enough for a small terminal."""
    return Group(
        terminal_tables.live_table(moving(view.readings), translate),
        Text(counts_line(view.accounts, translate)),
        Text(services_line(view, translate), style="dim"),
        Text(translate("Page: {page}").format(page=view.page.as_uri()), style="bold"),
    )


def plain_line(view: View, translate: Translate) -> str:
    """One line for a log: what came in, and a reading that grows."""
    shown = "  ".join(
        f"{reading.meter} {reading.register:.2f} {reading.unit}"
        for reading in moving(view.readings)[:3]
        if reading.register is not None
    )
    return f"{view.elapsed_s:5.0f} s  {counts_line(view.accounts, translate)}  {shown}"


def moving(readings: Sequence[Reading]) -> list[Reading]:
    """The meters shown live: the mains of each medium first, those that answered before others."""
    answered = [reading for reading in readings if reading.time is not None]
    return sorted(answered, key=lambda reading: -(reading.rate or 0.0))[:_LIVE_ROWS]


def counts_line(accounts: Sequence[AgentLedger], translate: Translate) -> str:
    """The ledger, summed over the agents: read = stored + pending + dropped."""
    return translate(
        "samples: read {read} = stored {stored} + pending {pending} + dropped {dropped}"
    ).format(
        read=sum(one.read for one in accounts),
        stored=sum(one.stored for one in accounts),
        pending=sum(one.pending for one in accounts),
        dropped=sum(one.dropped for one in accounts),
    )


def services_line(view: View, translate: Translate) -> str:
    """The processes, so that a tester can kill one and watch."""
    shown = ", ".join(
        f"{name} {pid if pid is not None else translate('down')}"
        + (f" (×{restarts})" if restarts else "")
        for name, pid, restarts in view.services
    )
    return translate("processes (kill one: nothing is lost): {services}").format(services=shown)


def _of(figures: Sequence[Figure], period: str) -> list[Figure]:
    return [figure for figure in figures if figure.period == period]
