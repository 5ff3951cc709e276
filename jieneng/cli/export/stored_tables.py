"""Read the store as tables, month by month, for an export.

Laws:

1. The memory needed is limited: a month of one meter's readings, or a month of all consumption.
2. Unknown values are None. Times are UTC milliseconds.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

import msgspec

from jieneng.metering import schema
from jieneng.metering.quantities import QUANTITIES
from jieneng.metering.reading import Quality
from jieneng.metering.site import Meter, Site
from jieneng.storage import Series, Store

What = Literal["readings", "intervals", "consumption", "indicators"]
#: Type of a column: a time [UTC, ms], a text, or a number.
ColumnKind = Literal["time", "text", "number"]
#: A row of a table.
ExportRow: TypeAlias = tuple[int | str | float | None, ...]

_DAY_MS: Final = 86_400_000
#: Length of a window [days].
_WINDOW_DAYS: Final = 31
#: Fields of a figure that are numbers.
_FIGURE_FIELDS: Final = tuple(sorted(schema.FIELDS[schema.INDICATOR] - schema.TEXT_FIELDS))
_CONSUMPTION_FIELDS: Final = tuple(sorted(schema.FIELDS[schema.CONSUMPTION]))


class ExportQuery(msgspec.Struct, frozen=True, kw_only=True):
    """The rows to export.

    Attributes:
        site: the site.
        start_ms: start of the time span [UTC, ms]; None for the first point.
        end_ms: end of the time span, not included [UTC, ms]; None for the last point.
        meters: ids of meters, or of scopes of consumption and figures; empty for all.
    """

    site: Site
    start_ms: int | None
    end_ms: int | None
    meters: tuple[str, ...]

    def wants(self, scope: str) -> bool:
        """Return True if a meter or scope is to be exported."""
        return not self.meters or scope in self.meters


class StoredTable(msgspec.Struct, frozen=True):
    """A table of an export.

    Attributes:
        columns: names and types of its columns.
        rows: function that yields portions of rows.
    """

    columns: Mapping[str, ColumnKind]
    rows: Callable[[ExportQuery, Store], AsyncIterator[list[ExportRow]]]


async def _reading_rows(query: ExportQuery, store: Store) -> AsyncIterator[list[ExportRow]]:
    """Yield readings: time, meter, quantity, value, quality, and if it was estimated."""
    for meter in _meters(query):
        fields = [name for name in QUANTITIES if name in schema.FIELDS[meter.medium]]
        async for span in _windows(query, store, meter.medium, meter):
            quality = await _by_time(store, query, meter.medium, schema.QUALITY, meter, span)
            for field in fields:
                values = await _by_time(store, query, meter.medium, field, meter, span)
                if values:
                    yield [
                        (time_ms, meter.id, field, value, flags, _is_estimated(flags))
                        for time_ms, value in values.items()
                        for flags in (quality.get(time_ms),)
                    ]


async def _interval_rows(query: ExportQuery, store: Store) -> AsyncIterator[list[ExportRow]]:
    """Yield imported intervals: start, end, meter, quantity, value, and if it was estimated."""
    fields = [name for name in QUANTITIES if name in schema.FIELDS[schema.INTERVAL]]
    for meter in _meters(query):
        async for span in _windows(query, store, schema.INTERVAL, meter):
            of_interval = (store, query, schema.INTERVAL)
            lengths_s = await _by_time(*of_interval, schema.INTERVAL_S, meter, span)
            quality = await _by_time(*of_interval, schema.QUALITY, meter, span)
            for field in fields:
                values = await _by_time(*of_interval, field, meter, span)
                found: list[ExportRow] = [
                    (
                        start_ms,
                        start_ms + round(lengths_s[start_ms] * 1000),
                        meter.id,
                        field,
                        value,
                        _is_estimated(quality.get(start_ms)),
                    )
                    for start_ms, value in values.items()
                    if start_ms in lengths_s
                ]
                if found:
                    yield found


def _is_estimated(quality: float | None) -> int:
    """Return 1 if a value was marked as estimated in its imported file; otherwise 0."""
    return int(quality is not None and bool(int(quality) & Quality.ESTIMATED))


async def _consumption_rows(query: ExportQuery, store: Store) -> AsyncIterator[list[ExportRow]]:
    """Yield the consumption that the analytics computed."""
    tags = ("kind", "scope", "medium", "interval")
    async for rows in _tagged_rows(query, store, schema.CONSUMPTION, tags, _CONSUMPTION_FIELDS):
        yield rows


async def _indicator_rows(query: ExportQuery, store: Store) -> AsyncIterator[list[ExportRow]]:
    """Yield the indicators that the analytics published."""
    tags = ("scope", "indicator", "period", "series")
    async for rows in _tagged_rows(query, store, schema.INDICATOR, tags, _FIGURE_FIELDS):
        yield rows


async def _tagged_rows(
    query: ExportQuery,
    store: Store,
    measurement: str,
    tags: Sequence[str],
    fields: Sequence[str],
) -> AsyncIterator[list[ExportRow]]:
    """Yield the points of a measurement, each as a row with time, tags and fields."""
    async for start_ms, end_ms in _windows(query, store, measurement, None):
        rows: dict[tuple[int, tuple[str, ...]], list[float | None]] = {}
        for place, field in enumerate(fields):
            for series in await store.read(
                measurement,
                field,
                where={"site": query.site.id},
                start_ms=start_ms,
                end_ms=end_ms,
            ):
                key = tuple(series.tags[tag] for tag in tags)
                if query.wants(series.tags["scope"]):
                    for time_ms, value in _pairs(series):
                        of_fields = rows.setdefault((time_ms, key), [None] * len(fields))
                        of_fields[place] = value
        if rows:
            yield [(time_ms, *key, *rows[time_ms, key]) for time_ms, key in sorted(rows)]


def _meters(query: ExportQuery) -> list[Meter]:
    return [meter for meter in query.site.meter if query.wants(meter.id)]


async def _by_time(
    store: Store,
    query: ExportQuery,
    measurement: str,
    field: str,
    meter: Meter,
    span: tuple[int, int],
) -> dict[int, float]:
    """Return the values of a meter's field by time, in order of time."""
    found = await store.read(
        measurement,
        field,
        where={"site": query.site.id, "meter": meter.id},
        start_ms=span[0],
        end_ms=span[1],
    )
    return dict(_pairs(found[0])) if found else {}


def _pairs(series: Series) -> "zip[tuple[int, float]]":
    return zip(series.times_ms.tolist(), series.values.tolist(), strict=True)


async def _windows(
    query: ExportQuery, store: Store, measurement: str, meter: Meter | None
) -> AsyncIterator[tuple[int, int]]:
    """Yield the windows into which the time span of stored points is divided."""
    where = {"site": query.site.id} | ({} if meter is None else {"meter": meter.id})
    span = await store.span(measurement, where=where)
    if span is None:
        return
    start_ms = span[0] if query.start_ms is None else max(span[0], query.start_ms)
    end_ms = span[1] + 1 if query.end_ms is None else min(span[1] + 1, query.end_ms)
    while start_ms < end_ms:
        until_ms = min(start_ms + _WINDOW_DAYS * _DAY_MS, end_ms)
        yield start_ms, until_ms
        start_ms = until_ms


def local_midnight_ms(day: date, site: Site) -> int:
    """Return the start of a local day [UTC, ms]."""
    return round(datetime(day.year, day.month, day.day, tzinfo=site.zone).timestamp() * 1000)


def day_after(day: date) -> date:
    """Return the next day."""
    return day + timedelta(days=1)


TABLES: Final[Mapping[What, StoredTable]] = MappingProxyType(
    {
        "readings": StoredTable(
            {
                "time": "time",
                "meter": "text",
                "quantity": "text",
                "value": "number",
                "quality": "number",
                "estimated": "number",
            },
            _reading_rows,
        ),
        "intervals": StoredTable(
            {
                "start": "time",
                "end": "time",
                "meter": "text",
                "quantity": "text",
                "value": "number",
                "estimated": "number",
            },
            _interval_rows,
        ),
        "consumption": StoredTable(
            {
                "time": "time",
                "kind": "text",
                "scope": "text",
                "medium": "text",
                "interval": "text",
                **dict.fromkeys(_CONSUMPTION_FIELDS, "number"),
            },
            _consumption_rows,
        ),
        "indicators": StoredTable(
            {
                "time": "time",
                "scope": "text",
                "indicator": "text",
                "period": "text",
                "series": "text",
                **dict.fromkeys(_FIGURE_FIELDS, "number"),
            },
            _indicator_rows,
        ),
    }
)
