"""Notices as lines of a golden file: time, event, rule, group, subjects and further content."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from analytics.alerts.alert import Notice


def line_of(notice: Notice, now_ms: int, zone: ZoneInfo) -> str:
    """Return a notice as a line.

    `since` and `ended` are those of the first alert; `+30` are alerts that it explains, `x3` is the
    number of firings.
    """
    now = datetime.fromtimestamp(now_ms / 1000, zone)
    changes = zone.key != "Asia/Shanghai"
    parts = [
        now.strftime("%m-%d %H:%M:%S"),
        *([now.tzname() or ""] if changes else []),
        f"{notice.event:9}",
        notice.severity,
        notice.rule,
        notice.group,
        _spans([alert.subject for alert in notice.alerts]),
    ]
    first = notice.alerts[0]
    if notice.event in ("recovered", "passed", "withdrawn"):
        parts += [f"{_clock(first.since_ms, zone)}..{_clock(first.ended_ms, zone)}"]
    if notice.consequences:
        parts += [f"+{len(notice.consequences)}"]
    if notice.times > 1:
        parts += [f"x{notice.times}"]
    if notice.is_late:
        parts += ["late"]
    return " ".join(parts).rstrip()


def _clock(time_ms: int, zone: ZoneInfo) -> str:
    return datetime.fromtimestamp(time_ms / 1000, zone).strftime("%dT%H:%M")


def _spans(subjects: Iterable[str]) -> str:
    """Return ids joined by commas; three and more that follow each other as `m-01..m-30`."""
    ordered, shown = sorted(subjects), list[str]()
    run: list[str] = []
    for one in [*ordered, ""]:
        if run and _follows(run[-1], one):
            run.append(one)
            continue
        shown += _short(run)
        run = [one]
    return ",".join(shown)


def _follows(one: str, other: str) -> bool:
    head, _, number = one.rpartition("-")
    return number.isdigit() and other == f"{head}-{int(number) + 1:0{len(number)}}"


def _short(run: Sequence[str]) -> list[str]:
    return [f"{run[0]}..{run[-1]}"] if len(run) > 2 else list(run)
