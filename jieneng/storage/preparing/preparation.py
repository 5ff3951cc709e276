"""Prepare the server of `[store]`: recognise it, create what is missing, check its retention.

Laws:

- A retention that would delete stored readings is refused before anything is changed.
- A retention is reported as a fault if it does not reach back to the oldest reading or to the base
  year.
"""

from collections.abc import AsyncIterator
from typing import TypeAlias

from jieneng.metering.errors import Msgid, UsageError
from jieneng.metering.quantities import MEDIA
from jieneng.storage import influxql
from jieneng.storage.influx_http import AccessRefused, Credentials, DatabaseMissing, InfluxHttp
from jieneng.storage.preparing.bucket_server import prepare_bucket
from jieneng.storage.preparing.influxql_server import prepare_influxql
from jieneng.storage.preparing.steps import Done, Note, PrepareOptions, Secret, Steps
from jieneng.storage.retention import is_shorter
from jieneng.storage.server_kinds import Server, recognise
from jieneng.storage.settings import StoreSettings

Event: TypeAlias = Server | Done | Note | Secret

_DAY_MS = 86_400_000


async def prepare_server(
    settings: StoreSettings, credentials: Credentials, options: PrepareOptions
) -> AsyncIterator[Event]:
    """Prepare a server, and yield one event for each step.

    Args:
        settings: the table `[store]`.
        credentials: credentials of an administrator.
        options: options of the command.

    Raises:
        UsageError: the options or the credentials do not suit the server.
    """
    admin = InfluxHttp(settings, credentials)
    anonymous = InfluxHttp(settings, Credentials())
    try:
        ping = await admin.ping()
        server = recognise(ping.headers, ping.body)
        yield server
        limit: Msgid
        for limit in server.kind.limits:
            yield Note(limit)
        if server.kind.prepared_by == "nothing":
            return
        first_ms = await _first_reading_ms(admin)
        _check_options(options, first_ms, await _kept_s(admin))
        steps = Steps(options)
        made = (
            prepare_influxql(admin, anonymous, steps)
            if server.kind.prepared_by == "influxql"
            else prepare_bucket(admin.url, credentials.token or "", settings.timeout_s, steps)
        )
        async for event in made:
            yield event
        for fault in await _retention_faults(admin, options, first_ms):
            yield fault
    except AccessRefused as error:
        raise UsageError(
            "the server at {url} requires an administrator ({reason}). Give --admin-user and "
            "--admin-password-file or, for InfluxDB 2, --admin-token-file.",
            url=admin.url,
            reason=error.values["reason"],
        ) from error
    finally:
        await admin.close()
        await anonymous.close()


def _check_options(options: PrepareOptions, first_ms: int | None, kept_s: float | None) -> None:
    if not options.retention_s or options.retention_s == kept_s or first_ms is None:
        return
    if is_shorter(options.retention_s, first_ms, options.now_ms):
        raise UsageError(
            "a retention of {days} days would delete readings: the oldest is {age} days old. "
            "Give a longer one, or 0 to keep them for ever.",
            days=options.retention_s // 86400,
            age=_days(options.now_ms - first_ms),
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


async def _retention_faults(
    admin: InfluxHttp, options: PrepareOptions, first_ms: int | None
) -> list[Note]:
    kept_s: float | None = options.retention_s
    if not options.dry_run or kept_s is None:
        kept_s = await _kept_s(admin)
    if not kept_s:
        return []

    def values(since_ms: int | None) -> dict[str, object]:
        return {"days": int(kept_s // 86400), "age": _days(options.now_ms - (since_ms or 0))}

    since = {
        first_ms: Note(
            "points are kept for {days} days, but the oldest reading is {age} days old: it will "
            "be deleted. Prepare with a longer --retention-days, or 0.",
            values(first_ms),
            is_fault=True,
        ),
        options.base_year_ms: Note(
            "points are kept for {days} days, but the plan's base year began {age} days ago: no "
            "figure can be compared with it. Prepare with a longer --retention-days, or 0.",
            values(options.base_year_ms),
            is_fault=True,
        ),
    }
    return [
        note
        for since_ms, note in since.items()
        if since_ms is not None and is_shorter(kept_s, since_ms, options.now_ms)
    ]


async def _kept_s(admin: InfluxHttp) -> float | None:
    try:
        return await admin.retention_s()
    except DatabaseMissing:  # not created yet, or a dry run
        return None


def _days(span_ms: int) -> int:
    return -(-span_ms // _DAY_MS)
