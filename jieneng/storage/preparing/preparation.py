"""Prepare the server of `[store]`: say what it is, make what is missing, compare its retention.

Laws:

- A retention that would delete stored readings is refused before anything is changed.
- A retention shorter than the readings in the store or the plan's base year is told as a fault.
"""

from collections.abc import AsyncIterator
from typing import TypeAlias

from jieneng.metering.errors import Msgid, UsageError
from jieneng.metering.quantities import MEDIA
from jieneng.storage import influxql
from jieneng.storage.influx_http import AccessRefused, Credentials, DatabaseMissing, InfluxHttp
from jieneng.storage.preparing.bucket_server import prepare_bucket
from jieneng.storage.preparing.influxql_server import prepare_influxql
from jieneng.storage.preparing.server_kinds import Server, recognise
from jieneng.storage.preparing.steps import Done, Note, Secret, Steps, Wish
from jieneng.storage.settings import StoreSettings

Event: TypeAlias = Server | Done | Note | Secret

_DAY_MS = 86_400_000


async def prepare_server(
    settings: StoreSettings, credentials: Credentials, wish: Wish
) -> AsyncIterator[Event]:
    """Prepare a server, and yield each thing that was there, was made or would be made.

    Args:
        settings: the table `[store]`.
        credentials: those of an administrator.
        wish: what is to be made.

    Raises:
        UsageError: the wish can't be fulfilled as it is.
    """
    admin = InfluxHttp(settings, credentials)
    anonymous = InfluxHttp(settings, Credentials())
    try:
        ping = await admin.ping()
        server = recognise(ping.headers, ping.body)
        yield server
        for limit in server.kind.limits:
            yield Note(limit)
        if server.kind.prepared_by == "nothing":
            return
        first_ms = await _first_reading_ms(admin)
        _check_wish(wish, first_ms)
        steps = Steps(wish)
        made = (
            prepare_influxql(admin, anonymous, steps)
            if server.kind.prepared_by == "influxql"
            else prepare_bucket(admin.url, credentials.token or "", settings.timeout_s, steps)
        )
        async for event in made:
            yield event
        for fault in await _retention_faults(admin, wish, first_ms):
            yield fault
    except AccessRefused as error:
        raise UsageError(
            "the server at {url} wants an administrator ({reason}). Give --admin-user and "
            "--admin-password-file or, for InfluxDB 2, --admin-token-file.",
            url=admin.url,
            reason=error.values["reason"],
        ) from error
    finally:
        await admin.close()
        await anonymous.close()


def _check_wish(wish: Wish, first_ms: int | None) -> None:
    if not wish.retention_s or first_ms is None:
        return
    if wish.now_ms - first_ms > wish.retention_s * 1000:
        raise UsageError(
            "a retention of {days} days would delete readings: the oldest is {age} days old. "
            "Wish for a longer one, or 0 for one without end.",
            days=wish.retention_s // 86400,
            age=_days(wish.now_ms - first_ms),
        )


async def _first_reading_ms(admin: InfluxHttp) -> int | None:
    """Return the time of the oldest reading [UTC, ms]; None if there is none."""
    times = []
    for medium in MEDIA:
        try:
            found = await admin.ask("GET", influxql.first_point(medium, {}, "ASC"))
        except DatabaseMissing:
            return None
        if found:
            times.append(influxql.first_time_ms(found))
    return min(times, default=None)


async def _retention_faults(admin: InfluxHttp, wish: Wish, first_ms: int | None) -> list[Note]:
    kept_s: float | None = wish.retention_s
    if not wish.dry_run or kept_s is None:
        kept_s = await _kept_s(admin, wish.database)
    return [
        Note(text, {"days": int(kept_s // 86400), "age": _days(wish.now_ms - since_ms)}, True)
        for text, since_ms in _needs(wish, first_ms)
        if kept_s and since_ms is not None and wish.now_ms - since_ms > kept_s * 1000
    ]


async def _kept_s(admin: InfluxHttp, database: str) -> float | None:
    try:
        return influxql.retention_s(await admin.ask("GET", influxql.show_retention(database)))
    except DatabaseMissing:  # a dry run made none
        return None


def _needs(wish: Wish, first_ms: int | None) -> list[tuple[Msgid, int | None]]:
    """Return what a retention has to reach back to."""
    readings: Msgid = (
        "points are kept for {days} days, but the oldest reading is {age} days old: it will be "
        "deleted. Prepare with a longer --retention-days, or 0."
    )
    plan: Msgid = (
        "points are kept for {days} days, but the plan's base year began {age} days ago: no "
        "figure can be compared with it. Prepare with a longer --retention-days, or 0."
    )
    return [(readings, first_ms), (plan, wish.base_year_ms)]


def _days(span_ms: int) -> int:
    return -(-span_ms // _DAY_MS)
