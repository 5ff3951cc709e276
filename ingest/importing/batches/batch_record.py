"""Values that describe a batch (numbered import): number, state, source file, counts of values."""

from typing import Literal

import msgspec

#: State of a batch: being written, written, being undone, undone.
BatchState = Literal["writing", "done", "undoing", "undone"]


class BatchSource(msgspec.Struct, frozen=True, kw_only=True):
    """The file of a batch, and how it was read.

    Attributes:
        file: name of the file.
        digest: SHA-256 of the file, in hex.
        rows: number of lines below the header that are not blank.
        options: options of the import that differ from the defaults, as JSON.
        user: name of the account that ran the import.
        left_out: numbers of the lines that were not imported, such as `12, 20-31`.
    """

    file: str
    digest: str
    rows: int
    options: str = "{}"
    user: str = ""
    left_out: str = ""


class BatchCounts(msgspec.Struct, frozen=True, kw_only=True):
    """Counts of the values of a batch.

    Attributes:
        written: values that were written: new values, and values that replaced other ones.
        replaced: written values that replaced other ones.
        removed: stored values that were removed.
        unchanged: values of the file that were already stored.
    """

    written: int = 0
    replaced: int = 0
    removed: int = 0
    unchanged: int = 0


class BatchRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A numbered import.

    Attributes:
        number: number of the batch, from 1.
        state: state of the batch.
        time_ms: beginning of the import [UTC, ms].
        undone_ms: end of the undo [UTC, ms]; None if it was not undone.
        source: the file.
        counts: numbers of values so far.
    """

    number: int
    state: BatchState
    time_ms: int
    undone_ms: int | None
    source: BatchSource
    counts: BatchCounts


class BatchSeries(msgspec.Struct, frozen=True, kw_only=True):
    """The points of one quantity of one meter in a batch.

    Attributes:
        measurement: measurement of the points.
        meter: id of the meter.
        quantity: the quantity.
        points: number of points written or removed.
        first_ms: time of the first point [UTC, ms].
        last_ms: time of the last point [UTC, ms].
    """

    measurement: str
    meter: str
    quantity: str
    points: int
    first_ms: int
    last_ms: int


class FilePart(msgspec.Struct, frozen=True):
    """A file of the site's folder that a batch has written.

    Attributes:
        name: name of the file.
        written: text of the file after the batch.
        previous: text of the file before the batch; None if the file did not exist.
    """

    name: str
    written: str
    previous: str | None
