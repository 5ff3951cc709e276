"""Write a file to the store as a numbered batch, unless it contradicts stored values.

Laws:

1. All series are compared with the store before anything is written. So a file with contradictions
   is not written in part.
2. If an import of the file was interrupted, it is undone before the file is imported again.
   Otherwise the values of the interrupted import would be recorded as the values to restore.
"""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, closing, nullcontext
from types import TracebackType
from typing import Final, TypeAlias

import msgspec

from ingest.importing.batches.batch_file import BatchFile
from ingest.importing.batches.batch_record import BatchCounts, BatchSource
from ingest.importing.batches.batch_undo import BatchUndo
from ingest.importing.batches.contradictions import (
    Contradiction,
    SeriesComparison,
    StoredComparison,
)
from ingest.importing.batches.point_columns import PointColumns
from ingest.importing.batches.recorded_writes import BatchWriter, PointChanges
from ingest.importing.batches.stored_points import StoredPoints
from ingest.storing.late_days import LateDays
from jieneng.clock import Clock
from jieneng.site_folder import SiteFolder
from jieneng.storage import RejectedPoint, Store

#: (values of a series in a file, medium of its meter).
FileSeries: TypeAlias = tuple[PointColumns, str]


class BatchResult(msgspec.Struct, frozen=True, kw_only=True):
    """The result of writing a file.

    Attributes:
        number: number of the batch; None if nothing was written.
        counts: counts of the values.
        contradictions: stored values that contradict the file, even if it was written.
        is_refused: True if the file was not written because of contradictions.
        repeated: number of an interrupted import of the same file that was undone first; None if
            there was none.
        interrupted: numbers of interrupted imports of other files.
        rejected: points that the store rejected.
        touched_ms: start and end of the time in which consumption changes [UTC, ms]; None if
            nothing was changed.
    """

    number: int | None = None
    counts: BatchCounts = BatchCounts()
    contradictions: tuple[Contradiction, ...] = ()
    is_refused: bool = False
    repeated: int | None = None
    interrupted: tuple[int, ...] = ()
    rejected: tuple[RejectedPoint, ...] = ()
    touched_ms: tuple[int, int] | None = None


NOTHING: Final = BatchResult()


class BatchImport:
    """Imports one file into a site's store. As a context manager, it holds the lock on imports.

    Args:
        folder: the site.
        store: the store.
        clock: gives the time of the batch, which decides if readings are late.
        replace: True to replace stored values that contradict the file.
        keep: True to keep stored imported values whose times are not in the file.
        dry_run: True to compare without writing.
    """

    def __init__(
        self,
        folder: SiteFolder,
        store: Store,
        clock: Clock,
        *,
        replace: bool = False,
        keep: bool = False,
        dry_run: bool = False,
    ) -> None:
        site = folder.site
        self._folder = folder.path
        self._clock = clock
        self._replace = replace
        self._keep = keep
        self._dry_run = dry_run
        self._file = BatchFile(folder.path)
        self._stored = StoredPoints(site.id, store, self._file)
        self._changes = PointChanges(site.id, store, self._stored, LateDays(site, clock))
        self._comparison = StoredComparison(site.zone, self._stored, self._file)
        self._lock: AbstractContextManager[None] = nullcontext()

    def __enter__(self) -> "BatchImport":
        if not self._dry_run:
            self._lock = self._file.locked()
        self._lock.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with closing(self._file):
            self._lock.__exit__(kind, error, traceback)

    async def run(
        self, source: BatchSource, series: Iterable[FileSeries], progress: Callable[[int], None]
    ) -> BatchResult:
        """Compare a file with the store, and write it if nothing prevents it.

        Args:
            source: the file.
            series: series of the file, each with at least one value.
            progress: called with the number of points of each written part.

        Raises:
            UsageError: an interrupted import of the file can't be undone.
            StoreUnavailable: the store or the record of imports failed. The import can be repeated.
        """
        repeated = None if self._dry_run else await self._undo_interrupted(source)
        compared = [await self._comparison.compare(columns, medium) for columns, medium in series]
        result = BatchResult(
            contradictions=tuple(
                each.contradiction for each in compared if each.contradiction is not None
            ),
            repeated=repeated,
            interrupted=tuple(
                each.number for each in self._file.batches() if _is_interrupted(each.state)
            ),
            touched_ms=self._changes.touched.span_ms,
        )
        if not all(map(self._may_write, result.contradictions)):
            return msgspec.structs.replace(result, is_refused=True)
        return result if self._dry_run else await self._write(source, compared, progress, result)

    def _may_write(self, contradiction: Contradiction) -> bool:
        return self._replace or (self._keep and contradiction.may_be_kept)

    async def _undo_interrupted(self, source: BatchSource) -> int | None:
        await self._stored.write_rescued()
        undone = None
        for batch in self._file.batches():
            if batch.state == "writing" and batch.source.digest == source.digest:
                undo = BatchUndo(self._folder, self._file, self._stored, self._changes, self._clock)
                undone = (await undo.undo(batch.number)).batch.number
        return undone

    async def _write(
        self,
        source: BatchSource,
        compared: Iterable[SeriesComparison],
        progress: Callable[[int], None],
        result: BatchResult,
    ) -> BatchResult:
        writer = BatchWriter(source, self._file, self._stored, self._changes, self._clock)
        unchanged = 0
        for each in compared:
            unchanged += each.unchanged
            for contradicting in each.contradicting if self._replace else ():
                await writer.write(contradicting, progress)
            await writer.write(each.new, progress)
        writer.finish(unchanged)
        return msgspec.structs.replace(
            result,
            number=writer.number,
            counts=msgspec.structs.replace(writer.counts, unchanged=unchanged),
            rejected=tuple(writer.rejected),
            touched_ms=self._changes.touched.span_ms,
        )


def _is_interrupted(state: str) -> bool:
    """Return True for the state of an interrupted batch; the lock must be held."""
    return state in ("writing", "undoing")
