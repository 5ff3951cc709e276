"""Read the rows of a Parquet file. Values keep their types: moments, numbers, texts."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from ingest.importing.cells.cell import Row
from jieneng.metering.errors import UsageError

#: Largest number of rows in memory at a time.
_BATCH_ROWS: Final = 10_000


def parquet_rows(path: Path) -> Iterator[tuple[int, Row]]:
    """Yield (line number, cells) of each row; line 1 contains the names of the columns.

    Raises:
        UsageError: pyarrow is not installed, or the file is damaged.
    """
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError as error:
        raise UsageError(
            "{file} is a Parquet file: reading it needs pip install 'jieneng[parquet]'. Or save it "
            "as CSV.",
            file=path.name,
        ) from error
    try:
        with parquet.ParquetFile(path) as file:
            names = file.schema_arrow.names
            yield 1, tuple(names)
            line = 1
            for batch in file.iter_batches(_BATCH_ROWS):
                columns = [column.to_pylist() for column in batch.columns]
                for row in zip(*columns, strict=True):
                    line += 1
                    yield line, row
    except pa.ArrowException as error:
        raise UsageError(
            "{file} is damaged, or not a Parquet file: copy it again.", file=path.name
        ) from error
