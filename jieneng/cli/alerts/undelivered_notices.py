"""Find and print the notices that could not be delivered: given up, or tried in vain so far.

The outbox is a file of the machine on which the service runs, so a command on another machine sees
none.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from jieneng.metering.errors import Msgid

if TYPE_CHECKING:  # imported when a command runs, so that `--help` is quick
    from analytics.alerts.delivery.outbox_entry import OutboxEntry
    from jieneng.cli.alerts.site_alerts import SiteAlerts

#: Notices that are listed.
_LISTED: Final = 20


def read(of: "SiteAlerts", since_ms: int) -> "list[OutboxEntry]":
    """Return the notices that wait after a failed try, and those given up since a time [UTC, ms].

    Raises:
        OutboxUnavailable: the file can't be read.
    """
    from analytics.alerts.delivery.notice_outbox import NoticeOutbox

    outbox = NoticeOutbox(of.folder.path / of.settings.alerts.outbox)
    try:
        waiting = [entry for entry in outbox.entries("waiting") if entry.tries]
        given_up = [entry for entry in outbox.entries("given_up") if entry.done_ms >= since_ms]
    finally:
        outbox.close()
    return [*waiting, *given_up]


def print_table(entries: "Sequence[OutboxEntry]", of: "SiteAlerts", now_ms: int) -> None:
    """Print the notices as a table, if there are any."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from analytics.alerts.texts import alert_texts
    from analytics.alerts.texts.notice_text import headline

    if not entries:
        return
    tr = of.tr
    table = Table(
        title=tr("Notices that could not be delivered"),
        title_justify="left",
        title_style="bold red",
        header_style="dim",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    for heading in (tr("Time"), tr("Receiver"), tr("Notice"), tr("State"), tr("Reason")):
        table.add_column(heading, overflow="fold")
    for entry in entries[:_LISTED]:
        notice = entry.queued.notice
        reason: Msgid = entry.reason
        state = tr("given up") if entry.state == "given_up" else tr("is tried again")
        table.add_row(
            alert_texts.short_time(notice.at_ms, now_ms, of.labels),
            entry.queued.receiver,
            Text(headline(notice, of.rules, tr, of.labels)),
            state,
            Text(tr(reason)),
        )
    if (more := len(entries) - _LISTED) > 0:
        table.add_row("", "", tr("{count} more").format(count=more))
    Console().print(table)
