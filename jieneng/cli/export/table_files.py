"""Write the rows of an export to CSV or Parquet.

Laws:

1. A float is written as the shortest text from which the same number is read. A time is written
   with its offset from UTC, so that it is unambiguous at a clock change, too.
2. The file gets its final name only when it is complete.
"""

import csv
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Protocol
from zoneinfo import ZoneInfo

from jieneng.cli.export.stored_tables import ColumnKind, ExportRow
from jieneng.metering.errors import UsageError

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class TableWriter(Protocol):
    """A file of an export that is being written."""

    def write(self, rows: Sequence[ExportRow]) -> None:
        """Append rows."""


@contextmanager
def open_table(
    path: Path, columns: Mapping[str, ColumnKind], zone: ZoneInfo
) -> Iterator[TableWriter]:
    """Open a CSV or Parquet file, by its ending. It gets its final name when the context ends.

    Args:
        path: FILE.csv or FILE.parquet, which must not exist.
        columns: names and types of the columns.
        zone: time zone of the times in CSV.

    Raises:
        UsageError: the file exists, has another ending, or pyarrow is not installed.
    """
    if path.exists():
        raise UsageError("{file} exists already: choose another name, or remove it.", file=path)
    writers = {".csv": _csv_writer, ".parquet": _parquet_writer}
    if path.suffix.lower() not in writers:
        raise UsageError("{file} must end in .csv or .parquet.", file=path.name)
    unfinished = path.with_name(f"{path.name}.part")
    try:
        with writers[path.suffix.lower()](unfinished, columns, zone) as writer:
            yield writer
        unfinished.rename(path)
    finally:
        unfinished.unlink(missing_ok=True)


@contextmanager
def _csv_writer(
    path: Path, columns: Mapping[str, ColumnKind], zone: ZoneInfo
) -> Iterator[TableWriter]:
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(",".join(columns) + "\n")
        yield _CsvTable(csv.writer(file, lineterminator="\n"), list(columns.values()), zone)


class _CsvTable:
    """A CSV file."""

    def __init__(self, writer: Any, kinds: Sequence[ColumnKind], zone: ZoneInfo) -> None:
        self._writer = writer
        self._times = [place for place, kind in enumerate(kinds) if kind == "time"]
        self._zone = zone

    def write(self, rows: Sequence[ExportRow]) -> None:
        """Append rows. The csv module writes floats with `repr`, and None as an empty cell."""
        for row in rows:
            cells: list[object] = list(row)
            for place in self._times:
                cells[place] = local_text(int(cells[place]), self._zone)  # type: ignore[call-overload]  # a time
            self._writer.writerow(cells)


def local_text(time_ms: int, zone: ZoneInfo) -> str:
    """Return a time [UTC, ms] in ISO 8601 with offset; milliseconds only if they are not 0."""
    moment = (_EPOCH + timedelta(milliseconds=time_ms)).astimezone(zone)
    return moment.isoformat(timespec="milliseconds" if time_ms % 1000 else "seconds")


@contextmanager
def _parquet_writer(
    path: Path, columns: Mapping[str, ColumnKind], _: ZoneInfo
) -> Iterator[TableWriter]:
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError as error:
        raise UsageError(
            "Parquet needs the package pyarrow: pip install 'jieneng[parquet]', or export to .csv."
        ) from error
    types = {
        "time": pa.timestamp("ms", tz="UTC"),
        "text": pa.string(),
        "number": pa.float64(),
    }
    schema = pa.schema([(name, types[kind]) for name, kind in columns.items()])
    with parquet.ParquetWriter(path, schema) as file:
        yield _ParquetTable(pa, schema, file)


class _ParquetTable:
    """A Parquet file; times are moments in UTC."""

    def __init__(self, pa: Any, schema: Any, file: Any) -> None:
        self._pa = pa
        self._schema = schema
        self._file = file

    def write(self, rows: Sequence[ExportRow]) -> None:
        """Append rows as a row group."""
        columns = zip(*rows, strict=True)
        arrays = [
            self._pa.array(column, type=kind)
            for column, kind in zip(columns, self._schema.types, strict=True)
        ]
        self._file.write_table(self._pa.Table.from_arrays(arrays, schema=self._schema))
