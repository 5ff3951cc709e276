"""Read stored consumption, indicators and quotas for the signals of hours, days and indicators.

Law: a value that is not stored is NaN, with coverage 0.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Final, Literal

import msgspec
import numpy as np

from analytics import periods
from analytics.alerts.signals.indicator_days import VERDICTS
from analytics.alerts.signals.meter_balance import DayBalance
from analytics.calendar.hour_grid import HourConsumption, HourGrid
from analytics.figures.site_consumption import align_to_grid
from analytics.periods import Period
from analytics.pipeline.consumption_store import ConsumptionStore
from jieneng.metering import schema
from jieneng.metering.quantities import CONSUMPTION, Medium
from jieneng.metering.site import Site
from jieneng.storage import Store

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from analytics.periods import Interval

#: Series of indicators for which plans have targets: carbon with fixed factors, not current ones.
_PLANNED_SERIES: Final = frozenset((schema.NO_SERIES, "fixed"))
_SPREADS: Final = (schema.SPREAD_START, schema.SPREAD_END)


class IndicatorDays(msgspec.Struct, frozen=True):
    """Indicators of the year so far, by local day, shape (m, d) each. The coverage is of the month.

    Attributes:
        keys: scope and indicator of each row, shape (m,).
        values: values.
        paths: values of the glide path.
        coverage: least coverage of all series, 0 to 1.
        has_verdict: True where the status is a verdict.
    """

    keys: tuple[tuple[str, str], ...]
    values: "NDArray[np.float64]"
    paths: "NDArray[np.float64]"
    coverage: "NDArray[np.float64]"
    has_verdict: "NDArray[np.bool_]"


class StoredSeries:
    """The stored consumption and indicators of a site.

    Args:
        site: the site.
        store: the store, prepared.
    """

    def __init__(self, site: Site, store: Store) -> None:
        self._site = site
        self._store = store
        self._stored = ConsumptionStore(site, store)

    async def hours(
        self,
        grid: HourGrid,
        kind: Literal["meter", "area"],
        rows: Sequence[tuple[str, Medium]],
    ) -> HourConsumption:
        """Return the stored consumption by hour.

        Args:
            grid: the hours.
            kind: kind of the scopes.
            rows: id and medium of each scope.
        """
        amounts, coverage = await self._consumption(grid.edges_ms, kind, "hour", rows)
        return HourConsumption(grid, amounts, coverage[schema.COVERAGE])

    async def balance(
        self, start: date, end: date, rows: Sequence[tuple[str, Medium]]
    ) -> DayBalance:
        """Return consumption and rest of meters by day, from `start` up to `end`."""
        edges = periods.edges_ms(start, end, "day", self._site.zone)
        amounts, of_meters = await self._consumption(edges, "meter", "day", rows)
        rests, of_rests = await self._consumption(edges, "rest", "day", rows)
        return DayBalance(
            amounts,
            rests,
            np.minimum(of_meters[schema.COVERAGE], of_rests[schema.COVERAGE]),
            np.minimum(of_meters[schema.BOUNDED], of_rests[schema.BOUNDED]),
            of_rests[schema.SPREAD_START],
            of_rests[schema.SPREAD_END],
        )

    async def _consumption(
        self,
        edges_ms: "NDArray[np.int64]",
        kind: str,
        interval: "Interval",
        rows: Sequence[tuple[str, Medium]],
    ) -> "tuple[NDArray[np.float64], dict[str, NDArray[np.float64]]]":
        """Return amounts and further fields by name, shape (rows, intervals) each.

        Shares of time are 0 where nothing is stored, other fields NaN.
        """
        numbers = {row: number for number, row in enumerate(rows)}
        shape = len(rows), len(edges_ms) - 1
        amounts = np.full(shape, np.nan)
        fields = {schema.COVERAGE: np.zeros(shape)}
        if interval == "day":
            fields[schema.BOUNDED] = np.zeros(shape)
            fields |= {name: np.full(shape, np.nan) for name in _SPREADS}
        for medium in dict.fromkeys(medium for _, medium in rows):
            stored = await self._stored.aligned_rows(
                edges_ms,
                (CONSUMPTION[medium], *fields),
                kind=kind,
                medium=medium,
                interval=interval,
            )
            for (scope, field), row in stored.items():
                number = numbers.get((scope, medium))
                if number is not None:
                    is_known = np.isfinite(row)
                    fields.get(field, amounts)[number, is_known] = row[is_known]
        return amounts, fields

    async def indicators(self, start: date, end: date) -> IndicatorDays:
        """Return indicators on the days from `start` up to `end`.

        Value, path and verdict are of the year so far. The coverage is of the month so far: if a
        site begins in November, its coverage of the year stays low until the end of the year.
        """
        edges = periods.edges_ms(start, end, "day", self._site.zone)
        found: dict[str, dict[tuple[str, str], NDArray[np.float64]]] = {}
        for field in ("value", "path", schema.COVERAGE, "status"):
            rows = found.setdefault(field, {})
            form = "%Y-%m" if field == schema.COVERAGE else "%Y"
            for period in sorted({f"{day:{form}}" for day in periods.days(start, end)}):
                for tags, row in await self._of_period(field, periods.parse(period), edges):
                    key = tags["scope"], tags["indicator"]
                    if field == schema.COVERAGE:
                        rows[key] = np.fmin(rows.get(key, row), row)
                    elif tags["series"] in _PLANNED_SERIES:
                        rows[key] = np.fmax(rows.get(key, row), row)
        keys = tuple(sorted(found[schema.COVERAGE].keys() | found["value"].keys()))
        unknown = np.full(len(edges) - 1, np.nan)

        def table(field: str) -> "NDArray[np.float64]":
            rows = [found[field].get(key, unknown) for key in keys]
            return np.array(rows).reshape(len(keys), len(unknown))

        return IndicatorDays(
            keys,
            table("value"),
            table("path"),
            table(schema.COVERAGE),
            table("status") == 1.0,
        )

    async def annual_quotas(
        self, field: str, start: date, end: date
    ) -> "dict[tuple[str, str], list[NDArray[np.float64]]]":
        """Return a field of annual quotas on the days from `start` up to `end`.

        Returns:
            A row of shape (days,) for each quota, by scope and indicator. A day has the value of
            its own year; NaN where nothing is stored.
        """
        edges = periods.edges_ms(start, end, "day", self._site.zone)
        rows: dict[tuple[str, str, str], NDArray[np.float64]] = {}
        for year in range(start.year, end.year + 1):
            for one in await self._store.read(
                schema.ANNUAL_QUOTA,
                field,
                where={"site": self._site.id, "period": f"{year:04}"},
                start_ms=int(edges[0]),
                end_ms=int(edges[-1]),
            ):
                key = one.tags["scope"], one.tags["indicator"], one.tags["quota"]
                row = align_to_grid(one.times_ms, one.values, edges)
                rows[key] = np.fmax(rows.get(key, row), row)
        found: dict[tuple[str, str], list[NDArray[np.float64]]] = {}
        for (scope, indicator, _), row in rows.items():
            found.setdefault((scope, indicator), []).append(row)
        return found

    async def _of_period(
        self, field: str, period: Period, edges_ms: "NDArray[np.int64]"
    ) -> "list[tuple[Mapping[str, str], NDArray[np.float64]]]":
        """Return a field of the indicators of a period, by day; the status as 1 for a verdict."""
        zone = self._site.zone
        start_ms = max(int(edges_ms[0]), periods.midnight_ms(period.start, zone))
        end_ms = min(int(edges_ms[-1]), periods.midnight_ms(period.end, zone))
        where = {"site": self._site.id, "period": period.id}
        if field != "status":
            return [
                (one.tags, align_to_grid(one.times_ms, one.values, edges_ms))
                for one in await self._store.read(
                    schema.INDICATOR, field, where=where, start_ms=start_ms, end_ms=end_ms
                )
            ]
        return [
            (one.tags, _verdicts(one.values, edges_ms))
            for one in await self._store.read_text(
                schema.INDICATOR, field, where=where, start_ms=start_ms, end_ms=end_ms
            )
        ]


def _verdicts(texts: Mapping[int, str], edges_ms: "NDArray[np.int64]") -> "NDArray[np.float64]":
    """Return 1 for each day whose status is a verdict, 0 for another status, NaN for none."""
    times = np.array(list(texts), dtype=np.int64)
    values = np.array([float(text in VERDICTS) for text in texts.values()])
    return align_to_grid(times, values, edges_ms)
