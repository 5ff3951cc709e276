"""Print the notices that did not reach their receivers: as a table, or as JSON for programs."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from jieneng.metering.errors import Msgid

if TYPE_CHECKING:  # imported when a command runs, so that `--help` is quick
    from rich.table import Table

    from analytics.alerts.delivery.outbox_entry import OutboxEntry
    from jieneng.cli.alerts.site_alerts import SiteAlerts

#: Greatest width of a notice [columns]. It leaves room for the server's error message beside it.
_NOTICE_WIDTH: Final = 40


def undelivered(site: "SiteAlerts") -> "list[OutboxEntry]":
    """Return the notices that were given up or whose attempts failed so far, the oldest first.

    Raises:
        OutboxUnavailable: the outbox can't be read.
    """
    from analytics.alerts.delivery.notice_outbox import NoticeOutbox

    outbox = NoticeOutbox(site.folder.path / site.settings.alerts.outbox)
    try:
        waiting = [entry for entry in outbox.entries("waiting") if entry.tries]
        return [*outbox.entries("given_up"), *waiting]
    finally:
        outbox.close()


def notice_json(entry: "OutboxEntry", site: "SiteAlerts") -> dict[str, Any]:
    """Return a notice as JSON."""
    from analytics.alerts.texts.notice_text import headline

    notice = entry.queued.notice
    return {
        "id": notice.id,
        "receiver": entry.queued.receiver,
        "state": entry.state,
        "text": headline(notice, site.rules, site.tr, site.labels),
        "tries": entry.tries,
        "reason": entry.reason or None,
    }


def notices_table(entries: "Sequence[OutboxEntry]", site: "SiteAlerts", now_ms: int) -> "Table":
    """Return the table of undelivered notices."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from analytics.alerts.texts import alert_texts
    from analytics.alerts.texts.notice_text import headline

    tr = site.tr
    table = Table(
        title=tr("Notices that did not arrive"),
        title_justify="left",
        title_style="bold",
        header_style="dim",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    table.add_column(tr("Time"), no_wrap=True)
    table.add_column(tr("Receiver"), overflow="fold")
    table.add_column(tr("Notice"), overflow="fold", max_width=_NOTICE_WIDTH)
    table.add_column(tr("State"), overflow="fold")
    for entry in entries:
        notice = entry.queued.notice
        reason: Msgid = entry.reason
        state = tr("given up") if entry.state == "given_up" else tr("is tried again")
        table.add_row(
            alert_texts.short_time(notice.at_ms, now_ms, site.labels),
            Text(entry.queued.receiver),
            Text(headline(notice, site.rules, tr, site.labels)),
            Text.assemble(state, ("\n" + tr(reason), "dim")),
        )
    return table
