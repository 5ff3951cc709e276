"""Import a file of history into the store (`jieneng import readings`).

Laws:

1. A file is read and judged as a whole. Nothing is written if there is a problem, unless bad rows
   are skipped on request. So a file is imported completely or not at all.
2. Memory grows by 33 bytes a value. Rows are read one by one. All problems are counted, and the
   first ones are listed.
3. Importing a file again changes nothing, so an interrupted import can be repeated.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import aclosing
from itertools import islice
from pathlib import Path
from typing import Final, TypeAlias

from ingest.importing.cells.cell import ProblemHandler
from ingest.importing.forms.import_options import ImportOptions
from ingest.importing.forms.meter_series import ImportSeries, ParsedValue
from ingest.importing.forms.row_parser import FileLayout, RowParser
from ingest.importing.import_report import ImportReport, SeriesSummary
from ingest.importing.judging.problem_list import ProblemList
from ingest.importing.judging.series_check import SeriesCheck
from ingest.importing.judging.series_values import SeriesValues
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
        self._check = SeriesCheck(options, options.zone or folder.site.zone, problems)
        self._layout: FileLayout = "long"
        self._rows = 0
        self._rows_read = 0
        self._touched_ms: tuple[int, int] | None = None

    async def check(self) -> None:
        """Read the whole file without writing, and judge it."""
        async with aclosing(self._parsed_lines(self._problems.add)) as lines:
            async for line, parsed_values in lines:
                self._rows += 1
                for parsed in parsed_values:
                    self._check.add(line, parsed)
        self._check.judge()

    async def write(self, store: Store) -> int:
        """Write the good values. Return the number of points written."""
        written = 0
        points = self._points()
        while portion := list(islice(points, _POINTS_PER_WRITE)):
            written += await self._write_points(store, portion)
            self._progress(self._rows_read)
        return written

    def _points(self) -> Iterator[Point]:
        """Yield the points of the good values, series by series in the order of time."""
        for series, values in self._check.series.items():
            make = self._reading if self._options.kind == "register" else self._interval
            for place in range(len(values)):
                if (point := make(series, values, place)) is not None:
                    yield point

    def report(self, written: int) -> ImportReport:
        """Return the result."""
        with_values = [(key, values) for key, values in self._check.series.items() if len(values)]
        return ImportReport(
            file=self._file.name,
            kind=self._options.kind,
            layout=self._layout,
            dry_run=self._options.dry_run,
            rows=self._rows,
            values=sum(len(values) for _, values in with_values),
            missing=sum(values.missing for values in self._check.series.values()),
            written=written,
            touched_ms=self._touched_ms,
            series=tuple(_summary(series, values) for series, values in with_values),
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

    def _reading(self, series: ImportSeries, values: SeriesValues, place: int) -> Point | None:
        sample = Sample(
            series.meter,
            values.times_ms[place],
            Quality.MANUAL,
            (series.quantity,),
            (values.values[place],),
        )
        return reading_point(self._site.id, series.medium, sample)

    def _interval(self, series: ImportSeries, values: SeriesValues, place: int) -> Point:
        tags = (("meter", series.meter), ("site", self._site.id))
        length_s = values.lengths_ms[place] / 1000
        fields = ((series.quantity, values.values[place]), (INTERVAL_S, length_s))
        return Point.of(INTERVAL, tags, fields, values.times_ms[place])

    async def _write_points(self, store: Store, points: Sequence[Point]) -> int:
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

    def _note_touched(self, points: Sequence[Point]) -> None:
        first_ms = min(point.time_ms for point in points)
        until_ms = max(point.time_ms + interval_ms(point) for point in points)
        if self._touched_ms is not None:
            first_ms = min(first_ms, self._touched_ms[0])
            until_ms = max(until_ms, self._touched_ms[1])
        self._touched_ms = first_ms, until_ms


def _summary(series: ImportSeries, values: SeriesValues) -> SeriesSummary:
    length_ms, _ = Counter(values.lengths_ms).most_common(1)[0]
    return SeriesSummary(
        meter=series.meter,
        quantity=series.quantity,
        values=len(values),
        missing=values.missing,
        first_ms=values.times_ms[0],
        last_ms=values.times_ms[-1],
        interval_s=length_ms / 1000 or None,
    )
