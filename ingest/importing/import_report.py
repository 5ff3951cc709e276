"""Result of an import, or of its check."""

import msgspec

from ingest.importing.batches.batch_import import BatchResult
from ingest.importing.forms.import_options import ImportKind, LayoutName
from jieneng.metering.errors import Problem


class SeriesSummary(msgspec.Struct, frozen=True, kw_only=True):
    """The values of one quantity of one meter in a file.

    Attributes:
        meter: the meter's id.
        quantity: the quantity.
        values: number of values.
        missing: number of cells that were empty or marked as missing.
        first_ms: time of the first value, UTC.
        last_ms: time of the last value, UTC.
        interval_s: most common length of the intervals [s]; None for a register.
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
        layout: layout of the file; None if it has none.
        dry_run: True if the file was only checked.
        rows: number of lines below the header that are not blank.
        values: number of good values.
        missing: number of cells that were empty or marked as missing.
        written: number of points written.
        batch: the numbered batch, and what contradicts the file.
        left_out: numbers of the lines that were left out, such as `12, 20-31`.
        skippable: True if all problems are of rows that may be left out.
        series: the file's series, by meter and quantity.
        problems: the first problems.
        problem_count: number of all problems.
        doubts: what looks wrong, but was not refused.
    """

    file: str
    kind: ImportKind
    layout: LayoutName | None
    dry_run: bool
    rows: int
    values: int
    missing: int
    written: int
    batch: BatchResult
    left_out: str
    skippable: bool
    series: tuple[SeriesSummary, ...]
    problems: tuple[Problem, ...]
    problem_count: int
    doubts: tuple[Problem, ...]
