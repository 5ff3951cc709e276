"""The result of an import, or of the check of a file."""

from array import array

import msgspec

from ingest.importing.batches.batch_import import BatchResult
from ingest.importing.forms.import_options import ImportKind, ImportOptions, LayoutName
from ingest.importing.judging.display_side import Ratios, to_primary
from ingest.importing.reading.file_form import FileForm
from jieneng.metering.errors import Problem


class ReadSeries(msgspec.Struct, frozen=True, kw_only=True):
    """The values of a series as they were read, in the order of time.

    Attributes:
        meter: id of the meter.
        quantity: the quantity.
        times_ms: times [UTC, ms]; for intervals their starts.
        values: the values, in the canonical unit.
        lengths_ms: lengths of intervals [ms]; 0 for readings of a register.
        ratios: ratio of the meter's transformers by time, if it is not stated whether the values
            are as displayed or multiplied; otherwise ().
        is_of_other_kind: True if the values look like those of the other kind: consumption instead
            of readings of a register, or the other way round.
    """

    meter: str
    quantity: str
    times_ms: "array[int]"
    values: "array[float]"
    lengths_ms: "array[int]"
    ratios: Ratios = ()
    is_of_other_kind: bool = False

    def of_display(self) -> "array[float]":
        """Return the values multiplied by the ratio, as if they had been read from the display."""
        return to_primary(self.times_ms, self.values, self.ratios)


class FirstValue(msgspec.Struct, frozen=True, kw_only=True):
    """First value of a series in a file, as interpreted.

    Attributes:
        line: line of the value.
        meter: the meter's id.
        quantity: the quantity.
        time_ms: time [UTC, ms].
        length_ms: length of the interval [ms]; 0 if the row does not state it.
        value: the value in the canonical unit; None for a missing one.
    """

    line: int
    meter: str
    quantity: str
    time_ms: int
    length_ms: int
    value: float | None


class SeriesSummary(msgspec.Struct, frozen=True, kw_only=True):
    """The values of one quantity of one meter in a file.

    Attributes:
        meter: the meter's id.
        quantity: the quantity.
        values: number of values.
        missing: number of cells that were empty or marked as missing.
        first_ms: time of the first value, UTC.
        last_ms: time of the last value, UTC.
        first: the first value, in the canonical unit.
        last: the last value.
        estimated: number of values that the file marks as estimated.
        interval_s: most common length of the intervals [s]; None for a register.
        interval_range_s: shortest and longest length of intervals [s].
    """

    meter: str
    quantity: str
    values: int
    missing: int
    first_ms: int
    last_ms: int
    first: float
    last: float
    estimated: int
    interval_s: float | None
    interval_range_s: tuple[float, float] | None


class ImportReport(msgspec.Struct, frozen=True, kw_only=True):
    """The result of an import, or of a check with `dry_run`.

    Attributes:
        file: name of the file.
        kind: meaning of the values, register or interval.
        layout: layout of the file; None if it has none.
        dry_run: True if the file was only checked.
        rows: number of lines below the header that are not blank.
        values: number of good values.
        missing: number of cells that were empty or marked as missing.
        written: number of points written.
        batch: the numbered batch, and the stored values that contradict the file.
        left_out: numbers of the lines that were skipped, such as `12, 20-31`.
        skippable: True if all problems are in rows that may be skipped.
        series: the file's series, by meter and quantity.
        problems: the first problems.
        problem_count: number of all problems.
        doubts: remarks about values that look wrong, but were not refused.
        form: form in which the file was read.
        first_values: the first values, as they were understood.
        read: values of each series.
        left_out_columns: names of the columns that are not read.
        names: names in the file, and the meter that each one means.
        options: options with which the file was read.
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
    form: FileForm
    first_values: tuple[FirstValue, ...]
    read: tuple[ReadSeries, ...]
    left_out_columns: tuple[str, ...]
    names: tuple[tuple[str, str], ...]
    options: ImportOptions
