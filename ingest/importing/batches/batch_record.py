"""Records of imports: what a batch is called, where it came from, and what became of it."""

from typing import Literal

import msgspec

#: State of a batch: it is being written or undone, or that is done.
BatchState = Literal["writing", "done", "undoing", "undone"]


class BatchSource(msgspec.Struct, frozen=True, kw_only=True):
    """The file of a batch, and how it was read.

    Attributes:
        file: name of the file.
        digest: SHA-256 of the file, in hex.
        rows: number of lines below the header that are not blank.
        options: options of the import that are not the usual ones, as JSON.
        user: name of the account that ran the import.
        left_out: numbers of the lines that were left out, such as `12, 20-31`.
    """

    file: str
    digest: str
    rows: int
    options: str = "{}"
    user: str = ""
    left_out: str = ""


class BatchCounts(msgspec.Struct, frozen=True, kw_only=True):
    """Numbers of values of a batch.

    Attributes:
        written: values that were written, new ones and others than were stored.
        replaced: of those, values that another one stood in place of.
        removed: stored values that were removed.
        unchanged: values of the file that were stored already.
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
        time_ms: begin of the import [UTC, ms].
        undone_ms: end of the undo [UTC, ms]; None if it was not undone.
        source: the file.
        counts: numbers of values, as far as they were written.
    """

    number: int
    state: BatchState
    time_ms: int
    undone_ms: int | None
    source: BatchSource
    counts: BatchCounts


class BatchSeries(msgspec.Struct, frozen=True, kw_only=True):
    """Points of a batch of one quantity of a meter.

    Attributes:
        measurement: measurement of the points.
        meter: id of the meter.
        quantity: the quantity.
        points: number of points written or removed.
        first_ms: time of the first one [UTC, ms].
        last_ms: time of the last one [UTC, ms].
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
        written: text that the batch gave it.
        previous: text that it had before; None if there was no such file.
    """

    name: str
    written: str
    previous: str | None
