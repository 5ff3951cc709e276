"""Read and write the states of alerts, the marks that people make, and the rounds of each copy.

Laws:

1. `states` reads only a short window before the last write. The window contains each state that is
   not forgotten yet, because the service writes a firing alert each minute, and the others each
   half hour.
2. A point is written again until the store has it. All points of a round have the time of the
   round.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Literal

import msgspec

from analytics.alerts.alert import Alert, AlertMark
from analytics.pipeline.alerting import alert_points
from jieneng.metering import schema
from jieneng.metering.errors import StoreUnavailable
from jieneng.metering.schema import Point, Value
from jieneng.observe import log
from jieneng.storage import Store

#: Interval of the points of a firing alert [ms].
HEARTBEAT_MS: Final = 60_000
#: Interval of the points of an alert that does not fire and is not forgotten yet [ms].
REMEMBER_MS: Final = 30 * 60_000
#: Time after the end of the last episode after which a state is forgotten [ms].
FORGET_MS: Final = 40 * 86_400_000

#: Window before the last point in which each alert has a point [ms], with a margin for late rounds.
_WINDOW_MS: Final = 2 * REMEMBER_MS + 60 * 60_000
#: Greatest expected difference between the clocks of two machines [ms].
_CLOCK_ERROR_MS: Final = 3_600_000
#: A mark is forgotten after this time [ms].
_MARKS_MS: Final = 400 * 86_400_000

#: Identifies a series: names and values of its tags, without the site.
_Series = tuple[tuple[str, str], ...]


class Round(msgspec.Struct, frozen=True, kw_only=True):
    """Record of a pass of a copy of the service over all rules: a point of `alert_round`.

    Attributes:
        copy: id of the copy.
        at_ms: time of the round [UTC, ms].
        is_holder: True if the copy claims the lead (`analytics.alerts.lead`).
        watched: number of pairs of a rule and a subject.
        firing: number of alerts that fire.
        duration_s: duration of the round [s].
    """

    copy: str
    at_ms: int
    is_holder: bool
    watched: int = 0
    firing: int = 0
    duration_s: float = 0.0


class AlertStore:
    """The alerts of a site in the store.

    Args:
        site: id of the site.
        store: the store.
    """

    def __init__(self, site: str, store: Store) -> None:
        self._site = site
        self._store = store
        self._log = log("analytics")
        self._marks: dict[_Series, AlertMark] = {}
        self._marks_read_ms = 0

    async def states(self, now_ms: int) -> dict[str, Alert]:
        """Return the last state of each alert that is not forgotten yet, by `Alert.key`."""
        span = await self._store.span(schema.ALERT, where={"site": self._site}, field="phase")
        if span is None or span[1] < now_ms - FORGET_MS:
            return {}
        last_ms = min(span[1], now_ms)
        found = await self._states_between(last_ms - _WINDOW_MS, now_ms + 1)
        if not found:  # the clock was set back, so the last point lies in the future
            found = await self._states_between(now_ms - FORGET_MS, now_ms + 1)
        return found

    async def write_states(self, alerts: Iterable[Alert], now_ms: int) -> None:
        """Write the states of alerts at a time."""
        await self._write([alert_points.alert_point(self._site, one, now_ms) for one in alerts])

    async def write_episodes(self, episodes: Iterable[Alert]) -> None:
        """Write ended episodes."""
        points = [alert_points.episode_point(self._site, one) for one in episodes]
        if points:
            await self._write(points)

    async def rounds(self, start_ms: int, end_ms: int) -> dict[str, Round]:
        """Return the last round of each copy in `start_ms <= time < end_ms`, by copy."""
        found = await self._store.read(
            schema.ALERT_ROUND,
            "holder",
            where={"site": self._site},
            start_ms=start_ms,
            end_ms=end_ms,
        )
        return {
            series.tags["copy"]: Round(
                copy=series.tags["copy"],
                at_ms=int(series.times_ms[-1]),
                is_holder=bool(series.values[-1]),
            )
            for series in found
        }

    async def last_evaluation_ms(self) -> int:
        """Return the time of the last round in which a copy evaluated rules [UTC, ms]; 0 if none.

        A round in which a copy only claims the lead evaluates no rule.
        """
        where = {"site": self._site}
        span = await self._store.span(schema.ALERT_ROUND, where=where, field="watched")
        if span is None:
            return 0
        found = await self._store.read(
            schema.ALERT_ROUND,
            "watched",
            where=where,
            start_ms=span[1] - _CLOCK_ERROR_MS,
            end_ms=span[1] + 1,
        )
        return max(
            (
                int(series.times_ms[series.values > 0][-1])
                for series in found
                if series.values.any()
            ),
            default=0,
        )

    async def write_round(self, done: Round) -> None:
        """Write a round."""
        point = Point.of(
            schema.ALERT_ROUND,
            (("copy", done.copy), ("site", self._site)),
            (
                ("holder", float(done.is_holder)),
                ("watched", float(done.watched)),
                ("firing", float(done.firing)),
                ("duration_s", done.duration_s),
            ),
            done.at_ms,
        )
        await self._write([point])

    async def marks(self, now_ms: int) -> tuple[AlertMark, ...]:
        """Return the last mark of each kind, rule, subject and person."""
        start_ms = max(self._marks_read_ms - _CLOCK_ERROR_MS, now_ms - _MARKS_MS)
        for series, time_ms, fields in await self._last_points(
            schema.ALERT_MARK,
            (schema.UNTIL_MS,),
            "reason",
            (start_ms, now_ms + _CLOCK_ERROR_MS),
        ):
            self._marks[series] = _mark(dict(series), time_ms, fields)
        self._marks_read_ms = now_ms
        return tuple(self._marks.values())

    async def write_mark(self, mark: AlertMark) -> None:
        """Write a mark."""
        point = schema.point(
            schema.ALERT_MARK,
            {
                "site": self._site,
                "rule": mark.rule,
                "subject": mark.subject,
                "kind": mark.kind,
                "by": mark.by,
            },
            {schema.UNTIL_MS: float(mark.until_ms), "reason": mark.reason or None},
            mark.at_ms,
        )
        assert point is not None  # noqa: S101 - it has `until_ms`
        await self._write([point])

    async def _states_between(self, start_ms: int, end_ms: int) -> dict[str, Alert]:
        found: dict[str, tuple[int, Alert]] = {}
        for series, time_ms, fields in await self._last_points(
            schema.ALERT, alert_points.NUMBER_FIELDS, alert_points.FIRES, (start_ms, end_ms)
        ):
            alert = alert_points.alert_from_fields(dict(series), fields)
            # The severity of a rule is a tag: its change begins another series.
            if alert.key not in found or found[alert.key][0] < time_ms:
                found[alert.key] = (time_ms, alert)
        return {key: alert for key, (_, alert) in found.items()}

    async def _last_points(
        self, measurement: str, numbers: Sequence[str], text: str, window: tuple[int, int]
    ) -> list[tuple[_Series, int, Mapping[str, Value]]]:
        """Return tags, time and fields of the last point of each series in a window.

        Each point has a value of the first field.
        """
        span: dict[Literal["start_ms", "end_ms"], int] = {
            "start_ms": window[0],
            "end_ms": window[1],
        }
        where = {"site": self._site}
        points: dict[_Series, tuple[int, dict[str, Value]]] = {}
        for name in numbers:
            for series in await self._store.read(measurement, name, where=where, **span):
                key = _key(series.tags)
                if name == numbers[0]:
                    points[key] = (int(series.times_ms[-1]), {})
                elif key not in points:
                    continue  # another copy wrote this series in the meantime
                time_ms, fields = points[key]
                at = int(series.times_ms.searchsorted(time_ms))
                if at < len(series.times_ms) and series.times_ms[at] == time_ms:
                    fields[name] = float(series.values[at])
        for texts in await self._store.read_text(measurement, text, where=where, **span):
            time_ms, fields = points.get(_key(texts.tags), (0, {}))
            if time_ms in texts.values:
                fields[text] = texts.values[time_ms]
        return [(series, time_ms, fields) for series, (time_ms, fields) in points.items()]

    async def _write(self, points: Sequence[Point]) -> None:
        result = await self._store.write(points)
        for refused in result.rejected:
            self._log.error("refused", series=dict(refused.point.tags), reason=refused.reason)
        for unclear in result.unclear:
            raise StoreUnavailable(
                "the database did not store {series}: {reason}.",
                series=dict(unclear.point.tags),
                reason=unclear.reason,
            )


def _key(tags: Mapping[str, str]) -> _Series:
    return tuple(sorted((name, value) for name, value in tags.items() if name != "site"))


def _mark(tags: Mapping[str, str], time_ms: int, fields: Mapping[str, Value]) -> AlertMark:
    return msgspec.convert(
        {
            **{name: tags[name] for name in ("kind", "rule", "subject", "by")},
            "at_ms": time_ms,
            "until_ms": int(float(fields[schema.UNTIL_MS])),
            "reason": str(fields.get("reason", "")),
        },
        AlertMark,
    )
