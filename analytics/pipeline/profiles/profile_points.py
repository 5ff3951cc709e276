"""Convert load profiles to points of the store. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from analytics import periods
from analytics.periods import Interval
from analytics.profiles.load_profile import LoadProfile
from jieneng.metering import schema
from jieneng.metering.schema import Point

_LENGTHS_S: Final[Mapping[Interval, float]] = {"15min": 900.0, "hour": 3600.0}


def profile_point(site: str, profile: LoadProfile, zone: ZoneInfo) -> Point | None:
    """Return the point of the figures of a month, at the start of the last day that it contains.

    Unknown figures have no field.
    """
    fields: dict[str, float | None] = {name: found.value for name, found in profile.figures.items()}
    peak = profile.figures.get("peak_demand")
    if peak is not None and peak.value is not None:
        fields[schema.PEAK_MS] = peak.time_ms
        fields[schema.INTERVAL_S] = _LENGTHS_S.get(peak.interval or "15min")
    fields[schema.COVERAGE] = profile.coverage
    tags = {**_tags(site, profile), "period": f"{profile.period.start:%Y-%m}"}
    day = profile.period.end - timedelta(days=1)
    return schema.point(schema.PROFILE, tags, fields, periods.midnight_ms(day, zone))


def night_points(site: str, profile: LoadProfile, zone: ZoneInfo) -> Iterator[Point]:
    """Yield the point of each night of a profile that is known."""
    tags = _tags(site, profile)
    rows = zip(profile.days, profile.night_least, profile.night_leak, strict=True)
    for day, least, leak in rows:
        fields = {"least": float(least), "leak_level": float(leak)}
        point = schema.point(schema.NIGHT, tags, fields, periods.midnight_ms(day, zone))
        if point is not None:
            yield point


def week_points(
    site: str, profile: LoadProfile, days: Sequence[date], zone: ZoneInfo
) -> Iterator[Point]:
    """Yield the point of each hour of some days with the usual load of this hour of the week."""
    tags, week = _tags(site, profile), profile.week
    edges = periods.edges_ms(days[0], days[-1] + timedelta(days=1), "hour", zone)
    for time_ms in edges[:-1].tolist():
        local = datetime.fromtimestamp(time_ms / 1000, zone)
        at = local.weekday(), local.hour
        fields = {
            "low": float(week.low[at]),
            "median": float(week.median[at]),
            "high": float(week.high[at]),
        }
        point = schema.point(schema.WEEK_PROFILE, tags, fields, time_ms)
        if point is not None:
            yield point


def _tags(site: str, profile: LoadProfile) -> dict[str, str]:
    return {
        "site": site,
        "kind": profile.subject.kind,
        "scope": profile.subject.id,
        "medium": profile.medium,
    }
