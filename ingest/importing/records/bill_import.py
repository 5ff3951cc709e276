"""Import bills into the store (`jieneng import bills`).

Laws:

1. Every bill is stored in the measurement `bill`, with its cost. Nothing is computed from this.
2. If a meter has neither readings nor other imported intervals in the time of a bill, the amount of
   the bill is also stored as an interval, and counts as consumption. If the meter has readings,
   these count, and the bill is only compared with them. A bill of several meters never counts,
   because it is unknown which of them consumed how much.
3. Bills and intervals are one batch, which can be undone.
"""

from array import array
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from math import nan
from operator import attrgetter
from pathlib import Path
from types import MappingProxyType
from typing import Final

import msgspec

from ingest.importing.batches.batch_file import BatchFile, account_name, file_digest
from ingest.importing.batches.batch_import import NOTHING, BatchImport, BatchResult, FileSeries
from ingest.importing.batches.batch_record import BatchSource
from ingest.importing.batches.point_columns import PointColumns
from ingest.importing.batches.stored_points import StoredPoints
from ingest.importing.forms.import_options import ImportOptions
from ingest.importing.judging.problem_list import ProblemList
from ingest.importing.reading import file_reader
from ingest.importing.reading.line_numbers import line_ranges
from ingest.importing.records.bill_rows import Bill, read_bills
from jieneng.clock import Clock
from jieneng.metering.errors import Problem
from jieneng.metering.schema import BILL, COST_YUAN, INTERVAL, INTERVAL_S, LONGEST_INTERVAL_MS
from jieneng.site_folder import SiteFolder
from jieneng.storage import Store

_NOTHING_MEASURED: Final = (0, 0)


class BillReport(msgspec.Struct, frozen=True, kw_only=True):
    """The result of an import of bills.

    Attributes:
        bills: the good bills of the file, by meter and time.
        measured: lines of bills in whose time any of their meters has readings.
        rows: number of rows.
        batch: the numbered batch, and the stored values that contradict the file.
        problems: the first problems.
        problem_count: number of all problems.
        skippable: True if all problems are in rows that may be skipped.
        left_out: numbers of the lines with problems.
    """

    bills: tuple[Bill, ...]
    measured: frozenset[int]
    rows: int
    batch: BatchResult
    problems: tuple[Problem, ...]
    problem_count: int
    skippable: bool
    left_out: str


async def import_bills(
    file: Path,
    folder: SiteFolder,
    store: Store | None,
    options: ImportOptions,
    clock: Clock,
    accounts: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> BillReport:
    """Check a file of bills, and write them to the store.

    Args:
        file: CSV, CSV in gzip, or XLSX.
        folder: the site.
        store: the store; None if there is no store yet and nothing is to be written.
        options: options of the import; `columns` maps accounts to meters.
        clock: gives the time of the batch.
        accounts: meters of the accounts in `tariffs.toml`, by account.

    Raises:
        UsageError: the file can't be opened, or an interrupted import of it can't be undone.
        StoreUnavailable: the store failed. The import can be repeated.
    """
    problems = ProblemList(file.name)
    bills, rows = read_bill_file(file, folder, options, problems, accounts)
    measured: frozenset[int] = frozenset()
    batch = NOTHING
    if store is not None:
        measured = await _measured_lines(bills, folder, store)
        if not problems.of_file and (options.skip_bad or not problems.count):
            batch_import = BatchImport(
                folder,
                store,
                clock,
                replace=options.replace,
                keep=options.keep,
                dry_run=options.dry_run,
            )
            source = BatchSource(
                file=file.name,
                digest=file_digest(file),
                rows=rows,
                options='{"what":"bills"}',
                user=account_name(),
                left_out=line_ranges(problems.lines, problems.sheets),
            )
            with batch_import:
                series = list(_series(bills, measured))
                batch = await batch_import.run(source, series, lambda _: None)
    return BillReport(
        bills=tuple(bills),
        measured=measured,
        rows=rows,
        batch=batch,
        problems=tuple(problems.listed),
        problem_count=problems.count,
        skippable=not problems.of_file,
        left_out=line_ranges(problems.lines, problems.sheets),
    )


def read_bill_file(
    file: Path,
    folder: SiteFolder,
    options: ImportOptions,
    problems: ProblemList,
    accounts: Mapping[str, Sequence[str]],
) -> tuple[list[Bill], int]:
    """Return the bills of a file, and the number of its rows."""
    form = file_reader.detect_form(file, options.stated)
    problems.sheets = form.sheets
    for question in form.problems:
        problems.add(question)
    if form.problems:
        return [], 0
    with file_reader.open_table(file, form, problems.add) as table:
        rows = list(table.rows)
    return read_bills(form, rows, folder.site, options, problems, accounts), len(rows)


def _series(bills: list[Bill], measured: frozenset[int]) -> Iterator[FileSeries]:
    """Yield the series of the batch: bills by meter, and intervals of the bills that count."""
    for series, group in groupby(bills, attrgetter("series")):
        of_series = list(group)
        lengths = [(bill.end_ms - bill.start_ms) / 1000 for bill in of_series]
        costs = [nan if bill.cost_yuan is None else bill.cost_yuan for bill in of_series]
        amounts = [bill.amount for bill in of_series]
        columns = PointColumns(
            BILL,
            series.meter,
            (series.quantity, COST_YUAN, INTERVAL_S),
            array("q", [bill.start_ms for bill in of_series]),
            (array("d", amounts), array("d", costs), array("d", lengths)),
        )
        yield columns, series.medium
        counting = [
            place
            for place, bill in enumerate(of_series)
            if bill.line not in measured and len(bill.meters) == 1
        ]
        if counting:
            chosen = columns.select(counting)
            fields = (series.quantity, INTERVAL_S)
            values = (chosen.columns[0], chosen.columns[-1])
            yield (
                PointColumns(INTERVAL, series.meter, fields, chosen.times_ms, values),
                series.medium,
            )


async def _measured_lines(bills: list[Bill], folder: SiteFolder, store: Store) -> frozenset[int]:
    """Return the lines of the bills in whose time any of their meters has readings (law 2)."""
    file = BatchFile(folder.path)
    stored = StoredPoints(folder.site.id, store, file)
    found: set[int] = set()
    by_meter: dict[str, list[Bill]] = {}
    for bill in bills:
        for meter in bill.meters:
            by_meter.setdefault(meter, []).append(bill)
    for meter, of_meter in by_meter.items():
        where = {"site": folder.site.id, "meter": meter}
        medium = of_meter[0].series.medium
        first_ms, last_ms = await store.span(medium, where=where) or _NOTHING_MEASURED
        intervals = await _own_intervals(stored, meter, of_meter)
        found.update(
            bill.line
            for bill in of_meter
            if (first_ms < bill.end_ms and last_ms > bill.start_ms)
            or any(start < bill.end_ms and end > bill.start_ms for start, end in intervals)
        )
    file.close()
    return frozenset(found)


async def _own_intervals(
    stored: StoredPoints, meter: str, bills: list[Bill]
) -> list[tuple[int, int]]:
    """Return the imported intervals in the time of a meter's bills that are not from bills."""
    nothing = array("q"), array("d")
    quantity = bills[0].series.quantity
    first_ms = min(bill.start_ms for bill in bills)
    span = first_ms - LONGEST_INTERVAL_MS, max(bill.end_ms for bill in bills)
    kinds = {}
    for measurement in (INTERVAL, BILL):
        columns = PointColumns(measurement, meter, (quantity, INTERVAL_S), nothing[0], ())
        amounts = dict(zip(*await stored.values(columns, quantity, *span), strict=True))
        lengths = dict(zip(*await stored.values(columns, INTERVAL_S, *span), strict=True))
        kinds[measurement] = {
            (time_ms, time_ms + round(lengths.get(time_ms, 0.0) * 1000)) for time_ms in amounts
        }
    return sorted(kinds[INTERVAL] - kinds[BILL])
