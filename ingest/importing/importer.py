"""History in files -> the store: `import readings`.

Laws:

1. A file is read twice: first it is only checked, and nothing is written unless all of it is good
   (or the user said to skip what is not). So a file is imported whole, or it is not.
2. Memory does not grow with the file. Rows go through one by one; problems are counted, and the
   first ones are kept.
3. To import a file again changes nothing; an import that was cut short is done again.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Final, TypeAlias

import msgspec

from ingest.importing import file_reader
from ingest.importing.row_parser import Form, ImportOptions, Kind, Reading, Say, Table, Target
from ingest.importing.series_check import Problems, Tally
from jieneng.metering.errors import Problem
from jieneng.metering.reading import Quality, Sample
from jieneng.metering.schema import INTERVAL, INTERVAL_S, Point, reading_point
from jieneng.site_folder import SiteFolder
from jieneng.storage import Store

#: Points a write.
_CHUNK: Final = 10_000
#: Rows between two words of progress.
_PACE: Final = 2000

Progress: TypeAlias = Callable[[int], None]


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    """What a file has of one quantity of one meter.

    Attributes:
        values: how many there are.
        missing: how many cells were empty, or said missing.
        first_ms, last_ms: times of the first and last value, UTC.
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
    """What was done, or with `dry_run` what would be.

    Attributes:
        rows: lines below the header that are not blank.
        values: good ones.
        missing: cells that were empty, or said missing.
        written: points that the store took; 0 where nothing was to be written.
        series: by meter and quantity.
        problems: the first ones; `problem_count` counts all.
    """

    file: str
    kind: Kind
    form: Form
    dry_run: bool
    rows: int
    values: int
    missing: int
    written: int
    series: tuple[Imported, ...]
    problems: tuple[Problem, ...]
    problem_count: int


async def import_readings(
    file: Path, folder: SiteFolder, store: Store, options: ImportOptions, progress: Progress
) -> ImportReport:
    """Check a file, and write what it holds.

    Args:
        file: CSV, CSV in gzip, or XLSX.
        folder: the site.
        store: prepared or not.
        options: how to read it.
        progress: told now and then how many rows were gone through, in both passes together.

    Raises:
        UsageError: the file can't be read at all.
        StoreUnavailable: the import can be repeated.
    """
    problems = Problems(file.name)
    job = _Job(file, folder, options, problems, progress)
    await job.check()
    may_write = not options.dry_run and (options.skip_bad or not problems.count)
    written = await job.write(store) if may_write else 0
    return job.report(written)


class _Job:
    """One file on its way."""

    def __init__(
        self,
        file: Path,
        folder: SiteFolder,
        options: ImportOptions,
        problems: Problems,
        progress: Progress,
    ) -> None:
        self._file = file
        self._site = folder.site
        self._options = options
        self._problems = problems
        self._progress = progress
        self._tally = Tally(options, problems)
        self._intervals: dict[Target, float] = {}
        self._form: Form = "long"
        self._rows = 0
        self._passed = 0

    async def check(self) -> None:
        """Go through all of it, and write nothing."""
        async with aclosing(self._lines(self._problems.add)) as lines:
            async for line, readings in lines:
                self._rows += 1
                for reading in readings:
                    self._tally.add(line, reading)
        if self._options.kind == "interval":
            self._intervals = self._tally.intervals()
        else:
            self._tally.judge_registers()
        if self._tally.doubtful:
            async with aclosing(self._lines(lambda _: None)) as lines:  # problems were said
                async for line, readings in lines:
                    for reading in readings:
                        self._tally.compare(line, reading)

    async def write(self, store: Store) -> int:
        """Go through it again, and write what is good. Returns the points that were taken."""
        written, points = 0, list[Point]()
        async with aclosing(self._lines(lambda _: None)) as lines:  # problems were said
            async for _, readings in lines:
                points += filter(None, map(self._point, readings))
                if len(points) >= _CHUNK:
                    written += await self._store(store, points)
                    points = []
        return written + await self._store(store, points)

    def report(self, written: int) -> ImportReport:
        """What came of it."""
        seen = [(target, one) for target, one in self._tally.series.items() if one.values]
        return ImportReport(
            file=self._file.name,
            kind=self._options.kind,
            form=self._form,
            dry_run=self._options.dry_run,
            rows=self._rows,
            values=sum(one.values for _, one in seen),
            missing=sum(one.missing for one in self._tally.series.values()),
            written=written,
            series=tuple(
                Imported(
                    meter=target.meter,
                    quantity=target.quantity,
                    values=one.values,
                    missing=one.missing,
                    first_ms=one.first_ms,
                    last_ms=one.last_ms,
                    interval_s=self._intervals.get(target),
                )
                for target, one in seen
            ),
            problems=tuple(self._problems.kept),
            problem_count=self._problems.count,
        )

    async def _lines(self, say: Say) -> AsyncGenerator[tuple[int, list[Reading]], None]:
        """Number and readings of each line below the header that is not blank."""
        with file_reader.rows(self._file, self._options.sheet, say) as rows:
            _, header = next(rows, (1, None))
            if header is None:  # empty, or said why it ends before it begins
                return
            table = Table(header, self._site, self._options, say)
            self._form = table.form
            if not table.usable:
                return
            for line, row in rows:
                self._passed += 1
                if self._passed % _PACE == 0:
                    self._progress(self._passed)
                    await asyncio.sleep(0)  # others in this loop go on
                if any(cell not in (None, "") for cell in row):
                    yield line, list(table.readings(line, row))
        self._progress(self._passed)

    def _point(self, reading: Reading) -> Point | None:
        target, time_ms, value = reading
        if value is None:
            return None
        if self._options.kind == "register":
            sample = Sample(target.meter, time_ms, Quality.MANUAL, (target.quantity,), (value,))
            return reading_point(self._site.id, target.medium, sample)
        interval_s = self._intervals.get(target)
        if interval_s is None:
            return None
        tags = (("meter", target.meter), ("site", self._site.id))
        fields = ((target.quantity, value), (INTERVAL_S, interval_s))
        return Point(INTERVAL, tags, fields, time_ms)

    async def _store(self, store: Store, points: list[Point]) -> int:
        if not points:
            return 0
        result = await store.write(points)
        for one in result.rejected:
            self._problems.add(
                Problem(
                    text="the store refuses a value of meter {meter}: {reason}.",
                    fix="Correct it, and import the file again.",
                    values={"meter": dict(one.point.tags)["meter"], "reason": one.reason},
                )
            )
        return result.written
