"""Join due events of the same kind, rule and place into notices. Pure.

Law: the id of a notice depends only on its event, rule, group, subjects and episodes.
"""

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from analytics.alerts.alert import Alert, Event, Notice

#: Bytes of the hash in a notice's id: in less than 1 of 10^9 sites, two notices have the same id.
_DIGEST_BYTES: Final = 8


class DueEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event of an alert that a notice is due about.

    Attributes:
        event: the event.
        group: id of the place that the alert shares with others, see `AlertPlaces.group`.
        alert: the alert as the notice shows it.
        after: the alert once the event is announced.
        waits_until_ms: time until which the event waits for other events of its group [UTC, ms].
        at_ms: time of the event [UTC, ms].
        number: identifies the event within its episode, e.g. the time of the last reminder.
        is_late: True if the episode ended before its readings came in.
        times: number of times that the alert fired.
    """

    event: Event
    group: str
    alert: Alert
    after: Alert
    waits_until_ms: int
    at_ms: int
    number: int = 0
    is_late: bool = False
    times: int = 1


def ready_groups(events: Iterable[DueEvent], now_ms: int) -> list[list[DueEvent]]:
    """Return groups of events that share a notice, without groups that still wait.

    Args:
        events: the events.
        now_ms: the time [UTC, ms].
    """
    groups: dict[tuple[str, str, str, bool], list[DueEvent]] = {}
    for one in events:
        key = (one.event, one.alert.rule, one.group, one.is_late)
        groups.setdefault(key, []).append(one)
    return [
        sorted(group, key=_order)
        for group in groups.values()
        if min(one.waits_until_ms for one in group) <= now_ms
    ]


def notice_of(group: Sequence[DueEvent], explained: Mapping[str, Sequence[Alert]]) -> Notice:
    """Return the notice of a group of events.

    Args:
        group: the events, the worst first.
        explained: the explained alerts, by the key of their cause.
    """
    first = group[0]
    consequences = [one for due in group for one in explained.get(due.alert.key, ())]
    return Notice(
        id=_id(group),
        event=first.event,
        rule=first.alert.rule,
        severity=first.alert.severity,
        group=first.group,
        alerts=tuple(due.alert for due in group),
        consequences=tuple(sorted(consequences, key=lambda one: one.key)),
        at_ms=(min if first.event == "fired" else max)(due.at_ms for due in group),
        is_late=first.is_late,
        times=max(due.times for due in group),
    )


def _id(group: Sequence[DueEvent]) -> str:
    first = group[0]
    episodes = sorted((due.alert.subject, due.alert.since_ms, due.number) for due in group)
    text = repr((first.event, first.alert.rule, first.group, first.alert.severity, episodes))
    digest = hashlib.blake2b(text.encode(), digest_size=_DIGEST_BYTES).hexdigest()
    return f"{first.event}-{digest}"


def _order(due: DueEvent) -> tuple[float, str]:
    """Return the sort key of an alert in its notice: farthest beyond the limit first."""
    alert = due.alert
    excess = abs(alert.peak - alert.limit) / (abs(alert.limit) or 1.0)
    return (1.0 if math.isnan(excess) else -excess, alert.subject)
