"""Read and write the findings about the registers of a site, in the measurement `finding`.

Laws:

1. All findings with the same code, meter and local day are one point. Its time is the start of the
   first of them.
2. Within a window of local days, a meter's findings are rewritten as a whole: stored findings that
   no longer exist are deleted. A finding belongs to the window in which it begins.
3. Findings from the comparison with the whole past (`FindingKind.of_past`) are rewritten
   separately, for the whole history.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from typing import Final, TypeAlias

from analytics import periods
from analytics.counters.register_finding import RegisterFinding, merged
from analytics.pipeline.store_points import finding_point
from jieneng.metering import schema
from jieneng.metering.findings import KINDS, Finding
from jieneng.metering.schema import Point
from jieneng.metering.site import Site
from jieneng.observe import log
from jieneng.storage import Store

#: Key of a point: (meter, code, time [UTC, ms]).
_Key: TypeAlias = tuple[str, str, int]
#: Fields of stored points, by key.
StoredFindings: TypeAlias = Mapping[_Key, Mapping[str, float]]

#: Time before all findings [UTC, ms].
_BEGIN_MS: Final = 0


class FindingStore:
    """The stored findings of a site.

    Args:
        site: the site.
        store: the store, prepared.
    """

    def __init__(self, site: Site, store: Store) -> None:
        self._site = site
        self._store = store
        self._log = log("analytics")

    async def overlapping(self, start_ms: int, end_ms: int) -> tuple[RegisterFinding, ...]:
        """Return the findings whose time spans overlap `start_ms` to `end_ms`, in order of time."""
        stored = await self.stored(_BEGIN_MS, end_ms)
        found = [_register_finding(key, fields) for key, fields in stored.items()]
        concerned = [one for one in found if one.until_ms > start_ms or one.first_ms >= start_ms]
        return tuple(sorted(concerned, key=_order))

    async def stored(
        self, start_ms: int, end_ms: int, **where: str | tuple[str, ...]
    ) -> StoredFindings:
        """Return the points of the findings that begin in a window.

        Args:
            start_ms: start of the window [UTC, ms].
            end_ms: end of the window [UTC, ms], not included.
            where: further tags that the series must have.
        """
        tags = {"site": self._site.id, **where}
        span = {"start_ms": start_ms, "end_ms": end_ms}
        ends = await self._store.read(schema.FINDING, schema.UNTIL_MS, where=tags, **span)
        if not ends:
            return {}
        fields = [schema.UNTIL_MS, *_fields_of({series.tags["code"] for series in ends})]
        points: dict[_Key, dict[str, float]] = {}
        for series in await self._store.read_columns(schema.FINDING, fields, where=tags, **span):
            meter, code = series.tags["scope"], series.tags["code"]
            for point in series.points(schema.FINDING):
                points[meter, code, point.time_ms] = dict(point.fields)  # type: ignore[arg-type]  # no text
        return points

    async def rewrite(
        self,
        found: Mapping[str, Iterable[RegisterFinding]],
        window: tuple[int, int],
        stored: StoredFindings,
        *,
        of_past: bool = False,
    ) -> list[RegisterFinding]:
        """Write the findings that begin in a window, and delete stored ones that no longer exist.

        Args:
            found: findings about meters, by the id of the meter; they may include findings outside
                the window.
            window: start and end of the window of local days [UTC, ms].
            stored: result of `stored` for the window.
            of_past: True for findings from the comparison with the whole past, False for all
                others.

        Returns:
            The findings of the window, by meter, code and local day.
        """
        old = _by_meter(stored, of_past=of_past)
        daily: list[RegisterFinding] = []
        changed: list[Point] = []
        for meter, of_meter in found.items():
            of_days = self._by_day(of_meter, window)
            daily += of_days
            points = self._points(meter, of_days)
            changed += await self._replace(meter, points, old.get(meter, {}))
        if changed:
            result = await self._store.write(changed)
            for rejected in result.not_stored:
                self._log.error("refused", series=rejected.point.tags, reason=rejected.reason)
        return daily

    async def _replace(
        self, meter: str, points: Mapping[_Key, Point], old: StoredFindings
    ) -> list[Point]:
        """Delete a meter's stored points that no longer exist; return those to write."""
        # Delete changed points first: writing a point again would keep its old fields.
        is_stale = {
            key: key not in points or not set(fields) <= set(points[key].names)
            for key, fields in old.items()
        }
        for code, first_ms, last_ms in _stale_runs(is_stale):
            await self._store.delete(
                schema.FINDING,
                where={"site": self._site.id, "scope": meter, "code": code},
                start_ms=first_ms,
                end_ms=last_ms + 1,
            )
        return [
            point
            for key, point in points.items()
            if is_stale.get(key, True) or old[key] != dict(point.fields)
        ]

    def outdated_days(
        self,
        found: Mapping[str, Iterable[RegisterFinding]],
        window: tuple[int, int],
        stored: StoredFindings,
    ) -> set[date]:
        """Return the local days whose stored findings differ from `found`; see `rewrite`."""
        days: set[date] = set()
        by_meter = _by_meter(stored, of_past=False)
        for meter, of_meter in found.items():
            points = self._points(meter, self._by_day(of_meter, window))
            new = {key: dict(point.fields) for key, point in points.items()}
            old = by_meter.get(meter, {})
            days |= {
                periods.local_day(key[2], self._site.zone)
                for key in new.keys() | old.keys()
                if new.get(key) != old.get(key)
            }
        return days

    def _by_day(
        self, found: Iterable[RegisterFinding], window: tuple[int, int]
    ) -> list[RegisterFinding]:
        """Return the findings that begin in a window, merged by code and local day."""
        days: dict[tuple[str, date], list[RegisterFinding]] = {}
        for one in sorted(found, key=_order):
            if window[0] <= one.first_ms < window[1]:
                day = periods.local_day(one.first_ms, self._site.zone)
                days.setdefault((one.finding.code, day), []).append(one)
        return [merged(of_day) for of_day in days.values()]

    def _points(self, meter: str, daily: Iterable[RegisterFinding]) -> dict[_Key, Point]:
        return {
            (meter, one.finding.code, one.first_ms): finding_point(self._site.id, one)
            for one in daily
        }


def _by_meter(stored: StoredFindings, *, of_past: bool) -> Mapping[str, StoredFindings]:
    """Return stored findings by meter: those by comparison with its past, or all others."""
    past_codes = {code for code, kind in KINDS.items() if kind.of_past}
    found: dict[str, dict[_Key, Mapping[str, float]]] = {}
    for key, fields in stored.items():
        if (key[1] in past_codes) == of_past:
            found.setdefault(key[0], {})[key] = fields
    return found


def _stale_runs(is_stale: Mapping[_Key, bool]) -> Iterator[tuple[str, int, int]]:
    """Yield (code, first time, last time) of each sequence of stale points without other points."""
    run: tuple[str, int, int] | None = None
    for key in sorted(is_stale):
        _, code, time_ms = key
        if run is not None and (run[0] != code or not is_stale[key]):
            yield run
            run = None
        if is_stale[key]:
            run = (code, time_ms if run is None else run[1], time_ms)
    if run is not None:
        yield run


def _order(one: RegisterFinding) -> tuple[int, str, str]:
    return one.first_ms, one.finding.subject, one.finding.code


def _fields_of(codes: Iterable[str]) -> list[str]:
    """Return the fields that points with the given codes can have, without the end time."""
    named = {name for code in codes if code in KINDS for name in KINDS[code].value_names}
    return sorted((named | {schema.DOUBT, schema.COUNT}) - {schema.UNTIL_MS})


def _register_finding(key: _Key, fields: Mapping[str, float]) -> RegisterFinding:
    meter, code, first_ms = key
    own = (schema.UNTIL_MS, schema.DOUBT, schema.COUNT)
    values = {name: value for name, value in fields.items() if name not in own}
    return RegisterFinding(
        Finding.of(code, meter, **values),
        first_ms,
        int(fields[schema.UNTIL_MS]),
        fields.get(schema.DOUBT, math.nan),
        int(fields.get(schema.COUNT, 1)),
    )
