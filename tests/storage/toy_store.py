"""A third store, in memory: an example of a new store, with one module and one row.

This module is a pytest plugin (`-p tests.storage.toy_store`). It adds its row to the registry
before the contract test is collected, and has the fixtures that the contract test asks for.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from jieneng.metering.errors import StoreUnavailable
from jieneng.metering.schema import Point, Value
from jieneng.storage import (
    STORES,
    RejectedPoint,
    Series,
    SeriesColumns,
    SeriesSpan,
    StoreRow,
    StoreSettings,
    TextSeries,
    Where,
    WriteResult,
)
from jieneng.storage.point_rules import rejection_reason
from jieneng.storage.store import INVALID, has_tags, write_result
from tests.storage.point_counts import point_counts

SeriesKey = tuple[str, tuple[tuple[str, str], ...]]  # measurement and tags
#: The "server": fields by time, by series, by path.
_MEMORY: dict[Path, dict[SeriesKey, dict[int, dict[str, Value]]]] = {}


def open_store(settings: StoreSettings, folder: Path) -> "ToyStore":
    return ToyStore(folder / settings.path)


class ToyStore:
    """A `Store` that lasts as long as the process."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def prepare(self) -> None:
        self._series()

    async def write(self, points: Sequence[Point]) -> WriteResult:
        series, rejected = self._series(), list[RejectedPoint]()
        for index, point in enumerate(points):
            if reason := rejection_reason(point):
                rejected.append(RejectedPoint(index, point, INVALID, reason))
            else:
                rows = series[point.measurement, point.tags]
                rows.setdefault(point.time_ms, {}).update(point.fields)
        return write_result(len(points), rejected)

    async def write_columns(self, measurement: str, series: Sequence[SeriesColumns]) -> WriteResult:
        return await self.write([point for one in series for point in one.points(measurement)])

    async def read(
        self,
        measurement: str,
        field: str,
        *,
        where: Where,
        start_ms: int,
        end_ms: int,
    ) -> list[Series]:
        span = {"start_ms": start_ms, "end_ms": end_ms}
        found = await self.read_columns(measurement, [field], where=where, **span)
        return [Series(one.tags, one.times_ms, one.columns[field]) for one in found]

    async def read_columns(
        self,
        measurement: str,
        fields: Sequence[str],
        *,
        where: Where,
        start_ms: int,
        end_ms: int,
    ) -> list[SeriesColumns]:
        found = []
        for tags, rows in self._matching_series(measurement, where):
            times = sorted(
                time_ms
                for time_ms, row in rows.items()
                if start_ms <= time_ms < end_ms and not row.keys().isdisjoint(fields)
            )
            columns = {
                field: np.asarray([rows[time_ms].get(field, np.nan) for time_ms in times])
                for field in fields
            }
            if times:
                found.append(SeriesColumns(tags, np.asarray(times, dtype=np.int64), columns))
        return found

    async def read_text(
        self,
        measurement: str,
        field: str,
        *,
        where: Where,
        start_ms: int,
        end_ms: int,
    ) -> list[TextSeries]:
        found = [
            TextSeries(
                tags,
                {
                    time_ms: str(row[field])
                    for time_ms, row in sorted(rows.items())
                    if field in row and start_ms <= time_ms < end_ms
                },
            )
            for tags, rows in self._matching_series(measurement, where)
        ]
        return [series for series in found if series.values]

    async def count(
        self,
        measurement: str,
        field: str,
        *,
        where: Where,
        start_ms: int,
        end_ms: int,
        step_ms: int,
    ) -> list[Series]:
        found = await self.read(measurement, field, where=where, start_ms=start_ms, end_ms=end_ms)
        return [point_counts(series, start_ms, step_ms) for series in found]

    async def span(
        self, measurement: str, *, where: Where, field: str | None = None
    ) -> tuple[int, int] | None:
        found = await self.spans(measurement, where=where, field=field)
        if not found:
            return None
        return min(one.first_ms for one in found), max(one.last_ms for one in found)

    async def spans(
        self, measurement: str, *, where: Where, field: str | None = None
    ) -> list[SeriesSpan]:
        found = []
        for tags, rows in self._matching_series(measurement, where):
            times = [t for t, fields in rows.items() if field is None or field in fields]
            if times:
                found.append(SeriesSpan(tags, min(times), max(times)))
        return found

    async def delete(
        self, measurement: str, *, where: Mapping[str, str], start_ms: int, end_ms: int
    ) -> None:
        for _, rows in self._matching_series(measurement, where):
            for time_ms in [time_ms for time_ms in rows if start_ms <= time_ms < end_ms]:
                del rows[time_ms]

    async def retention_s(self) -> float | None:
        """Return None: points are kept without end."""
        return None

    async def close(self) -> None:
        return

    def _series(self) -> dict[SeriesKey, dict[int, dict[str, Value]]]:
        if not self._path.parent.is_dir():
            raise StoreUnavailable("there is no folder for {path}", path=self._path)
        return _MEMORY.setdefault(self._path, defaultdict(dict))

    def _matching_series(
        self, measurement: str, where: Where
    ) -> Iterator[tuple[dict[str, str], dict[int, dict[str, Value]]]]:
        for (name, tags), rows in self._series().items():
            if name == measurement and has_tags(dict(tags), where):
                yield dict(tags), rows


def pytest_configure() -> None:
    """Add the row. Called by pytest where this module is a plugin."""
    STORES["toy"] = StoreRow(module=__name__)


@pytest.fixture
def toy_settings() -> StoreSettings:
    return StoreSettings(kind="toy", path="toy")


@pytest.fixture
def toy_unreachable_settings(tmp_path: Path) -> StoreSettings:
    (tmp_path / "file").touch()
    return StoreSettings(kind="toy", path="file/toy")
