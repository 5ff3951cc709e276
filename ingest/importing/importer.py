"""Import a file of history into the store (`jieneng import readings`).

Laws:

1. A file is read twice. The first pass only checks it. Nothing is written if there is a problem,
   unless bad rows are skipped on request. So a file is imported completely or not at all.
2. Memory does not grow with the file. Rows are read one by one. All problems are counted, and the
   first ones are listed.
3. Importing a file again changes nothing, so an interrupted import can be repeated.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Final, TypeAlias

import msgspec

from ingest.importing.cells.cell import ProblemHandler
from ingest.importing.forms.row_parser import (
    FileLayout,
    ImportKind,
    ImportOptions,
    ImportSeries,
    ParsedValue,
    RowParser,
)
from ingest.importing.judging.series_check import ProblemList, SeriesCheck
from ingest.importing.reading import file_reader
from ingest.storing.late_days import LateDays
from jieneng.clock import Clock
from jieneng.metering.errors import Problem
from jieneng.metering.reading import Quality, Sample
from jieneng.metering.schema import INTERVAL, INTERVAL_S, Point, interval_ms, reading_point
from jieneng.site_folder import SiteFolder
from jieneng.storage import Store

#: Points per write.
_POINTS_PER_WRITE: Final = 10_000
#: Rows between two calls of progress.
_ROWS_PER_PROGRESS: Final = 2000

RowProgress: TypeAlias = Callable[[int], None]


class SeriesSummary(msgspec.Struct, frozen=True, kw_only=True):
    """The values of one quantity of one meter in a file.

    Attributes:
        meter: the meter's id.
        quantity: the quantity.
        values: number of values.
        missing: number of cells that were empty or marked as missing.
        first_ms: time of the first value, UTC.
        last_ms: time of the last value, UTC.
        interval_s: length of the intervals [s]; None for a register.
    """

    meter: str
    quantity: str
    values: int
    missing: int
    first_ms: int
    last_ms: int
    interval_s: float | None


class ImportReport(msgspec.Struct, frozen=True, kw_only=True):
    """The result of an import, or with `dry_run` of its check.

    Attributes:
        file: name of the file.
        kind: meaning of the values, register or interval.
        layout: layout of the file, long or wide.
        dry_run: True if the file was only checked.
        rows: number of lines below the header that are not blank.
        values: number of good values.
        missing: number of cells that were empty or marked as missing.
        written: number of points written.
        touched_ms: begin and end of the time whose consumption the written points may change [UTC,
            ms]; None if nothing was written.
        series: the file's series, by meter and quantity.
        problems: the first problems.
        problem_count: number of all problems.
    """

    file: str
    kind: ImportKind
    layout: FileLayout
    dry_run: bool
    rows: int
    values: int
    missing: int
    written: int
    touched_ms: tuple[int, int] | None
    series: tuple[SeriesSummary, ...]
    problems: tuple[Problem, ...]
    problem_count: int


async def import_readings(
    file: Path,
    folder: SiteFolder,
    store: Store,
    options: ImportOptions,
    progress: RowProgress,
    clock: Clock,
) -> ImportReport:
    """Check a file, and write its values to the store.

    Args:
        file: CSV, CSV in gzip, or XLSX.
        folder: the site.
        store: the store; need not be prepared.
        options: options for reading the file.
        progress: called repeatedly with the number of rows read in both passes.
        clock: tells which readings are late, so that their days are computed anew.

    Raises:
        UsageError: the file can't be opened.
        StoreUnavailable: the store failed. The import can be repeated.
    """
    problems = ProblemList(file.name)
    file_import = _FileImport(file, folder, options, problems, progress, clock)
    await file_import.check()
    may_write = not options.dry_run and (options.skip_bad or not problems.count)
    written = await file_import.write(store) if may_write else 0
    return file_import.report(written)


class _FileImport:
    """The import of one file."""

    def __init__(
        self,
        file: Path,
        folder: SiteFolder,
        options: ImportOptions,
        problems: ProblemList,
        progress: RowProgress,
        clock: Clock,
    ) -> None:
        self._file = file
        self._site = folder.site
        self._late_days = LateDays(folder.site, clock)
        self._options = options
        self._problems = problems
        self._progress = progress
        self._check = SeriesCheck(options, problems)
        self._intervals: dict[ImportSeries, float] = {}
        self._layout: FileLayout = "long"
        self._rows = 0
        self._rows_read = 0
        self._touched_ms: tuple[int, int] | None = None

    async def check(self) -> None:
        """Read the whole file without writing."""
        async with aclosing(self._parsed_lines(self._problems.add)) as lines:
            async for line, parsed_values in lines:
                self._rows += 1
                for parsed in parsed_values:
                    self._check.add(line, parsed)
        if self._options.kind == "interval":
            self._intervals = self._check.intervals()
        else:
            self._check.check_registers()
        if self._check.needs_second_pass:
            async with aclosing(self._parsed_lines(lambda _: None)) as lines:  # reported in `check`
                async for line, parsed_values in lines:
                    for parsed in parsed_values:
                        self._check.check_repeated(line, parsed)

    async def write(self, store: Store) -> int:
        """Read the file again, and write its good values. Return the number of points written."""
        written, points = 0, list[Point]()
        async with aclosing(self._parsed_lines(lambda _: None)) as lines:  # reported in `check`
            async for _, parsed_values in lines:
                points += filter(None, map(self._point, parsed_values))
                if len(points) >= _POINTS_PER_WRITE:
                    written += await self._write_points(store, points)
                    points = []
        return written + await self._write_points(store, points)

    def report(self, written: int) -> ImportReport:
        """Return the result."""
        with_values = [
            (series, statistics)
            for series, statistics in self._check.series.items()
            if statistics.values
        ]
        return ImportReport(
            file=self._file.name,
            kind=self._options.kind,
            layout=self._layout,
            dry_run=self._options.dry_run,
            rows=self._rows,
            values=sum(statistics.values for _, statistics in with_values),
            missing=sum(statistics.missing for statistics in self._check.series.values()),
            written=written,
            touched_ms=self._touched_ms,
            series=tuple(
                SeriesSummary(
                    meter=series.meter,
                    quantity=series.quantity,
                    values=statistics.values,
                    missing=statistics.missing,
                    first_ms=statistics.first_ms,
                    last_ms=statistics.last_ms,
                    interval_s=self._intervals.get(series),
                )
                for series, statistics in with_values
            ),
            problems=tuple(self._problems.listed),
            problem_count=self._problems.count,
        )

    async def _parsed_lines(
        self, on_problem: ProblemHandler
    ) -> AsyncGenerator[tuple[int, list[ParsedValue]], None]:
        """Yield (line number, values) of each line below the header that is not blank."""
        with file_reader.open_rows(self._file, self._options.sheet, on_problem) as rows:
            _, header = next(rows, (1, None))
            if header is None:  # the file is empty or unreadable, which was reported
                return
            parser = RowParser(header, self._site, self._options, on_problem)
            self._layout = parser.layout
            if not parser.has_values:
                return
            for line, row in rows:
                self._rows_read += 1
                if self._rows_read % _ROWS_PER_PROGRESS == 0:
                    self._progress(self._rows_read)
                    await asyncio.sleep(0)  # lets other tasks of the loop run
                if any(cell not in (None, "") for cell in row):
                    yield line, list(parser.parse(line, row))
        self._progress(self._rows_read)

    def _point(self, parsed: ParsedValue) -> Point | None:
        series, time_ms, value = parsed
        if value is None:
            return None
        if self._options.kind == "register":
            sample = Sample(series.meter, time_ms, Quality.MANUAL, (series.quantity,), (value,))
            return reading_point(self._site.id, series.medium, sample)
        interval_s = self._intervals.get(series)
        if interval_s is None:
            return None
        tags = (("meter", series.meter), ("site", self._site.id))
        fields = ((series.quantity, value), (INTERVAL_S, interval_s))
        return Point.of(INTERVAL, tags, fields, time_ms)

    async def _write_points(self, store: Store, points: list[Point]) -> int:
        if not points:
            return 0
        self._note_touched(points)
        marks = self._late_days.marks(points)
        result = await store.write([*points, *marks])
        refused = [one for one in result.not_stored if one.index < len(points)]
        for rejected in refused:
            self._problems.add(
                Problem(
                    text="the store refuses a value of meter {meter}: {reason}.",
                    fix="Correct it, and import the file again.",
                    values={"meter": dict(rejected.point.tags)["meter"], "reason": rejected.reason},
                )
            )
        return len(points) - len(refused)

    def _note_touched(self, points: list[Point]) -> None:
        first_ms = min(point.time_ms for point in points)
        until_ms = max(point.time_ms + interval_ms(point) for point in points)
        if self._touched_ms is not None:
            first_ms = min(first_ms, self._touched_ms[0])
            until_ms = max(until_ms, self._touched_ms[1])
        self._touched_ms = first_ms, until_ms
