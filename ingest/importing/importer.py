"""Import a file with earlier readings into the store (`jieneng import readings`).

Laws:

1. A file is read and checked as a whole before anything is written. If there is a problem, nothing
   is written, unless a person asks to skip bad rows. So a file is imported completely or not at
   all.
2. Rows are read one by one, and the memory needed is 33 bytes for each value. All problems are
   counted, and the first ones are listed.
3. Importing a file again changes nothing, so an interrupted import can be repeated.
4. The written values are a numbered batch, which can be undone.
"""

import asyncio
from array import array
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Final, TypeAlias

import msgspec

from ingest.importing.batches.batch_file import account_name, file_digest
from ingest.importing.batches.batch_import import NOTHING, BatchImport, BatchResult, FileSeries
from ingest.importing.batches.batch_record import BatchSource
from ingest.importing.batches.point_columns import PointColumns
from ingest.importing.forms.import_options import ImportOptions
from ingest.importing.forms.layouts.layout import Layout
from ingest.importing.forms.layouts.layout_choice import choose_layout
from ingest.importing.forms.meter_series import ImportSeries, ParsedValue
from ingest.importing.import_report import FirstValue, ImportReport, ReadSeries, SeriesSummary
from ingest.importing.judging.problem_list import ProblemList
from ingest.importing.judging.series_check import ResetRecognizer, SeriesCheck
from ingest.importing.judging.series_values import SeriesValues
from ingest.importing.reading import file_reader
from ingest.importing.reading.file_form import FileForm
from ingest.importing.reading.line_numbers import line_ranges, sheet_of
from jieneng.clock import Clock
from jieneng.metering.errors import Problem
from jieneng.metering.reading import Quality
from jieneng.metering.schema import INTERVAL, INTERVAL_S, QUALITY
from jieneng.site_folder import SiteFolder
from jieneng.storage import Store

#: Number of rows between two calls of `progress`.
_ROWS_PER_PROGRESS: Final = 2000
#: Number of first values that a report shows.
_FIRST_VALUES: Final = 6
#: Quality code of a value that was read, and of a value that the file marks as estimated.
_QUALITIES: Final = (float(Quality.MANUAL), float(Quality.MANUAL | Quality.ESTIMATED))

RowProgress: TypeAlias = Callable[[int], None]


async def import_readings(
    file: Path,
    folder: SiteFolder,
    store: Store | None,
    options: ImportOptions,
    progress: RowProgress,
    clock: Clock,
    recognize_resets: ResetRecognizer | None = None,
) -> ImportReport:
    """Check a file, and write its values to the store.

    Args:
        file: CSV, CSV in gzip, or XLSX.
        folder: the site.
        store: the store; need not be prepared. None if there is no store yet and nothing is to be
            written.
        options: options for reading the file.
        progress: called repeatedly with the number of rows read, in both passes together.
        clock: clock that decides if readings are late; the days of late readings are computed
            again.
        recognize_resets: function that recognises a register which is reset to 0 each day, month or
            year.

    Raises:
        UsageError: the file can't be opened.
        StoreUnavailable: the store failed. The import can be repeated.
    """
    problems = ProblemList(file.name)
    file_import = _FileImport(file, folder, options, problems, progress, recognize_resets)
    await file_import.check()
    if store is None or problems.of_file or (problems.count and not options.skip_bad):
        return file_import.report(NOTHING)
    batch_import = BatchImport(
        folder,
        store,
        clock,
        replace=options.replace,
        keep=options.keep,
        dry_run=options.dry_run,
    )
    with batch_import:
        result = await file_import.write(batch_import)
    return file_import.report(result)


class _FileImport:
    """The import of one file."""

    def __init__(
        self,
        file: Path,
        folder: SiteFolder,
        options: ImportOptions,
        problems: ProblemList,
        progress: RowProgress,
        recognize_resets: ResetRecognizer | None,
    ) -> None:
        self._file = file
        self._site = folder.site
        self._options = options
        self._problems = problems
        self._progress = progress
        self._check = SeriesCheck(
            folder.site,
            folder.models,
            options.zone or folder.site.zone,
            problems,
            recognize_resets,
        )
        self._first: list[tuple[int, ParsedValue]] = []
        self._layout: Layout | None = None
        self._form = FileForm()
        self._rows = 0
        self._rows_read = 0
        self._is_in_rows = False

    async def check(self) -> None:
        """Read the whole file without writing, and check it."""
        async with aclosing(self._parsed_lines()) as lines:
            async for line, parsed_values in lines:
                self._rows += 1
                for parsed in parsed_values:
                    self._check.add(line, parsed)
                    if len(self._first) < _FIRST_VALUES:
                        self._first.append((line, parsed))
        self._check.judge(self._read_options)

    @property
    def _read_options(self) -> ImportOptions:
        """Options with which the file was read: stated by a person, or detected in the file."""
        return self._layout.context.options if self._layout else self._options

    async def write(self, batch_import: BatchImport) -> BatchResult:
        """Write the good values as a batch, and report those that the store rejects."""
        source = BatchSource(
            file=self._file.name,
            digest=file_digest(self._file),
            rows=self._rows,
            options=_changed_options(self._read_options),
            user=account_name(),
            left_out=self._left_out_lines(),
        )
        result = await batch_import.run(
            source, list(self._series()), lambda _: self._progress(self._rows_read)
        )
        for rejected in result.rejected:
            self._problems.add(
                Problem(
                    text="the store refuses a value of meter {meter}: {reason}.",
                    fix="Correct it, and import the file again.",
                    values={"meter": dict(rejected.point.tags)["meter"], "reason": rejected.reason},
                )
            )
        return result

    def _series(self) -> Iterator[FileSeries]:
        """Yield the good values by series, in the order of time, and the medium of each."""
        for series, values in self._check.series.items():
            if len(values):
                yield self._columns(series, values), series.medium

    def _columns(self, series: ImportSeries, values: SeriesValues) -> PointColumns:
        is_register = self._read_options.kind != "interval"
        companions: dict[str, array[float]] = {}
        if is_register or any(values.estimated):
            companions[QUALITY] = array("d", (_QUALITIES[one] for one in values.estimated))
        if not is_register:
            companions[INTERVAL_S] = array("d", (length / 1000 for length in values.lengths_ms))
        return PointColumns(
            series.medium if is_register else INTERVAL,
            series.meter,
            (series.quantity, *companions),
            values.times_ms,
            (values.values, *companions.values()),
        )

    def report(self, batch: BatchResult) -> ImportReport:
        """Return the result."""
        with_values = [(key, values) for key, values in self._check.series.items() if len(values)]
        return ImportReport(
            file=self._file.name,
            kind=self._read_options.kind or "register",
            layout=self._layout.name if self._layout else None,
            dry_run=self._options.dry_run,
            rows=self._rows,
            values=sum(len(values) for _, values in with_values),
            missing=sum(values.missing for values in self._check.series.values()),
            written=batch.counts.written,
            batch=batch,
            left_out=self._left_out_lines(),
            skippable=not self._problems.of_file,
            series=tuple(_summary(series, values) for series, values in with_values),
            problems=tuple(self._problems.listed),
            problem_count=self._problems.count,
            doubts=tuple(self._problems.doubts),
            form=self._form,
            first_values=tuple(self._first_value(*first) for first in self._first),
            read=tuple(self._read_series(key, values) for key, values in with_values),
            left_out_columns=self._layout.left_out_names if self._layout else (),
            names=tuple(self._layout.context.finder.found.items()) if self._layout else (),
            options=self._read_options,
        )

    def _left_out_lines(self) -> str:
        """Return the lines with problems, as text with sheets and line numbers."""
        return line_ranges(self._problems.lines, self._form.sheets)

    def _first_value(self, line: int, parsed: ParsedValue) -> FirstValue:
        """Return a value as it was understood, with the length of its interval."""
        series, time_ms, value, length_ms, _ = parsed
        values = self._check.series[series]
        if value is not None and line in values.lines:
            place = values.lines.index(line)
            if length_ms == 0:
                time_ms, length_ms = values.times_ms[place], values.lengths_ms[place]
                value = values.values[place]
        return FirstValue(
            line=line,
            meter=series.meter,
            quantity=series.quantity,
            time_ms=time_ms,
            length_ms=length_ms,
            value=value,
        )

    def _read_series(self, series: ImportSeries, values: SeriesValues) -> ReadSeries:
        return ReadSeries(
            meter=series.meter,
            quantity=series.quantity,
            times_ms=values.times_ms,
            values=values.values,
            lengths_ms=values.lengths_ms,
            ratios=self._check.ratios.get(series, ()),
            is_of_other_kind=series in self._check.of_other_kind,
        )

    async def _parsed_lines(self) -> AsyncGenerator[tuple[int, list[ParsedValue]], None]:
        """Yield (line number, values) of each line below the header that is not blank."""
        form = file_reader.detect_form(self._file, self._options.stated)
        self._problems.sheets = form.sheets
        self._form = form
        if self._ask(form.problems):
            return
        with file_reader.open_table(self._file, form, self._problems.add) as table:
            layout = choose_layout(form, self._site, self._options, self._report)
            if layout is None or not layout.has_values or self._ask(layout.questions()):
                return
            self._layout = layout
            layouts = self._sheet_layouts(layout)
            self._is_in_rows = True
            for line, row in table.rows:
                self._rows_read += 1
                if self._rows_read % _ROWS_PER_PROGRESS == 0:
                    self._progress(self._rows_read)
                    await asyncio.sleep(0)  # lets other tasks of the loop run
                yield line, list(layouts[min(sheet_of(line), len(layouts) - 1)].parse(line, row))
            self._problems.lines.update(*(one.unknown_lines for one in layouts))
            self._form = msgspec.structs.replace(form, notes=(*form.notes, *table.notes()))
        self._progress(self._rows_read)
        if not self._rows_read:
            self._ask([_no_rows(form)])

    def _sheet_layouts(self, layout: Layout) -> list[Layout]:
        """Return a layout for each sheet if their years differ; otherwise one for all sheets."""

        def report(problem: Problem) -> None:
            if self._is_in_rows:  # problems of the header were reported by `layout`
                self._report(problem)

        years = layout.context.sheet_years
        return [layout, *(layout.for_year(year, report) for year in years[1:])]

    def _ask(self, questions: Iterable[Problem]) -> bool:
        """Report questions that must be answered before the file is read. Return True if any."""
        asked = False
        for question in questions:
            self._problems.add(question)
            asked = True
        return asked

    def _report(self, problem: Problem) -> None:
        """Report a problem of the header, or of a row below it."""
        add = self._problems.add_of_rows if self._is_in_rows else self._problems.add
        add(problem)


def _no_rows(form: FileForm) -> Problem:
    return Problem(
        text="this file has no rows below its header.",
        fix="Use another file, or state the line of the header: --header-line.",
        line=form.header_line,
    )


def _summary(series: ImportSeries, values: SeriesValues) -> SeriesSummary:
    length_ms, _ = Counter(values.lengths_ms).most_common(1)[0]
    shortest_ms, longest_ms = min(values.lengths_ms), max(values.lengths_ms)
    return SeriesSummary(
        meter=series.meter,
        quantity=series.quantity,
        values=len(values),
        missing=values.missing,
        first_ms=values.times_ms[0],
        last_ms=values.times_ms[-1],
        first=values.values[0],
        last=values.values[-1],
        estimated=sum(values.estimated),
        interval_s=length_ms / 1000 or None,
        interval_range_s=(shortest_ms / 1000, longest_ms / 1000) if longest_ms else None,
    )


def _changed_options(options: ImportOptions) -> str:
    """Return the options that differ from the defaults, as JSON."""
    usual = ImportOptions()
    changed = {
        name: value
        for name, value in msgspec.structs.asdict(options).items()
        if value != getattr(usual, name)
    }
    return msgspec.json.encode(changed, enc_hook=str).decode()
